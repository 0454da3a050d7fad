/**
 * The demo API behind the gateway: answers every call with what it received, so that one sees what an API gets to see.
 *
 * Listens on loopback only. Leaves every check to the gateway in front of it: that is the point.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const BODY_SHOWN_BYTES = 4096;

/** Starts the demo API on a port of 127.0.0.1; 0 takes any that is free. Resolves with its URL. */
export function startOrigin(port: number): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0];
    if (path === "/v1/teams/demo/events") events(response);
    else echo(request, response);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server });
    });
  });
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  let shown = "";
  request.on("data", (chunk: Buffer) => {
    if (bytes < BODY_SHOWN_BYTES) shown += chunk.subarray(0, BODY_SHOWN_BYTES - bytes).toString("utf8");
    bytes += chunk.length;
  });
  request.on("end", () => {
    const received = { method: request.method, path: request.url, headers: request.headers };
    const body = bytes === 0 ? {} : { body: shown, body_bytes: bytes };
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(`${JSON.stringify({ served_by: "demo origin", received: { ...received, ...body } }, null, 2)}\n`);
  });
}

/** An event a second, until the client or the gateway hangs up. */
function events(response: ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  let count = 0;
  const send = (): void => {
    response.write(`data: {"event":${++count}}\n\n`);
  };
  send();
  const timer = setInterval(send, 1000);
  response.on("close", () => clearInterval(timer));
}
