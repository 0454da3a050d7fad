/**
 * What the gateway adds to the origin's response, which is otherwise handed back untouched.
 *
 * Guarantees that status, body (as a stream, in its encoding) and WebSocket stay as they are.
 */
import type { Scope } from "../policy/scope.ts";

/** Lists: what the gateway says joins what the origin says. Of all others the gateway's value stands alone. */
const LISTS = new Set(["vary", "access-control-expose-headers"]);

/**
 * The response with more headers; itself where there are none, because a new Response costs a tenth of a forwarded
 * request.
 *
 * With Access-Control-Allow-Origin the origin's own leave for cookies goes (contract §2: "never Allow-Credentials").
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
 * The response with what the policy's `[cors]` says of it. Where that gives no leave, the origin's own goes too: it would
 * let in pages that the policy does not name.
 */
export function withCors(response: Response, extra: readonly (readonly [name: string, value: string])[]): Response {
  const answer = withHeaders(response, extra);
  if (extra.length > 0 && !extra.some(([name]) => name === "Access-Control-Allow-Origin")) {
    for (const name of ["Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"]) answer.headers.delete(name);
  }
  return answer;
}

/** What an answer says when deprecated scopes let it through: RFC 9745 §2.1 and RFC 8594 §3, the earliest of each. */
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
