/** Starts the forwarder of `forwarder.ts` in workerd before an origin of the test's own. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const COMPATIBILITY_DATE = "2026-10-01";
const QUIET_MILLISECONDS = 500;

/** A Worker behind the service binding: echoes what it got, and WebSocket messages. */
const BOUND = `export default { async fetch(request) {
  if (request.headers.get("Upgrade") === "websocket") {
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.binaryType = "arraybuffer";
    server.addEventListener("message", ({ data }) => {
      if (data === "close me") server.close(4001, "as asked");
      else if (data === "how") server.send(JSON.stringify([...request.headers]));
      else server.send(data);
    });
    server.addEventListener("close", ({ code }) => { globalThis.closed = code; });
    return new Response(null, { status: 101, webSocket: client, headers: { "X-Origin": "bound" } });
  }
  const { pathname } = new URL(request.url);
  if (pathname === "/throw") throw new Error("the origin's own secret");
  if (pathname === "/hop") return new Response("ok", { headers: { Connection: "X-Internal", "X-Internal": "1", "X-Kept": "1" } });
  if (pathname === "/closed") return Response.json(globalThis.closed ?? null);
  return Response.json({ url: request.url, method: request.method, headers: [...request.headers], country: request.cf?.country, body: await request.text() });
} };`;

export interface Running {
  readonly url: URL;
  readonly stop: () => Promise<void>;
}

export async function startOrigin(listener: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

export async function startForwarder(originUrl: string): Promise<Running> {
  const entryPoint = `${import.meta.dirname}/forwarder.ts`;
  const { outputFiles } = await build({ entryPoints: [entryPoint], bundle: true, format: "esm", write: false });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          name: "forwarder",
          modules: true,
          script: outputFiles[0]?.text ?? "",
          compatibilityDate: COMPATIBILITY_DATE,
          bindings: { ORIGIN_URL: originUrl },
          serviceBindings: { BOUND: "bound" },
        },
        { name: "bound", modules: true, script: BOUND, compatibilityDate: COMPATIBILITY_DATE },
      ],
    }),
  );
  return { url: await miniflare.ready, stop: () => miniflare.dispose() };
}

/** Sends bytes over a socket, as no client library would, and gives what comes back until it is quiet for a while. */
export function sendRaw(url: URL, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname, () => socket.write(text, "latin1"));
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (data) => {
      received += data;
      socket.setTimeout(QUIET_MILLISECONDS, () => socket.destroy());
    });
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
}

/** The headers of a request as they came over the wire, lower-case names. */
export function headersOf(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  const { rawHeaders } = request;
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers[(rawHeaders[at] ?? "").toLowerCase()] = rawHeaders[at + 1] ?? "";
  return headers;
}
