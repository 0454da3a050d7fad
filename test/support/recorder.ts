/**
 * An origin that remembers every byte: what reached it, as it was written on the wire, request line and header lines
 * untouched by any parser. Answers 200 with a short body.
 */

import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { parseChunks, parseHead, valuesOf } from "./socket.ts";

export interface Received {
  readonly method: string;
  readonly target: string;
  /** As they came, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface Recorder {
  readonly url: string;
  readonly received: Received[];
  /** Those that came with this value of the header `X-Case`. */
  ofCase(id: string): readonly Received[];
  close(): Promise<void>;
}

export async function startRecorder(): Promise<Recorder> {
  const received: Received[] = [];
  const byCase = new Map<string, Received[]>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      for (;;) {
        const request = parseRequest(text);
        if (request === null) return;
        text = text.slice(request.end);
        received.push(request.received);
        const id = valuesOf(request.received, "x-case")[0] ?? "";
        byCase.set(id, [...(byCase.get(id) ?? []), request.received]);
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n");
        if (request.received.method !== "HEAD") socket.write("ok");
      }
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    ofCase: (id) => byCase.get(id) ?? [],
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function parseRequest(text: string): { received: Received; end: number } | null {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const { first, headers } = parseHead(text.slice(0, headEnd));
  const [method = "", ...rest] = first.split(" ");
  const target = rest.slice(0, -1).join(" ");
  const at = headEnd + 4;
  const [length] = valuesOf({ headers }, "content-length");
  if (valuesOf({ headers }, "transfer-encoding").length > 0) {
    const body = parseChunks(text, at);
    return body === null ? null : { received: { method, target, headers, body: body.text }, end: body.end };
  }
  const end = at + Number(length ?? 0);
  if (text.length < end) return null;
  return { received: { method, target, headers, body: text.slice(at, end) }, end };
}
