/**
 * The request that goes out to the origin, and how its answer comes back.
 *
 * Guarantees: path and query are those that were decided on; bodies are streams, both ways; redirects, failures and
 * WebSockets of the origin are handed back; no answer waits for headers longer than the timeout; no failure of the origin is thrown.
 *
 * Nothing is kept in, or served from, Cloudflare's cache: it knows a request by its URL, and what one token may read
 * another may not, least of all where `authorization = "remove"` hides from it that there was a token.
 *
 * Cost: `fetch` is given the parts of a request and not a `Request`, which it would take apart and put together again;
 * `new Request(url, request)` also copies `request.cf` along (20 µs in workerd, of which 12 are that copy). A bound Worker
 * gets `request.cf` all the same, as from any other Worker.
 */
import type { Denial } from "../denial.ts";
import type { CanonicalPath } from "../request/path.ts";
import { removeNamedByConnection } from "./headers.ts";
import type { Origin } from "./origin.ts";

/**
 * Sends a request to the origin and gives its response once the headers are there, or why there is none.
 *
 * The timeout counts from the start of the request, its body included, to the response's headers; what comes after
 * them may take for ever. When the runtime notices that the client has gone, it cancels the origin's request too; workerd
 * on its own notices when it next writes to the client, so before the headers the timeout is the only bound there.
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
  const url = (origin.base ?? authorityOf(request.url)) + target.path + target.query;
  const headers = new Headers(request.headers);
  rewrite(headers);
  // The timer is left to end with the request: to clear it, or to abort by a signal, costs a twentieth of a request each.
  return new Promise((resolve) => {
    setTimeout(resolve, Math.min(timeoutMilliseconds, LONGEST_TIMER), TIMEOUT);
    send(url, origin, request, headers)
      .then((response) => withoutHopByHop(response, origin))
      .then(resolve, () => resolve(UNREACHABLE));
  });
}

/** In milliseconds; the runtime takes a longer one for none. */
const LONGEST_TIMER = 2_147_483_647;
const TIMEOUT: Denial = { reason: "origin_timeout" };
const UNREACHABLE: Denial = { reason: "origin_unreachable" };

/**
 * What the runtime makes of `cache: "no-store"`, without the `Cache-Control: no-cache` and `Pragma` that it also sends,
 * at which some origins no longer answer 304.
 */
const NO_CACHE = { cacheTtl: -1, cacheLevel: "bypass" };

function send(url: string, origin: Origin, request: Request, headers: Headers): Promise<Response> {
  const { method, body } = request;
  const cf = origin.bound ? (request.cf ?? {}) : NO_CACHE;
  if (body === null || (method !== "GET" && method !== "HEAD")) {
    return origin.fetch(url, { method, headers, body, redirect: "manual", cf });
  }
  // A body with these methods is refused among the parts of a request, and taken over with a whole one.
  return origin.fetch(new Request(url, request), { headers, redirect: "manual", cf });
}

const LEFT_BY_THE_RUNTIME = ["Proxy-Connection", "Proxy-Authenticate"];

/**
 * RFC 9110 §7.6.1. The runtime has taken out what it knows of, of a response from the network even `Connection`, so
 * that what that names cannot be told; these are what it leaves. A response with none of them stays as it is.
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

/** Scheme and authority of a URL that `canonicalPath` has taken. */
function authorityOf(url: string): string {
  return url.slice(0, url.indexOf("/", "https://".length));
}
