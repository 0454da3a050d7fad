/**
 * The headers that the gateway adds to a response, or removes for `[cors]`. Nothing else of it changes.
 *
 * Guarantees that status, body (as a stream, in its encoding) and WebSocket stay as they are.
 */
import type { Scope } from "../policy/scope.ts";

/** List headers, to which the gateway appends. Of all other headers its value replaces the origin's. */
const LISTS = new Set(["vary", "access-control-expose-headers"]);

/**
 * The response with more headers; the same object where `extra` is empty, because a new Response costs a tenth of a
 * forwarded request.
 *
 * Setting Access-Control-Allow-Origin also removes the origin's Access-Control-Allow-Credentials (contract §2).
 */
export function withHeaders(response: Response, extra: readonly (readonly [name: string, value: string])[]): Response {
  if (extra.length === 0) return response;
  const copy = new Response(response.body, response);
  for (const [name, value] of extra) {
    const lower = name.toLowerCase();
    if (LISTS.has(lower)) copy.headers.append(name, value);
    else copy.headers.set(name, value);
    if (lower === "access-control-allow-origin") copy.headers.delete("Access-Control-Allow-Credentials");
  }
  return copy;
}

/**
 * The response with the headers of the policy's `[cors]`. Where these allow no origin, the API's own CORS permission is
 * removed: it would allow pages that the policy does not name.
 */
export function withCors(response: Response, extra: readonly (readonly [name: string, value: string])[]): Response {
  const answer = withHeaders(response, extra);
  if (extra.length > 0 && !extra.some(([name]) => name === "Access-Control-Allow-Origin")) {
    for (const name of ["Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"]) answer.headers.delete(name);
  }
  return answer;
}

/** The Deprecation (RFC 9745 §2.1) and Sunset (RFC 8594 §3) headers for these scopes; of each, the earliest date. */
export function deprecationHeaders(
  scopes: readonly Pick<Scope, "deprecatedAtSeconds" | "sunsetAtSeconds">[],
): [name: string, value: string][] {
  const headers: [string, string][] = [];
  const deprecated = earliest(scopes.map((scope) => scope.deprecatedAtSeconds));
  const sunset = earliest(scopes.map((scope) => scope.sunsetAtSeconds));
  if (deprecated !== null) headers.push(["Deprecation", `@${deprecated}`]);
  if (sunset !== null) headers.push(["Sunset", new Date(sunset * 1000).toUTCString()]);
  return headers;
}

function earliest(times: readonly (number | null)[]): number | null {
  return times.reduce((least, time) => (time === null || (least !== null && least <= time) ? least : time), null);
}
