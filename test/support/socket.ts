/**
 * Raw HTTP/1.1 over a socket, byte for byte: what `fetch` would normalise or refuse to send. Reads responses as plainly as
 * a client can; does not judge them.
 */
import { connect } from "node:net";

export interface RawResponse {
  readonly status: number;
  /** As they came, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface ExchangeOptions {
  /** How many responses to wait for. Absent: one. */
  readonly responses?: number;
  /** How long to wait for a byte that does not come. Absent: 3 s. */
  readonly idleMilliseconds?: number;
  /** Whether the first request was HEAD, whose answer has no body. */
  readonly head?: boolean;
}

/**
 * Sends `bytes` (latin1) and reads responses until there are enough, the other side hangs up, or nothing more comes. An
 * empty list: it hung up without a word.
 */
export function exchange(url: string, bytes: string, options: ExchangeOptions = {}): Promise<RawResponse[]> {
  const { responses = 1, idleMilliseconds = 3_000, head = false } = options;
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(bytes, "latin1")));
    let text = "";
    const done = (): void => {
      socket.destroy();
      resolve(parseResponses(text, true, head));
    };
    socket.setTimeout(idleMilliseconds, done);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (parseResponses(text, false, head).length >= responses) done();
    });
    socket.on("close", done);
    socket.on("error", done);
  });
}

/** A request's text. Headers are sent as they stand; `Host` is not added. */
export function requestText(
  method: string,
  target: string,
  headers: readonly (readonly [string, string])[],
  body = "",
): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${target} HTTP/1.1\r\n${lines}\r\n${body}`;
}

/** The values of a header, in order. */
export function valuesOf(from: { readonly headers: RawResponse["headers"] }, name: string): string[] {
  const wanted = name.toLowerCase();
  return from.headers.filter(([given]) => given.toLowerCase() === wanted).map(([, value]) => value);
}

/** The complete responses in a text; `ended`: the connection is over, and with it a body without a length. */
function parseResponses(text: string, ended: boolean, head: boolean): RawResponse[] {
  const found: RawResponse[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf("\r\n\r\n", at);
    if (end < 0) return found;
    const { status, headers } = parseHead(text.slice(at, end));
    const bodyAt = end + 4;
    if (status >= 100 && status < 200 && status !== 101) {
      at = bodyAt;
      continue;
    }
    const body = parseBody(text, bodyAt, status, headers, ended, head && found.length === 0);
    if (body === null) return found;
    found.push({ status, headers, body: body.text });
    at = body.end;
  }
}

export function parseHead(text: string): { first: string; status: number; headers: [string, string][] } {
  const [first = "", ...lines] = text.split("\r\n");
  return {
    first,
    status: Number(first.split(" ")[1]),
    headers: lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  };
}

function parseBody(
  text: string,
  at: number,
  status: number,
  headers: RawResponse["headers"],
  ended: boolean,
  head: boolean,
): { text: string; end: number } | null {
  if (head || status === 204 || status === 304 || status === 101) return { text: "", end: at };
  const [length] = valuesOf({ headers }, "content-length");
  if (length !== undefined) {
    const end = at + Number(length);
    return text.length >= end ? { text: text.slice(at, end), end } : null;
  }
  if (valuesOf({ headers }, "transfer-encoding").includes("chunked")) return parseChunks(text, at);
  return ended ? { text: text.slice(at), end: text.length } : null;
}

/** A chunked body that begins at `at` (RFC 9112 §7.1), or `null` where it is not whole. Trailers are passed over. */
export function parseChunks(text: string, at: number): { text: string; end: number } | null {
  let body = "";
  let from = at;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", from);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(text.slice(from, lineEnd), 16);
    if (size === 0) {
      const end = text.indexOf("\r\n\r\n", lineEnd);
      return end < 0 ? null : { text: body, end: end + 4 };
    }
    const next = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || text.length < next) return null;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    from = next;
  }
}
