/**
 * Where the API behind the gateway is.
 *
 * The service binding `ORIGIN` if there is one, else the variable `ORIGIN_URL`, else `[origin] url` (contract §1). With
 * a binding, the URL only determines the host and path that the bound Worker sees; with a binding and no URL, that is
 * the host of the client's request.
 */

export interface Origin {
  readonly fetch: (input: string | Request, init: RequestInit) => Promise<Response>;
  /** Whether the origin is a Worker, reached through a service binding and not over the network. */
  readonly bound: boolean;
  /** Scheme, authority and path, without a trailing slash; `null`: the scheme and the host of the client's request. */
  readonly base: string | null;
}

interface Bindings {
  readonly ORIGIN?: Fetcher | undefined;
  readonly ORIGIN_URL?: string | undefined;
}

/**
 * The origin that the bindings and the policy name. Throws where they name none, or its URL is not valid.
 *
 * @param policyUrl `[origin] url`.
 */
export function createOrigin(bindings: Bindings, policyUrl: string | null): Origin {
  const { ORIGIN: binding } = bindings;
  const base = originBase(bindings, policyUrl);
  if (binding === undefined) return { fetch: (input, init) => fetch(input, init), bound: false, base };
  return { fetch: (input, init) => binding.fetch(input, init), bound: true, base };
}

/** Scheme, authority and path without a trailing slash; `null` where there is only a binding and no URL. */
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
