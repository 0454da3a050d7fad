/**
 * Which pages of other origins may read responses (contract §2 `[cors]`; Fetch standard, "CORS protocol").
 *
 * Guarantees: an origin is allowed by its exact spelling or by `*`, never by a part of it; cookies are never allowed.
 * Leaves to `withCors` to remove the API's own CORS headers that would contradict these.
 *
 * Trade-off: responses to requests without an Origin header get `Vary: Origin` too, although this costs them more than
 * anything else that the gateway does to them. A browser may cache the response to an image or link and reuse it for a
 * page's fetch (Fetch standard, "CORS protocol and HTTP caches"). Without this, an allowed page could not read it; with
 * the API's own `Access-Control-Allow-Origin: *`, a page that is not allowed could.
 */
import type { CorsPolicy } from "../policy/policy.ts";

type Header = (name: string) => string | null;

/** Readable besides the CORS-safelisted response headers: the request id, and headers of refusals and deprecations. */
const EXPOSED = "X-Request-Id, WWW-Authenticate, Retry-After, Deprecation, Sunset";

/** The headers for every response, refusals included, to a request with this Origin header (`null`: with none). */
export function corsHeaders(cors: CorsPolicy, origin: string | null): readonly [name: string, value: string][] {
  const allowed = origin === null ? null : allowedOrigin(cors, origin);
  if (allowed === null) return [["Vary", "Origin"]];
  return [
    ["Access-Control-Allow-Origin", allowed],
    ["Access-Control-Expose-Headers", EXPOSED],
    ["Vary", "Origin"],
  ];
}

/** Whether a request is a CORS preflight. An OPTIONS request without a preflight's headers is an ordinary call. */
export function isPreflight(method: string, header: Header): boolean {
  return method === "OPTIONS" && header("Access-Control-Request-Method") !== null && header("Origin") !== null;
}

/** 204 for any path; the Access-Control-Allow-* headers only for an allowed origin. */
export function preflightResponse(cors: CorsPolicy, origin: string | null, requestId: string): Response {
  const headers = new Headers({ "X-Request-Id": requestId, Vary: "Origin" });
  const allowed = origin === null ? null : allowedOrigin(cors, origin);
  if (allowed !== null) {
    headers.set("Access-Control-Allow-Origin", allowed);
    if (cors.methods.length > 0) headers.set("Access-Control-Allow-Methods", cors.methods.join(", "));
    if (cors.headers.length > 0) headers.set("Access-Control-Allow-Headers", cors.headers.join(", "));
    headers.set("Access-Control-Max-Age", String(cors.maxAgeSeconds));
  }
  return new Response(null, { status: 204, headers });
}

/** The Access-Control-Allow-Origin value for this origin; `null` where the policy does not allow it. */
function allowedOrigin(cors: CorsPolicy, origin: string): string | null {
  if (cors.origins.has("*")) return "*";
  return cors.origins.has(origin) ? origin : null;
}
