/**
 * Which pages of other origins may read the answers (contract §2 `[cors]`; Fetch standard, "CORS protocol").
 *
 * Guarantees: an origin is allowed by its exact spelling or by `*`, never by a part of it; cookies are never allowed.
 * Leaves to `withHeaders` that the API's own answer to the same question gives way to this one.
 *
 * Trade-off: an answer to a request without an Origin header varies, too, though a header costs such a request more than
 * anything else that the gateway does to its answer. A browser keeps what an image or a link brought and serves it to
 * the next page that asks (Fetch standard, "CORS protocol and HTTP caches"): one that is allowed could not read it, and
 * with the API's own `Access-Control-Allow-Origin: *` one that is not could.
 */
import type { CorsPolicy } from "../policy/policy.ts";

type Header = (name: string) => string | null;

/** Besides what every page may read: what a refused or deprecated call says. */
const EXPOSED = "X-Request-Id, WWW-Authenticate, Retry-After, Deprecation, Sunset";

/** What every answer says, refusals too, to a request with this Origin header, or with none. */
export function corsHeaders(cors: CorsPolicy, origin: string | null): readonly [name: string, value: string][] {
  const allowed = origin === null ? null : allowedOrigin(cors, origin);
  if (allowed === null) return [["Vary", "Origin"]];
  return [
    ["Access-Control-Allow-Origin", allowed],
    ["Access-Control-Expose-Headers", EXPOSED],
    ["Vary", "Origin"],
  ];
}

/** Whether a browser asks before it sends the request itself. An OPTIONS request without its headers is a call. */
export function isPreflight(method: string, header: Header): boolean {
  return method === "OPTIONS" && header("Access-Control-Request-Method") !== null && header("Origin") !== null;
}

/** 204 for any path; with leave to send the request only for an allowed origin. */
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

/** The value that allows it, or `null`. */
function allowedOrigin(cors: CorsPolicy, origin: string): string | null {
  if (cors.origins.has("*")) return "*";
  return cors.origins.has(origin) ? origin : null;
}
