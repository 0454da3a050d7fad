/**
 * The exchange with the origin for an allowed request: rewrites its headers and forwards it, adds deprecation headers
 * to the response, and ties a long-lived connection to its token.
 */
import type { Denial } from "../denial.ts";
import type { Asked } from "../policy/decision.ts";
import { deprecatedScopes } from "../policy/deprecation.ts";
import type { Policy } from "../policy/policy.ts";
import type { Alternative, Route } from "../policy/route.ts";
import type { CanonicalPath } from "../request/path.ts";
import { compileRemovedHeaders } from "../request/removed-headers.ts";
import type { Principal } from "../token/principal.ts";
import { guardConnection, isLongLived } from "./connection.ts";
import { forward } from "./forward.ts";
import { type Identity, rewriteHeaders } from "./headers.ts";
import type { Origin } from "./origin.ts";
import { deprecationHeaders, withHeaders } from "./response.ts";

/** A request that may be forwarded to the origin. */
interface Cleared {
  readonly request: Request;
  readonly requestId: string;
  readonly route: Route;
  readonly path: CanonicalPath;
  readonly asked: Asked;
  /** `null`: the origin is not told who calls. */
  readonly principal: Principal | null;
  /** The scopes that allowed the call; `null` where no scope did. */
  readonly alternative: Alternative | null;
  /** Asked while a connection stays open: whether the principal's token may still be used. */
  readonly stillGood: () => Promise<boolean>;
}

export type Exchange = (cleared: Cleared) => Promise<Response | Denial>;

export function createExchange(policy: Policy, origin: Origin, now: () => number): Exchange {
  const removed = compileRemovedHeaders(policy.origin, headersThatDecide(policy.routes));
  // In report mode, an expired or revoked token ends no connection.
  const isReportOnly = policy.gateway.mode === "report";
  const expiryGraceSeconds = policy.gateway.clockSkewSeconds;

  return async (cleared) => {
    const { request, requestId, route, path, asked, principal, alternative } = cleared;
    const identity = principal === null ? null : identityOf(principal, alternative);
    const rewrite = (headers: Headers): void => {
      // From the URL, not the Host header, which in a call from another Worker is still that of the Worker's client.
      const [proto, host] = asClientsSee(request.url);
      rewriteHeaders(headers, removed, identity, {
        requestId,
        address: asked.address,
        host,
        proto,
        method: request.method,
      });
    };
    let response = await forward(origin, request, path, rewrite, policy.origin.timeoutMilliseconds);
    if (!(response instanceof Response) || principal === null) return response;

    if (alternative !== null) {
      const leaving = deprecatedScopes(policy.catalogue, alternative, principal.grant);
      if (leaving.length > 0) response = withHeaders(response, deprecationHeaders(leaving));
    }
    if (isReportOnly || route.unboundedConnection || !isLongLived(response)) return response;
    return guardConnection(response, {
      stillGood: cleared.stillGood,
      expiresAtSeconds: principal.expiresAtSeconds + expiryGraceSeconds,
      intervalMilliseconds: policy.revocation.refreshMilliseconds,
      now,
    });
  };
}

/** The headers that the routes' resource templates read. */
function headersThatDecide(routes: readonly Route[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { resources } of routes) {
    for (const { parts } of resources ?? []) {
      for (const part of parts ?? []) if (part.kind === "header") names.add(part.name);
    }
  }
  return names;
}

function identityOf(principal: Principal, alternative: Alternative | null): Identity {
  const { subject, issuer, client, tokenId } = principal;
  return { subject, issuer, client, tokenId, scopes: alternative === null ? null : alternative.header };
}

/** Scheme and authority of a URL that `canonicalPath` has accepted. */
function asClientsSee(url: string): readonly [proto: "http" | "https", host: string] {
  const proto = url.startsWith("https:") ? "https" : "http";
  const from = proto.length + "://".length;
  return [proto, url.slice(from, url.indexOf("/", from))];
}
