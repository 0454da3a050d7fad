/**
 * The API behind all measured gateways, in a process of its own. `plain` answers each request with the same few bytes and only
 * looks for the request's end, so that it is never the bottleneck.
 *
 *     node bench/origin.ts        plain: requests without bodies, counted by their blank lines
 *     node bench/origin.ts full   node:http: accepts bodies, serves N bytes at /v1/files/N, event streams at /v1/events/…
 */
import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { type AddressInfo, createServer } from "node:net";

const BODY = '{"id":"item","name":"An item of the benchmark","amount":1234}';
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
);
const CHUNK = Buffer.alloc(64 * 1024, "x");

const server = process.argv[2] === "full" ? full() : plain();
server.listen(0, "127.0.0.1", () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on("disconnect", () => process.exit(0));

function plain() {
  return createServer((socket) => {
    socket.setNoDelay(true);
    let seen = 0;
    socket.on("data", (chunk) => {
      // A request ends with CR LF CR LF; `seen` counts how many of these bytes were just read.
      for (const byte of chunk) {
        if (byte === 13) seen = seen === 2 ? 3 : 1;
        else if (byte === 10 && (seen === 1 || seen === 3)) seen++;
        else seen = 0;
        if (seen !== 4) continue;
        seen = 0;
        socket.write(ANSWER);
      }
    });
    socket.on("error", () => socket.destroy());
  });
}

function full() {
  return createHttpServer((request, response) => {
    const path = request.url ?? "";
    if (path.startsWith("/v1/events/")) {
      events(response);
      return;
    }
    const bytes = /^\/v1\/files\/(\d+)$/.exec(path)?.[1];
    let received = 0;
    request.on("data", (chunk: Buffer) => (received += chunk.length));
    request.on("end", () => {
      if (bytes === undefined || request.method !== "GET") response.end(String(received));
      else send(response, Number(bytes));
    });
  });
}

function send(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": bytes });
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const chunk = left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left);
      left -= chunk.length;
      if (!response.write(chunk)) {
        response.once("drain", more);
        return;
      }
    }
    response.end();
  };
  more();
}

function events(response: ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const send = (): void => {
    response.write(`data: ${Date.now()}\n\n`);
  };
  send();
  const timer = setInterval(send, 1000);
  response.on("close", () => clearInterval(timer));
}
