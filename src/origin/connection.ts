/**
 * Connections that outlive the request that opened them: WebSockets and event streams (contract §4; issue 5).
 *
 * Guarantees that such a connection ends once its token expires or is no longer good: a WebSocket with close code 1008
 * on both sides, an event stream by its end. `stillGood` is asked at each interval until the expiry; if it does not
 * answer before the next check is due, the connection ends too. Frames and bytes pass unchanged; an event stream keeps
 * its backpressure. Leaves to `stillGood` what "good" means, and to refresh what it knows.
 *
 * Trade-off: a Worker cannot see how fast a WebSocket's reader is, so frames that a slow reader has not taken wait in
 * memory, up to the runtime's own limit. Routes with `connection = "unbounded"` do not use this file.
 */

export interface Watch {
  /** Whether the token may still be used. A rejection means no. */
  readonly stillGood: () => boolean | Promise<boolean>;
  readonly expiresAtSeconds: number;
  readonly intervalMilliseconds: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const POLICY_VIOLATION = 1008;
const REASON = "the token is no longer good";
/** 1005, 1006 and 1015 are never sent (RFC 6455 §7.4.1): they report a close frame without a code, or none at all. */
const NO_STATUS = 1005;
const BAD_GATEWAY = 1014;
/** The longest delay that `setTimeout` takes. */
const MOST_MILLISECONDS = 2_147_483_647;

/** Whether a response is a WebSocket or an event stream, which may stay open long after its headers. */
export function isLongLived(response: Response): boolean {
  return response.webSocket !== null || isEventStream(response);
}

/** The same response, over a connection that ends with its token; unchanged where it is not long-lived. */
export function guardConnection(response: Response, watch: Watch): Response {
  if (response.webSocket !== null) return guardedSocket(response, response.webSocket, watch);
  if (response.body !== null && isEventStream(response)) return guardedStream(response, response.body, watch);
  return response;
}

function isEventStream(response: Response): boolean {
  return /^text\/event-stream[ \t]*(?:;|$)/i.test(response.headers.get("Content-Type") ?? "");
}

function guardedSocket(response: Response, origin: WebSocket, watch: Watch): Response {
  const { 0: client, 1: gateway } = new WebSocketPair();
  for (const socket of [origin, gateway]) {
    // Half open: the gateway does not answer a close frame itself but passes it to the other side.
    socket.accept({ allowHalfOpen: true });
    socket.binaryType = "arraybuffer";
  }
  const stop = watchOver(watch, () => {
    close(origin, POLICY_VIOLATION, REASON);
    close(gateway, POLICY_VIOLATION, REASON);
  });
  relay(origin, gateway, stop);
  relay(gateway, origin, stop);
  return new Response(null, { status: 101, headers: response.headers, webSocket: client });
}

/** Sends what arrives at one socket to the other, its close included. */
function relay(from: WebSocket, to: WebSocket, ended: () => void): void {
  from.addEventListener("message", ({ data }) => {
    try {
      to.send(data);
    } catch {
      // The other side is gone; its own close event will end both.
    }
  });
  from.addEventListener("close", ({ code, reason }) => {
    ended();
    close(to, code, reason);
    close(from, code, reason);
  });
  from.addEventListener("error", () => {
    ended();
    close(to, BAD_GATEWAY, "the connection was lost");
  });
}

/** Closes a socket, whatever its state. */
function close(socket: WebSocket, code: number, reason: string): void {
  try {
    if (code === NO_STATUS) socket.close();
    else if (code === 1006 || code === 1015) socket.close(BAD_GATEWAY, "the connection was lost");
    else socket.close(code, reason);
  } catch {
    // It is closed already.
  }
}

function guardedStream(response: Response, body: ReadableStream, watch: Watch): Response {
  const { readable, writable } = new IdentityTransformStream();
  const ended = new AbortController();
  const stop = watchOver(watch, () => ended.abort());
  // Ends the stream without an error: an EventSource then reconnects, and the gateway refuses it.
  body
    .pipeTo(writable, { signal: ended.signal, preventAbort: true })
    .catch(() => (ended.signal.aborted ? writable.close() : writable.abort()))
    .catch(() => undefined)
    .finally(stop);
  return new Response(readable, response);
}

/** Calls `end` once, when the token is no longer good; never after `stop`, which the caller calls when the connection ends. */
function watchOver(watch: Watch, end: () => void): () => void {
  let over = false;
  let checking = false;
  let timer = setTimeout(tick, wait());

  function wait(): number {
    const left = watch.expiresAtSeconds * 1000 - watch.now();
    return Math.min(Math.max(left, 0), watch.intervalMilliseconds, MOST_MILLISECONDS);
  }
  function stop(): void {
    over = true;
    clearTimeout(timer);
  }
  function finish(): void {
    if (over) return;
    stop();
    end();
  }
  function tick(): void {
    if (over) return;
    if (checking || watch.now() >= watch.expiresAtSeconds * 1000) {
      finish();
      return;
    }
    checking = true;
    timer = setTimeout(tick, wait());
    Promise.resolve()
      .then(watch.stillGood)
      .then((good) => {
        checking = false;
        if (!good) finish();
      }, finish);
  }
  return stop;
}
