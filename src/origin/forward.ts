/**
 * Sends the request to the origin and returns its response.
 *
 * Guarantees: path and query are those that were decided on; bodies are streamed, both ways; the origin's redirects,
 * error statuses and WebSockets are passed on; the wait for headers ends at the timeout; no origin failure is thrown.
 *
 * Nothing is stored in, or served from, Cloudflare's cache: its key is the URL, and what one token may read another may
 * not, least of all where `authorization = "remove"` hides from the cache that there was a token.
 *
 * Cost: passes `fetch` a URL and an init, not a `Request`, which `fetch` would take apart and build again; besides,
 * `new Request(url, request)` copies `request.cf` (20 µs in workerd, 12 of them for that copy). A Worker bound as the
 * origin still gets `request.cf`, as in any call between Workers.
 */
import type { Denial } from "../denial.ts";
import type { CanonicalPath } from "../request/path.ts";
import { removeNamedByConnection } from "./headers.ts";
import type { Origin } from "./origin.ts";

/**
 * Sends a request to the origin; resolves with the response once its headers have arrived, or with a denial.
 *
 * The timeout runs from the start of the request, sending its body included, to the response's headers; after them
 * there is no limit. When the runtime notices that the client has disconnected, it cancels the request to the origin;
 * bare workerd notices only when it next writes to the client, so until the headers only the timeout ends a wait there.
 *
 * @param target The canonical path and the query, as `canonicalPath` gives them.
 * @param rewrite Turns a copy of the client's headers into those to send (`rewriteHeaders`), in place.
 */
export async function forward(
  origin: Origin,
  request: Request,
  target: Pick<CanonicalPath, "path" | "query">,
  rewrite: (headers: Headers) => void,
  timeoutMilliseconds: number,
): Promise<Response | Denial> {
  const url = (origin.base ?? authorityOf(request.url)) + target.path + target.query;
  const headers = new Headers(request.headers);
  rewrite(headers);
  // The timer is not cleared; it ends with the request. Clearing it or aborting by a signal each cost 5% of a request.
  return new Promise((resolve) => {
    setTimeout(resolve, Math.min(timeoutMilliseconds, LONGEST_TIMER), TIMEOUT);
    send(url, origin, request, headers)
      .then((response) => withoutHopByHop(response, origin))
      .then(resolve, () => resolve(UNREACHABLE));
  });
}

/** In milliseconds; the runtime treats a longer delay as none. */
const LONGEST_TIMER = 2_147_483_647;
const TIMEOUT: Denial = { reason: "origin_timeout" };
const UNREACHABLE: Denial = { reason: "origin_unreachable" };

/**
 * The `cf` options that the runtime derives from `cache: "no-store"`, but without the `Cache-Control: no-cache` and
 * `Pragma` that it would also send: some origins do not answer 304 to these.
 */
const NO_CACHE = { cacheTtl: -1, cacheLevel: "bypass" };

function send(url: string, origin: Origin, request: Request, headers: Headers): Promise<Response> {
  const { method, body } = request;
  const cf = origin.bound ? (request.cf ?? {}) : NO_CACHE;
  if (body === null || (method !== "GET" && method !== "HEAD")) {
    return origin.fetch(url, { method, headers, body, redirect: "manual", cf });
  }
  // `fetch` rejects an init with a body for GET and HEAD, but accepts a `Request` that has one.
  return origin.fetch(new Request(url, request), { headers, redirect: "manual", cf });
}

const LEFT_BY_THE_RUNTIME = ["Proxy-Connection", "Proxy-Authenticate"];

/**
 * RFC 9110 §7.6.1. The runtime has already removed the hop-by-hop headers that it knows; from a network response also
 * `Connection`, so what that listed is unknown here. Removes the rest; returns a response that has none unchanged.
 */
function withoutHopByHop(response: Response, origin: Origin): Response {
  const { headers } = response;
  const isNamed = origin.bound && headers.has("Connection");
  if (!isNamed && !LEFT_BY_THE_RUNTIME.some((name) => headers.has(name))) return response;
  const copy = new Response(response.body, response);
  removeNamedByConnection(copy.headers);
  for (const name of ["Connection", ...LEFT_BY_THE_RUNTIME]) copy.headers.delete(name);
  return copy;
}

/** Scheme and authority of a URL that `canonicalPath` has accepted. */
function authorityOf(url: string): string {
  return url.slice(0, url.indexOf("/", "https://".length));
}
