/**
 * What is served without a token: the gateway's public keys, its protected resource metadata (RFC 9728), its health,
 * and the pages to which a problem's `type` points. No part of a request is echoed.
 */
import { type Denial, REASONS } from "./denial.ts";
import type { Policy } from "./policy/policy.ts";
import type { Route } from "./policy/route.ts";
import { WELL_KNOWN } from "./policy/routing/built-in-routes.ts";
import { isPastSunset, isReserved } from "./policy/scope.ts";
import { MISCONFIGURED_RETRY_SECONDS } from "./token/key-source.ts";

export interface OpenSurroundings {
  readonly policy: Policy;
  /** The public halves of the signing keys (RFC 7517). */
  readonly publicKeys: () => Promise<{ readonly keys: readonly object[] }>;
  readonly revocationState: () => { readonly sequence: number; readonly ageMilliseconds: number } | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Answers a route whose target is the gateway itself. `values`: what the pattern's names stand for. */
export function createOpen(
  surroundings: OpenSurroundings,
): (route: Route, values: readonly string[]) => Promise<Response | Denial> {
  const { policy } = surroundings;
  const { adminPath } = policy.gateway;
  return async (route, values) => {
    switch (route.pattern) {
      case `${WELL_KNOWN}/jwks.json`:
        try {
          const cacheControl = "public, max-age=300, stale-if-error=86400";
          return json(await surroundings.publicKeys(), "application/jwk-set+json", cacheControl);
        } catch {
          // As for a token of this gateway whose keys cannot be loaded; on the first such token the verifier logs why.
          return { reason: "keys_unavailable", retryAfterSeconds: MISCONFIGURED_RETRY_SECONDS };
        }
      case `${WELL_KNOWN}/oauth-protected-resource`:
        return json(
          resourceMetadata(policy, Math.floor(surroundings.now() / 1000)),
          "application/json",
          "public, max-age=300",
        );
      case `${adminPath}/health`:
        return json(health(surroundings.revocationState()), "application/json", "no-store");
      default:
        return problemPage(values[0] ?? "") ?? { reason: "route_not_found" };
    }
  };
}

/** RFC 9728 §2. Lists the operator's scopes that are not past their sunset. Does not publish the admin API's scopes. */
function resourceMetadata(policy: Policy, nowSeconds: number): object {
  const { publicUrl } = policy.gateway;
  const issuers = policy.issuers.map(({ issuer }) => issuer);
  const scopes = policy.catalogue.scopes
    .filter((scope) => !isReserved(scope.name) && !isPastSunset(scope, nowSeconds))
    .map(({ name }) => name);
  // A member with no values is left out (RFC 9728 §3.2).
  return {
    resource: publicUrl,
    ...(issuers.length > 0 ? { authorization_servers: issuers } : {}),
    jwks_uri: `${publicUrl}${WELL_KNOWN}/jwks.json`,
    bearer_methods_supported: ["header"],
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
  };
}

function health(state: ReturnType<OpenSurroundings["revocationState"]>): object {
  return {
    status: "ok",
    revocation:
      state === null ? null : { sequence: state.sequence, age_seconds: Math.max(0, state.ageMilliseconds) / 1000 },
  };
}

function problemPage(reason: string): Response | null {
  if (!Object.hasOwn(REASONS, reason)) return null;
  const { status, title, remedy } = REASONS[reason as keyof typeof REASONS];
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${reason}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}code{font-size:1.1em}</style>
<p><code>${status} ${reason}</code></p>
<h1>${escapedHtml(title)}</h1>
<p>${escapedHtml(remedy)}</p>
</html>
`;
  return new Response(page, {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "public, max-age=3600",
      "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
      "X-Content-Type-Options": "nosniff",
    },
  });
}

/** Escapes `&` and `<`, which the remedies contain (`Bearer <token>`). For element content only, not for attributes. */
function escapedHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function json(body: unknown, type: string, cacheControl: string): Response {
  return new Response(JSON.stringify(body), { headers: { "Content-Type": type, "Cache-Control": cacheControl } });
}
