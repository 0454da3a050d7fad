/**
 * The request that goes out to the origin, and how its answer comes back.
 *
 * Guarantees: path and query are those that were decided on; bodies are streams, both ways; redirects, failures and
 * WebSockets of the origin are handed back; no answer waits for headers longer than the timeout; nothing is thrown.
 *
 * Nothing is kept in, or served from, Cloudflare's cache: it knows a request by its URL, and what one token may read
 * another may not, least of all where `authorization = "remove"` hides from it that there was a token.
 *
 * `request.cf` is not handed on: copying it costs more (12 µs in workerd) than all the rest of this file, and what is
 * in it is not part of what the origin is promised. That is also why the request is not made by
 * `new Request(url, request)`, which takes it along (20 µs against 8).
 */
import type { Denial } from "../denial.ts";
import type { CanonicalPath } from "../request/path.ts";
import type { Origin } from "./origin.ts";

/**
 * Sends a request to the origin and gives its response once the headers are there, or why there is none.
 *
 * The timeout counts from the start of the request, its body included, to the response's headers; what comes after
 * them may take for ever. A client that goes away takes the origin's request with it: the runtime cancels both.
 *
 * @param target The canonical path and the query, as `canonicalPath` gives them.
 * @param rewrite Makes the copied headers those that go out (`rewriteHeaders`).
 */
export async function forward(
  origin: Origin,
  request: Request,
  target: Pick<CanonicalPath, "path" | "query">,
  rewrite: (headers: Headers) => void,
  timeoutMilliseconds: number,
): Promise<Response | Denial> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMilliseconds);
  try {
    const url = (origin.base ?? authorityOf(request.url)) + target.path + target.query;
    const outgoing = requestTo(url, request, controller.signal);
    rewrite(outgoing.headers);
    return await origin.fetch(outgoing);
  } catch {
    return { reason: controller.signal.aborted ? "origin_timeout" : "origin_unreachable" };
  } finally {
    clearTimeout(timer);
  }
}

function requestTo(url: string, request: Request, signal: AbortSignal): Request {
  const { method, headers, body } = request;
  const cache = "no-store";
  const redirect = "manual";
  // The constructor refuses a body with these methods, and takes one over with a whole request.
  if (body !== null && (method === "GET" || method === "HEAD")) {
    return new Request(new Request(url, request), { cache, redirect, signal });
  }
  return new Request(url, { method, headers, body, cache, redirect, signal });
}

/** Scheme and authority of a URL that `canonicalPath` has taken. */
function authorityOf(url: string): string {
  return url.slice(0, url.indexOf("/", "https://".length));
}
