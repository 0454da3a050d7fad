import { once } from "node:events";
import type { Server } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Running, startForwarder, startOrigin } from "./harness.ts";

let origin: { server: Server; url: string };
let forwarder: Running;
let streamsClosed = 0;

beforeAll(async () => {
  origin = await startOrigin((request, response) => {
    if (request.url?.startsWith("/finite")) {
      response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" }).end("data: only\n\n");
      return;
    }
    if (request.url?.startsWith("/plain")) {
      response.writeHead(200, { "Content-Type": "text/plain" }).write("a");
      setTimeout(() => response.end("b"), 600);
      return;
    }
    response.writeHead(200, { "Content-Type": "text/event-stream", "X-Origin": "yes" });
    let count = 0;
    const timer = setInterval(() => response.write(`data: ${++count}\n\n`), 50);
    response.on("close", () => {
      streamsClosed++;
      clearInterval(timer);
    });
  });
  forwarder = await startForwarder(origin.url);
});

afterAll(async () => {
  await forwarder.stop();
  origin.server.closeAllConnections();
  origin.server.close();
});

const control = async (query = ""): Promise<{ checks: number }> =>
  (await fetch(new URL(`/control${query}`, forwarder.url))).json() as Promise<{ checks: number }>;
afterEach(() => control());

async function open(query: string): Promise<WebSocket> {
  const socket = new WebSocket(String(new URL(`/socket?${query}`, forwarder.url.href.replace("http:", "ws:"))));
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  return socket;
}

async function closed(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [{ code, reason }] = (await once(socket, "close")) as [{ code: number; reason: string }];
  return { code, reason };
}

async function echo(socket: WebSocket, data: string | ArrayBuffer): Promise<unknown> {
  const answer = once(socket, "message");
  socket.send(data);
  return ((await answer) as [{ data: unknown }])[0].data;
}

describe.each([["bound"], ["bound,guarded"]])("a WebSocket (%s)", (words) => {
  test("passes text and binary frames as they are", async () => {
    const socket = await open(words);
    expect(await echo(socket, "zoë")).toBe("zoë");
    expect(await echo(socket, "")).toBe("");
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index & 255);
    const answer = await echo(socket, bytes.buffer);
    expect(answer).toBeInstanceOf(ArrayBuffer);
    expect(Buffer.compare(Buffer.from(answer as ArrayBuffer), Buffer.from(bytes))).toBe(0);
    socket.close();
  });

  test("keeps the order of many frames", async () => {
    const socket = await open(words);
    const received: unknown[] = [];
    const all = new Promise<void>((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        received.push(data);
        if (received.length === 500) resolve();
      });
    });
    for (let index = 0; index < 500; index++) socket.send(`frame ${index}`);
    await all;
    expect(received).toEqual(Array.from({ length: 500 }, (_, index) => `frame ${index}`));
    socket.close();
  });

  test("comes to the origin with the gateway's headers", async () => {
    const socket = await open(words);
    const headers = new Map(JSON.parse(String(await echo(socket, "how"))) as [string, string][]);
    expect(headers.get("upgrade")).toBe("websocket");
    expect(headers.get("x-scopegate-token-id")).toBe("jti-1");
    socket.close();
  });

  test("ends with the origin's close code", async () => {
    const socket = await open(words);
    const end = closed(socket);
    socket.send("close me");
    expect(await end).toEqual({ code: 4001, reason: "as asked" });
  });

  test("tells the origin the client's close code", async () => {
    const socket = await open(words);
    const end = closed(socket);
    socket.close(4002, "bye");
    expect(await end).toMatchObject({ code: 4002 });
    await expect
      .poll(async () => (await fetch(new URL("/closed", forwarder.url), { headers: { "X-Test": "bound" } })).json())
      .toBe(4002);
  });
});

describe("a guarded WebSocket", () => {
  test("is closed with 1008 on both sides once its token is revoked", async () => {
    const socket = await open("bound,guarded");
    const end = closed(socket);
    expect(await echo(socket, "still here")).toBe("still here");
    await control("?revoke");
    expect(await end).toEqual({ code: 1008, reason: "the token is no longer good" });
    await expect
      .poll(async () => (await fetch(new URL("/closed", forwarder.url), { headers: { "X-Test": "bound" } })).json())
      .toBe(1008);
  });

  test.each([
    ["its token expires, long before the next check", "brief"],
    ["nobody can say whether its token is good", "failing"],
    ["the answer does not come within an interval", "hanging"],
  ])("is closed when %s", async (_, word) => {
    expect(await closed(await open(`bound,guarded,${word}`))).toMatchObject({ code: 1008 });
  });

  test("is not asked about once it has ended", async () => {
    const socket = await open("bound,guarded");
    await expect.poll(async () => (await control()).checks).toBeGreaterThan(0);
    const end = closed(socket);
    socket.close();
    await end;
    await new Promise((resolve) => setTimeout(resolve, 150));
    const { checks } = await control();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect((await control()).checks).toBe(checks);
  });
});

describe("an event stream", () => {
  test("arrives event by event", async () => {
    const response = await fetch(new URL("/events?guarded", forwarder.url));
    expect(response.headers.get("Content-Type")).toBe("text/event-stream");
    expect(response.headers.get("X-Origin")).toBe("yes");
    const reader = (response.body ?? new ReadableStream()).getReader();
    let text = "";
    while (!text.includes("data: 3\n\n")) text += new TextDecoder().decode((await reader.read()).value);
    expect(text.startsWith("data: 1\n\ndata: 2\n\n")).toBe(true);
    await reader.cancel();
  });

  test("ends, at the client and at the origin, once its token is revoked", async () => {
    const before = streamsClosed;
    const response = await fetch(new URL("/events?guarded", forwarder.url));
    setTimeout(() => void control("?revoke"), 200);
    expect(await response.text()).toMatch(/^data: 1\n\n/);
    await expect.poll(() => streamsClosed).toBeGreaterThan(before);
  });

  test.each([["brief"], ["failing"], ["hanging"]])("ends when its token may no longer be good (%s)", async (word) => {
    const response = await fetch(new URL(`/events?guarded,${word}`, forwarder.url));
    expect(await response.text()).toMatch(/^(?:data: \d+\n\n)*$/);
  });

  test("that ends by itself is whole", async () => {
    const response = await fetch(new URL("/finite?guarded", forwarder.url));
    expect(await response.text()).toBe("data: only\n\n");
  });

  test("ends at the origin when the client goes away", async () => {
    const before = streamsClosed;
    const response = await fetch(new URL("/events?guarded", forwarder.url));
    await response.body?.cancel();
    await expect.poll(() => streamsClosed, { timeout: 10_000 }).toBeGreaterThan(before);
  });
});

test("an answer that is neither outlives its token", async () => {
  const response = await fetch(new URL("/plain?guarded,brief", forwarder.url));
  expect(await response.text()).toBe("ab");
});
