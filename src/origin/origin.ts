/**
 * The API behind the gateway: which one it is, and how a call that was allowed gets there.
 *
 * It is the service binding `ORIGIN` where there is one, else the variable `ORIGIN_URL`, else `[origin] url`
 * (contract §1). With a binding, a URL only says which host and path the bound Worker sees; without one it sees the
 * client's host.
 */
import type { Denial } from "../denial.ts";
import type { Policy } from "../policy/policy.ts";
import { callerAddress } from "../request/caller.ts";
import type { CanonicalPath } from "../request/path.ts";
import { forward } from "./forward.ts";
import { compileRemovedHeaders, type Identity, rewriteHeaders } from "./headers.ts";

export interface Origin {
  /** Sends a call that was allowed to the origin: its response once the headers are there, or why there is none. Throws nothing. */
  readonly forward: (
    request: Request,
    path: Pick<CanonicalPath, "path" | "query">,
    call: Call,
  ) => Promise<Response | Denial>;
}

/** What was found out about a call on its way. */
interface Call {
  readonly requestId: string;
  readonly principal: Identity | null;
  /** The scopes that decided, separated by spaces; `null` where the route asks for none. */
  readonly scopes: string | null;
}

interface Bindings {
  readonly ORIGIN?: Fetcher | undefined;
  readonly ORIGIN_URL?: string | undefined;
}

type OriginPolicy = Pick<Policy["origin"], "url" | "timeoutMilliseconds" | "authorization" | "removeHeaders">;

/** The origin that the bindings and the policy name. Throws where there is none, or its URL is not valid. */
export function createOrigin(bindings: Bindings, policy: OriginPolicy): Origin {
  const { ORIGIN: binding } = bindings;
  const base = originBase(bindings, policy.url);
  const removed = compileRemovedHeaders(policy);
  const send =
    binding === undefined ? (request: Request) => fetch(request) : (request: Request) => binding.fetch(request);

  return {
    forward: (request, path, { requestId, principal, scopes }) => {
      // The URL was split by canonicalPath before: what stands between scheme and path is host[:port].
      const { url } = request;
      const secure = url.startsWith("https:");
      const from = secure ? 8 : 7;
      const to = url.indexOf("/", from);
      const rewrite = (headers: Headers): void =>
        rewriteHeaders(headers, removed, {
          requestId,
          identity: principal,
          scopes,
          address: callerAddress((name) => request.headers.get(name)),
          host: url.slice(from, to),
          proto: secure ? "https" : "http",
        });
      const target = (base ?? url.slice(0, to)) + path.path + path.query;
      return forward(send, target, request, rewrite, policy.timeoutMilliseconds);
    },
  };
}

/** Scheme, authority and path without a trailing slash; `null` where only a binding is given. */
function originBase(bindings: Bindings, policyUrl: string | null): string | null {
  const { ORIGIN_URL: variable } = bindings;
  const fromVariable = variable !== undefined && variable !== "";
  const place = fromVariable ? "ORIGIN_URL" : "[origin] url";
  const written = fromVariable ? variable : policyUrl;
  if (written === null) {
    if (bindings.ORIGIN !== undefined) return null;
    throw new Error("there is no origin: bind a service as ORIGIN, or set ORIGIN_URL or [origin] url");
  }
  const url = URL.parse(written);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new Error(`${place}: expected an http or https URL`);
  }
  if (url.username !== "" || url.password !== "") throw new Error(`${place}: expected a URL without credentials`);
  if (/[?#]/.test(written)) throw new Error(`${place}: expected a URL without query and fragment`);
  return url.origin + url.pathname.replace(/\/+$/, "");
}
