import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { createServer } from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { headersOf, type Running, sendRaw, startForwarder, startOrigin } from "./harness.ts";

let origin: { server: Server; url: string };
let forwarder: Running;
/** What the last request to the origin looked like, and what became of it. */
let last: { request: IncomingMessage; closed: Promise<unknown> };

beforeAll(async () => {
  origin = await startOrigin((request, response) => {
    last = { request, closed: new Promise((resolve) => request.on("error", () => undefined).on("close", resolve)) };
    const path = (request.url ?? "").split("?")[0];
    switch (path) {
      case "/base/redirect":
        response.writeHead(302, { Location: "https://elsewhere.test/" }).end();
        return;
      case "/base/error":
        response.writeHead(503, { "Retry-After": "7", "X-Origin": "yes" }).end("down");
        return;
      case "/base/silent":
        return;
      case "/base/slow-body":
        response.write("first,");
        setTimeout(() => response.end("last"), 700);
        return;
      case "/base/dies":
        response.writeHead(200, { "Content-Length": "10" }).write("half");
        setTimeout(() => response.destroy(), 50);
        return;
      case "/base/gzip":
        response.writeHead(200, { "Content-Encoding": "gzip", "Content-Type": "text/plain" }).end(gzipSync("packed"));
        return;
      case "/base/echo-stream":
        response.writeHead(200);
        request.pipe(response);
        return;
      case "/base/cookies":
        response.writeHead(
          200,
          [
            ["Set-Cookie", "a=1"],
            ["Set-Cookie", "b=2"],
            ["Vary", "Accept"],
            ["Access-Control-Allow-Origin", "*"],
            ["Access-Control-Allow-Credentials", "true"],
          ].flat(),
        );
        response.end("ok");
        return;
      case "/base/proxy-hop":
        response
          .writeHead(407, { "Proxy-Authenticate": "Basic", "Proxy-Connection": "keep-alive", "X-Kept": "1" })
          .end();
        return;
      case "/base/proxy-ok":
        response.writeHead(200, { "Proxy-Authenticate": "Basic", "X-Kept": "1" }).end("ok");
        return;
      case "/base/partial":
        response.writeHead(206, { "Content-Range": "bytes 0-1/10" }).end("ab");
        return;
      case "/base/empty":
        response.writeHead(204).end();
        return;
      default:
        request.resume().on("end", () => response.end("ok"));
    }
  });
  forwarder = await startForwarder(`${origin.url}/base/`);
});

afterAll(async () => {
  await forwarder.stop();
  origin.server.closeAllConnections();
  origin.server.close();
});

const get = (path: string, init: RequestInit = {}) =>
  fetch(new URL(path, forwarder.url), { redirect: "manual", ...init });

describe("what the origin receives", () => {
  test("is the canonical path behind the origin's own, and the query as it came", async () => {
    await sendRaw(
      forwarder.url,
      "GET /v1/%7euser/caf%c3%a9?a=%26&a=/../x+y HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n",
    );
    expect(last.request.url).toBe("/base/v1/~user/caf%C3%A9?a=%26&a=/../x+y");
    expect(headersOf(last.request)["host"]).toBe(new URL(origin.url).host);
  });

  test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("has the method %s", async (method) => {
    expect((await get("/v1/a", { method })).status).toBe(200);
    expect(last.request.method).toBe(method);
  });

  test("is not told to bypass its own caches", async () => {
    await get("/v1/a");
    expect(headersOf(last.request)).not.toHaveProperty("cache-control");
    expect(headersOf(last.request)).not.toHaveProperty("pragma");
  });

  test("has the length of a body that has one", async () => {
    await get("/v1/a", { method: "POST", body: "abc" });
    expect(headersOf(last.request)["content-length"]).toBe("3");
    await sendRaw(
      forwarder.url,
      "GET /v1/search HTTP/1.1\r\nHost: h.test\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    );
    expect(last.request.method).toBe("GET");
    expect(headersOf(last.request)["content-length"]).toBe("3");
  });

  test("comes with who calls, spelt in ASCII", async () => {
    await get("/v1/a", { headers: { "CF-Connecting-IP": "10.1.2.3" } });
    expect(headersOf(last.request)).toMatchObject({
      "x-scopegate-subject": "Zo%C3%AB 100%25",
      "x-scopegate-issuer": "https://login.example.com/",
      "x-scopegate-token-id": "jti-1",
      "x-scopegate-scopes": "charges:read charges:write",
      "x-forwarded-host": forwarder.url.host,
      "x-forwarded-proto": "http",
      "x-request-id": "request-1",
    });
    expect(headersOf(last.request)).not.toHaveProperty("x-scopegate-client");
    expect(headersOf(last.request)).toHaveProperty("x-forwarded-for");
  });

  test("has no identity on a public call, not even a client's word", async () => {
    await get("/v1/a", { headers: { "X-Test": "public", "X-Scopegate-Subject": "admin", X_Scopegate_Scopes: "all" } });
    expect(Object.keys(headersOf(last.request)).filter((name) => /scopegate/.test(name))).toEqual([]);
  });

  test("has no header that Connection names, but all that the gateway set", async () => {
    await sendRaw(
      forwarder.url,
      "GET /v1/a HTTP/1.1\r\nHost: h.test\r\nX-User: 1\r\nAuthorization: Bearer x\r\nContent-Type: text/plain\r\n" +
        "Connection: close, X-User, Authorization, Content-Type, Host, X-Scopegate-Subject, X-Forwarded-For, cf-connecting-ip, \u0001bad\r\n" +
        "CF-Connecting-IP: 10.1.2.3\r\n\r\n",
    );
    const seen = headersOf(last.request);
    expect(seen).not.toHaveProperty("x-user");
    expect(seen).toMatchObject({ authorization: "Bearer x", "content-type": "text/plain" });
    expect(seen).toHaveProperty("x-scopegate-subject");
    expect(seen).toHaveProperty("x-forwarded-for");
  });

  test("may be told nothing of the token, nor what the operator removes", async () => {
    await get("/v1/a", {
      headers: {
        "X-Test": "remove",
        Authorization: "Bearer secret",
        "X-User-Id": "1",
        X_User_Id: "1",
        "X-Auth-Roles": "admin",
        "X_Auth-Roles": "admin",
        "X-Legacy-Name": "1",
        "X-Kept": "1",
      },
    });
    const seen = headersOf(last.request);
    for (const name of Object.keys(seen)) expect(name).not.toMatch(/^(?:authorization|x[-_](?:user|auth|legacy).*)$/);
    expect(seen["x-kept"]).toBe("1");
  });

  test("sees the client's host where only a service is bound", async () => {
    const response = await get("/v1/a?x=1", { method: "POST", body: "abc", headers: { "X-Test": "bound" } });
    expect(await response.json()).toMatchObject({ url: `${forwarder.url}v1/a?x=1`, method: "POST", body: "abc" });
  });

  test("gets request.cf where it is a bound Worker, as from any other Worker", async () => {
    const response = await get("/v1/a", { headers: { "X-Test": "bound" } });
    expect(await response.json()).toMatchObject({ country: expect.any(String) });
  });
});

describe("what the client receives", () => {
  test("is a redirect, not what it leads to", async () => {
    const response = await get("/redirect");
    expect([response.status, response.headers.get("Location")]).toEqual([302, "https://elsewhere.test/"]);
  });

  test.each([
    ["/error", 503, "down"],
    ["/partial", 206, "ab"],
    ["/empty", 204, ""],
  ])("is the origin's own answer: %s %i", async (path, status, body) => {
    const response = await get(path);
    expect([response.status, await response.text()]).toEqual([status, body]);
  });

  test("has the origin's headers, with more where the gateway adds some", async () => {
    const response = await get("/cookies", { headers: { "X-Test": "extra" } });
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.headers.get("Vary")).toBe("Accept, Origin");
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example.com");
    expect(response.headers.get("Access-Control-Allow-Credentials")).toBe(null);
    expect(response.headers.get("Sunset")).toBe("Sat, 01 Jan 2028 00:00:00 GMT");
    expect(await response.text()).toBe("ok");
  });

  test.each([[""], ["extra"]])("is a compressed body as it was compressed (%s)", async (words) => {
    const raw = await sendRaw(
      forwarder.url,
      `GET /gzip HTTP/1.1\r\nHost: h.test\r\nAccept-Encoding: gzip\r\nX-Test: ${words}\r\nConnection: close\r\n\r\n`,
    );
    const [head = "", body = ""] = raw.split("\r\n\r\n");
    expect(head.toLowerCase()).toContain("content-encoding: gzip");
    const packed = /chunked/i.test(head) ? unchunked(raw.slice(head.length + 4)) : body;
    expect(gunzipSync(Buffer.from(packed, "latin1")).toString()).toBe("packed");
  });

  test("has no header that belongs to the hop before", async () => {
    for (const path of ["/proxy-hop", "/proxy-ok"]) {
      const fromNetwork = await sendRaw(
        forwarder.url,
        `GET ${path} HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n`,
      );
      expect(fromNetwork).toContain("X-Kept: 1");
      expect(fromNetwork).not.toMatch(/proxy-/i);
    }
    const fromWorker = await get("/hop", { headers: { "X-Test": "bound" } });
    expect([fromWorker.headers.get("X-Internal"), fromWorker.headers.get("X-Kept")]).toEqual([null, "1"]);
  });

  test("is the first byte before the last one is sent, both ways", async () => {
    const upload = httpRequest(String(new URL("/echo-stream", forwarder.url)), { method: "POST" });
    upload.write("one");
    const [response] = (await once(upload, "response")) as [IncomingMessage];
    const received: string[] = [];
    for await (const data of response) {
      received.push(String(data));
      if (received.length === 1) upload.end("two");
    }
    expect(received).toEqual(["one", "two"]);
  });
});

describe("an origin that fails", () => {
  test("by silence is a timeout, and its request is cancelled", async () => {
    const response = await get("/silent?short");
    expect(await response.text()).toBe("origin_timeout");
    await last.closed;
  });

  test("by a slow body is no timeout", async () => {
    expect(await (await get("/slow-body?short")).text()).toBe("first,last");
  });

  test("by dying in its body ends the client's body too", async () => {
    const response = await get("/dies");
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });

  test.each([
    ["refuses connections", null],
    ["closes without a word", ""],
    ["does not speak HTTP", "220 smtp.test ready\r\n"],
  ])("because it %s is unreachable", async (_, words) => {
    const server = createServer((socket) => socket.on("error", () => undefined).end(words ?? ""));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    if (words === null) await new Promise((resolve) => server.close(resolve));
    const alone = await startForwarder(`http://127.0.0.1:${port}`);
    try {
      expect(await (await fetch(new URL("/v1/a", alone.url))).text()).toBe("origin_unreachable");
    } finally {
      await alone.stop();
      server.close();
    }
  });

  test("as a bound Worker that throws is unreachable, and what it threw is not told", async () => {
    expect(await (await get("/throw", { headers: { "X-Test": "bound" } })).text()).toBe("origin_unreachable");
  });

  test("after a client went away mid-upload loses the request too", async () => {
    const upload = httpRequest(String(new URL("/echo-stream", forwarder.url)), { method: "POST" }).on(
      "error",
      () => undefined,
    );
    upload.write("one");
    const [response] = (await once(upload, "response")) as [IncomingMessage];
    response.on("error", () => undefined);
    const { closed } = last;
    upload.destroy();
    await closed;
  });
});

/** The data of a chunked body (RFC 9112 §7.1). */
function unchunked(body: string): string {
  let data = "";
  for (let at = 0; ; ) {
    const end = body.indexOf("\r\n", at);
    const size = Number.parseInt(body.slice(at, end), 16);
    if (!(size > 0)) return data;
    data += body.slice(end + 2, end + 2 + size);
    at = end + 4 + size;
  }
}
