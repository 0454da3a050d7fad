/**
 * Every way in which bytes can go through a gateway: each passes the same decision, as a stream, both ways, and ends when
 * either side does.
 */
import { once } from "node:events";
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { acceptWebSocket } from "../support/echo-socket.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { policyText } from "../support/policy-text.ts";
import { canMeasure, growthDuring } from "../support/runtime-memory.ts";
import { exchange, requestText, valuesOf } from "../support/socket.ts";

const MEBIBYTE = 1024 * 1024;
const UPLOAD_BYTES = 100 * MEBIBYTE;
const CHUNK = Buffer.alloc(64 * 1024, 7);
const SOON = { timeout: 15_000, interval: 50 };

const ROUTES = {
  "GET /open/*": "{ public = true }",
  "OPTIONS /v1/asked": '{ all = ["streams:use"], resource = [] }',
  "* /v1/*": '{ all = ["streams:use"], resource = [] }',
  "GET /unbounded/*": '{ all = ["streams:use"], resource = [], connection = "unbounded" }',
};
const POLICY = {
  gateway: 'clock_skew = "0s"',
  revocation: 'refresh = "1s"',
  scopes: ["streams:use"],
  routes: ROUTES,
};

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let gateway: Gateway;
let withCors: Gateway;
let origin: Server;
let token: string;
/** What the origin does at a path; each test has its own. */
const handlers = new Map<string, Handler>();
const upgrades: { path: string; headers: IncomingMessage["headers"]; code?: number | null }[] = [];
let reached = 0;

beforeAll(async () => {
  origin = createServer((request, response) => {
    reached++;
    const handler = handlers.get(request.url?.split("?")[0] ?? "");
    if (handler === undefined) request.resume().on("end", () => response.end("plain"));
    else handler(request, response);
  });
  origin.on("upgrade", (request, socket) => {
    reached++;
    const seen: (typeof upgrades)[number] = { path: request.url ?? "", headers: request.headers };
    upgrades.push(seen);
    acceptWebSocket(request, socket, (code) => {
      seen.code = code;
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  const bindings = { ORIGIN_URL: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` };
  const cors =
    '[cors]\norigins = ["https://app.example.com"]\nmethods = ["GET", "PUT"]\nheaders = ["Authorization", "X-A"]\nmax_age = "10m"';
  gateway = await startGateway({ policy: policyText(POLICY), origin: null, bindings });
  const { signingKeys } = gateway;
  withCors = await startGateway({
    policy: policyText({ ...POLICY, tables: cors }),
    origin: null,
    bindings,
    signingKeys,
  });
  token = await gateway.token("streams:use");
});

afterAll(async () => {
  await Promise.all([gateway, withCors].map((one) => one?.dispose()));
  origin?.closeAllConnections();
  origin?.close();
});

function at(path: string, handler: Handler): string {
  handlers.set(path, handler);
  return path;
}

async function revoke(revoked: string): Promise<void> {
  const body = { kind: "token", value: revoked, reason: "a test" };
  const answer = await gateway.call(await gateway.token("scopegate:admin"), "POST", "/_scopegate/revocations", body);
  expect(answer.status).toBe(201);
}

/** A request that is written and read by hand. */
function open(method: string, path: string, headers: Record<string, string | number> = {}, bearer = token) {
  const request = httpRequest(gateway.url + path, {
    method,
    headers: { Authorization: `Bearer ${bearer}`, ...headers },
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
  });
  response.catch(() => undefined);
  return { request, response };
}

describe.concurrent("a WebSocket (RFC 6455)", () => {
  function connect(path: string, bearer: string | null, protocols: string[] = []): WebSocket {
    const headers = bearer === null ? {} : { Authorization: `Bearer ${bearer}` };
    const Connection = WebSocket as unknown as new (url: string, options: object) => WebSocket;
    const socket = new Connection(gateway.url.replace("http", "ws") + path, { headers, protocols });
    socket.binaryType = "arraybuffer";
    return socket;
  }

  function opened(socket: WebSocket): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error("it did not open")));
    });
  }

  function said(socket: WebSocket): Promise<unknown> {
    return new Promise((resolve) => socket.addEventListener("message", ({ data }) => resolve(data), { once: true }));
  }

  function ended(socket: WebSocket): Promise<number> {
    return new Promise((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  }

  test("passes with its subprotocol (RFC 6455 §1.9), text and bytes both ways, and the caller's identity", async () => {
    const socket = connect("/v1/socket", token, ["chat"]);
    await opened(socket);
    expect(socket.protocol).toBe("chat");
    const text = said(socket);
    socket.send("hello");
    expect(await text).toBe("hello");
    const bytes = said(socket);
    socket.send(new Uint8Array([0, 255, 128]));
    expect([...new Uint8Array((await bytes) as ArrayBuffer)]).toEqual([0, 255, 128]);
    const over = ended(socket);
    socket.close(4000, "done");
    expect(await over).toBe(4000);
    const seen = upgrades.find(({ path }) => path === "/v1/socket");
    expect(seen?.headers).toMatchObject({ "x-scopegate-subject": "tester", "x-scopegate-scopes": "streams:use" });
    await vi.waitFor(() => expect(seen?.code).toBe(4000), SOON);
  });

  test("is refused before the upgrade, without a token and without its scope", async () => {
    for (const [bearer, status] of [
      [null, 401],
      [await gateway.token(""), 403],
    ] as const) {
      const headers: [string, string][] = [
        ...([
          ["Host", "h.test"],
          ["Connection", "Upgrade"],
          ["Upgrade", "websocket"],
        ] as [string, string][]),
        ...([
          ["Sec-WebSocket-Version", "13"],
          ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
        ] as [string, string][]),
      ];
      if (bearer !== null) headers.push(["Authorization", `Bearer ${bearer}`]);
      const [response] = await exchange(gateway.url, requestText("GET", "/v1/never", headers));
      expect(response?.status).toBe(status);
    }
    expect(upgrades.filter(({ path }) => path === "/v1/never")).toEqual([]);
  });

  test("is closed with 1008 on both sides when its token is revoked", async () => {
    const mine = await gateway.token("streams:use");
    const socket = connect("/v1/revoked", mine);
    await opened(socket);
    const over = ended(socket);
    await revoke(mine);
    expect(await over).toBe(1008);
    await vi.waitFor(() => expect(upgrades.find(({ path }) => path === "/v1/revoked")?.code).toBe(1008), SOON);
  });

  test("is closed with 1008 when its token expires", async () => {
    const socket = connect("/v1/expired", await gateway.token("streams:use", { lifetimeSeconds: 3 }));
    await opened(socket);
    expect(await ended(socket)).toBe(1008);
  });

  test('outlives its token where the route says connection = "unbounded"', async () => {
    const socket = connect("/unbounded/socket", await gateway.token("streams:use", { lifetimeSeconds: 2 }));
    await opened(socket);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const answer = said(socket);
    socket.send("still here");
    expect(await answer).toBe("still here");
    socket.close();
  });
});

describe.concurrent("server-sent events", () => {
  test("arrive one by one, as the origin sends them", async () => {
    let next: () => void = () => undefined;
    const path = at("/v1/events", (_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      let count = 0;
      next = () => response.write(`data: ${++count}\n\n`);
      next();
    });
    const response = await gateway.call(token, "GET", path);
    const reader = response.body?.getReader();
    for (let count = 1; count <= 3; count++) {
      const chunk = await reader?.read();
      expect(new TextDecoder().decode(chunk?.value)).toBe(`data: ${count}\n\n`);
      next();
    }
    await reader?.cancel();
  });

  test("end when the token is revoked", async () => {
    const path = at("/v1/revoked-events", (_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write("data: 1\n\n");
    });
    const mine = await gateway.token("streams:use");
    const response = await gateway.call(mine, "GET", path);
    await revoke(mine);
    expect(await response.text()).toBe("data: 1\n\n");
  });
});

describe("HEAD and OPTIONS", () => {
  test("HEAD is forwarded as HEAD, and its answer keeps its length (RFC 9110 §9.3.2)", async () => {
    let method = "";
    const path = at("/v1/head", (request, response) => {
      method = request.method ?? "";
      response.writeHead(200, { "Content-Length": 12345, ETag: '"h"' }).end();
    });
    const [response] = await exchange(
      gateway.url,
      requestText("HEAD", path, [
        ["Host", "h.test"],
        ["Authorization", `Bearer ${token}`],
      ]),
      { head: true },
    );
    expect(method).toBe("HEAD");
    expect(response && [response.status, valuesOf(response, "etag"), response.body]).toEqual([200, ['"h"'], ""]);
  });

  test("OPTIONS is a call like any other (RFC 9110 §9.3.7)", async () => {
    expect((await gateway.fetch("/v1/asked", { method: "OPTIONS" })).status).toBe(401);
    expect((await gateway.call(token, "OPTIONS", "/v1/asked")).status).toBe(200);
    expect((await gateway.fetch("/open/x", { method: "OPTIONS" })).status).toBe(405);
  });
});

describe("CORS (Fetch standard §3.2)", () => {
  const preflight = { "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization" };
  const friend = { Origin: "https://app.example.com" };

  test.each(["/v1/asked", "/v1/x", "/open/x", "/nowhere", "/_scopegate/tokens", "/v1//x"])(
    "a preflight of %s is answered by the gateway and never reaches the origin",
    async (path) => {
      const before = reached;
      const response = await withCors.fetch(path, { method: "OPTIONS", headers: { ...friend, ...preflight } });
      expect(response.status).toBe(204);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "access-control-allow-origin": "https://app.example.com",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "Authorization, X-A",
        "access-control-max-age": "600",
        vary: expect.stringMatching(/origin/i),
      });
      expect(response.headers.has("access-control-allow-credentials")).toBe(false);
      expect(reached).toBe(before);
    },
  );

  test.each([
    "https://app.example.com.evil.test",
    "https://evil.test",
    "http://app.example.com",
    "null",
    "https://APP.example.com",
  ])("a page of %s is given no leave", async (foreign) => {
    for (const init of [
      { method: "OPTIONS", headers: { Origin: foreign, ...preflight } },
      { headers: { Origin: foreign } },
    ]) {
      const response = await withCors.fetch("/v1/x", init);
      expect([...response.headers.keys()].filter((name) => name.startsWith("access-control-allow"))).toEqual([]);
      expect(response.headers.get("vary")).toMatch(/origin/i);
    }
  });

  test.each([
    ["a page that the policy does not name gets", { Origin: "https://evil.test" }],
    ["what no page asked for, and a browser may keep for one, has", {}],
  ])("%s no leave from the origin either", async (_, headers: Record<string, string>) => {
    at("/open/lax", (request, response) => {
      response.writeHead(200, {
        "Access-Control-Allow-Origin": request.headers["origin"] ?? "*",
        "Access-Control-Allow-Credentials": "true",
      });
      response.end();
    });
    const response = await withCors.fetch("/open/lax", { headers });
    expect(response.status).toBe(200);
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control-allow"))).toEqual([]);
    expect(response.headers.get("vary")).toMatch(/origin/i);
  });

  test("every answer to an allowed page says so, refusals too, and the origin's own leave gives way", async () => {
    at("/open/cors", (_, response) => {
      response.writeHead(200, {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Credentials": "true",
        Vary: "Accept",
      });
      response.end();
    });
    for (const [path, status] of [
      ["/open/cors", 200],
      ["/v1/x", 401],
      ["/nowhere", 404],
      ["/v1//x", 400],
    ] as const) {
      const response = await withCors.fetch(path, { headers: friend });
      expect(response.status).toBe(status);
      expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
      expect(response.headers.get("vary")).toMatch(/origin/i);
    }
  });

  test("without [cors] a preflight is a request like any other", async () => {
    for (const [path, status] of [
      ["/v1/asked", 401],
      ["/open/x", 405],
      ["/nowhere", 404],
    ] as const) {
      const response = await gateway.fetch(path, { method: "OPTIONS", headers: { ...friend, ...preflight } });
      expect(response.status).toBe(status);
      expect(response.headers.has("access-control-allow-origin")).toBe(false);
    }
  });
});

describe("bodies", () => {
  test("a range is asked for and answered as it is (RFC 9110 §14)", async () => {
    const path = at("/v1/range", (request, response) => {
      expect(request.headers).toMatchObject({ range: "bytes=2-4", "if-range": '"v"' });
      response.writeHead(206, { "Content-Range": "bytes 2-4/10", "Accept-Ranges": "bytes", ETag: '"v"' }).end("234");
    });
    const response = await gateway.call(token, "GET", path, undefined, { Range: "bytes=2-4", "If-Range": '"v"' });
    expect([response.status, response.headers.get("content-range"), await response.text()]).toEqual([
      206,
      "bytes 2-4/10",
      "234",
    ]);
  });

  test("Expect: 100-continue ends in the body's arrival (RFC 9110 §10.1.1), or in a refusal without it", async () => {
    let body = "";
    const path = at("/v1/expect", (request, response) => {
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => response.end("got it"));
    });
    const { request, response } = open("POST", path, { Expect: "100-continue", "Content-Length": 4 });
    const timer = setTimeout(() => request.end("body"), 1_000);
    request.once("continue", () => {
      clearTimeout(timer);
      request.end("body");
    });
    request.flushHeaders();
    expect((await response).statusCode).toBe(200);
    expect(body).toBe("body");
    const headers: [string, string][] = [
      ["Host", "h.test"],
      ["Expect", "100-continue"],
      ["Content-Length", "4"],
    ];
    const [refused] = await exchange(gateway.url, requestText("POST", path, headers));
    expect(refused?.status).toBe(401);
  });

  test("trailers are dropped, both ways (RFC 9110 §6.5.1)", async () => {
    let trailers: string[] = ["none was read"];
    const path = at("/v1/trailers", (request, response) => {
      request.resume().on("end", () => {
        trailers = request.rawTrailers;
        response.writeHead(200, { Trailer: "X-Sum" });
        response.write("body");
        response.addTrailers({ "X-Sum": "1" });
        response.end();
      });
    });
    const text = requestText(
      "POST",
      path,
      [
        ["Host", "h.test"],
        ["Authorization", `Bearer ${token}`],
        ["Transfer-Encoding", "chunked"],
        ["Trailer", "X-Scopegate-Subject"],
      ],
      "3\r\nabc\r\n0\r\nX-Scopegate-Subject: root\r\n\r\n",
    );
    const [response] = await exchange(gateway.url, text);
    expect(response?.status).toBe(200);
    expect(response?.body).toBe("body");
    expect(trailers).toEqual([]);
  });

  test("gRPC-web messages and their trailer frame come back byte for byte", async () => {
    const message = Buffer.from([0, 0, 0, 0, 3, 1, 2, 255]);
    const trailer = Buffer.concat([Buffer.from([0x80, 0, 0, 0, 15]), Buffer.from("grpc-status:0\r\n")]);
    const path = at("/v1/pkg.Service/Call", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        response.writeHead(200, { "Content-Type": "application/grpc-web+proto" });
        response.end(Buffer.concat([...chunks, trailer]));
      });
    });
    const response = await gateway.fetch(path, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1" },
      body: message,
    });
    expect(response.headers.get("content-type")).toBe("application/grpc-web+proto");
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.concat([message, trailer]));
  });

  test("an encoded body stays encoded (RFC 9110 §8.4)", async () => {
    const gzip = Buffer.from("1f8b080000000000000303000000000000000000", "hex");
    const path = at("/v1/gzip", (_, response) => {
      response.writeHead(200, { "Content-Encoding": "gzip", "Content-Type": "text/plain" }).end(gzip);
    });
    const { request, response } = open("GET", path, { "Accept-Encoding": "gzip" });
    request.end();
    const answer = await response;
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(Buffer.concat(await answer.toArray())).toEqual(gzip);
  });

  test("both directions stream at once: each piece is answered before the next is sent", async () => {
    const path = at("/v1/duplex", (request, response) => {
      response.writeHead(200);
      request.on("data", (chunk: Buffer) => response.write(String(chunk).toUpperCase()));
      request.on("end", () => response.end());
    });
    const { request, response } = open("POST", path);
    request.write("a");
    const answer = await response;
    for (const piece of ["a", "b", "c"]) {
      if (piece !== "a") request.write(piece);
      const [chunk] = (await once(answer, "data")) as [Buffer];
      expect(String(chunk)).toBe(piece.toUpperCase());
    }
    request.end();
    await once(answer, "end");
  });

  test.skipIf(!canMeasure)(
    "100 MB go up and down while the runtime's memory stays what it was (read from /proc)",
    async () => {
      let received = 0;
      const path = at("/v1/upload", (request, response) => {
        request.on("data", (chunk: Buffer) => {
          received += chunk.length;
        });
        request.on("end", () => sendMuch(response, UPLOAD_BYTES));
      });
      let sent = 0;
      const growth = await growthDuring(async () => {
        const { request, response } = open("PUT", path, { "Content-Type": "application/octet-stream" });
        await sendMuch(request, UPLOAD_BYTES);
        for await (const chunk of await response) sent += (chunk as Buffer).length;
      });
      expect([received, sent]).toEqual([UPLOAD_BYTES, UPLOAD_BYTES]);
      expect(growth).toBeLessThan(64 * MEBIBYTE);
    },
  );

  test("an origin that does not read holds the client back", async () => {
    const path = at("/v1/slow-reader", (request, response) => {
      request.pause();
      request.on("close", () => response.destroy());
    });
    const { request } = open("PUT", path);
    request.on("error", () => undefined);
    let written = 0;
    let stalled = 0;
    while (stalled < 20 && written < UPLOAD_BYTES) {
      if (request.writableLength < MEBIBYTE) {
        request.write(CHUNK);
        written += CHUNK.length;
        stalled = 0;
      } else {
        stalled++;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    request.destroy();
    expect(written).toBeLessThan(UPLOAD_BYTES / 2);
  });
});

describe("a client that goes away", () => {
  test("mid-upload takes the origin's request with it", async () => {
    let gone = false;
    const path = at("/v1/gone-up", (request) => {
      request.resume();
      request.on("close", () => {
        gone = !request.complete;
      });
    });
    const before = reached;
    const { request } = open("PUT", path, { "Content-Length": UPLOAD_BYTES });
    request.on("error", () => undefined);
    request.write(CHUNK);
    await vi.waitFor(() => expect(reached).toBeGreaterThan(before), SOON);
    request.destroy();
    await vi.waitFor(() => expect(gone).toBe(true), SOON);
  });

  test("mid-download takes the origin's response with it", async () => {
    let gone = false;
    const path = at("/v1/gone-down", (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(CHUNK), 10);
      response.on("close", () => {
        clearInterval(timer);
        gone = true;
      });
    });
    const { request, response } = open("GET", path);
    request.on("error", () => undefined);
    request.end();
    await once(await response, "data");
    request.destroy();
    await vi.waitFor(() => expect(gone).toBe(true), SOON);
  });

  test("from an event stream takes the origin's with it", async () => {
    let gone = false;
    const path = at("/v1/gone-events", (_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      const timer = setInterval(() => response.write("data: x\n\n"), 10);
      response.on("close", () => {
        clearInterval(timer);
        gone = true;
      });
    });
    const { request, response } = open("GET", path);
    request.on("error", () => undefined);
    request.end();
    await once(await response, "data");
    request.destroy();
    await vi.waitFor(() => expect(gone).toBe(true), SOON);
  });
});

/** Writes so many bytes and the end, at the pace of the reader. */
async function sendMuch(to: NodeJS.WritableStream, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += CHUNK.length) if (!to.write(CHUNK)) await once(to, "drain");
  to.end();
}
