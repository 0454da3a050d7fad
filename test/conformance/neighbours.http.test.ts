/**
 * Broken neighbours: an origin, issuers, D1 and KV that fail, hang and lie. Each time the right answer, in bounded time, with
 * nothing forwarded that was not decided, and recovery without a restart.
 */

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { FAULTY_ENTRY, type Fault, setFaults } from "../support/faulty-bindings.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { type Issuer, startIssuer } from "../support/issuer.ts";
import { AUDIENCE, policyText } from "../support/policy-text.ts";
import { canMeasure, growthDuring } from "../support/runtime-memory.ts";

const MEBIBYTE = 1024 * 1024;
/** 1 GB with SCOPEGATE_STREAM_MIB=1024. */
const STREAM_MIB = Number(process.env["SCOPEGATE_STREAM_MIB"] ?? 300);
const RECOVERY = { timeout: 30_000, interval: 300 };
/** Longer than any wait inside the gateway, with a slow machine on top. */
const BOUND_MILLISECONDS = 20_000;

const ISSUERS = [
  "slow",
  "garbage",
  "failing",
  "redirecting",
  "impostor",
  "huge",
  "many",
  "empty",
  "dripping",
  "wrong",
] as const;

let gateway: Gateway;
let issuers: Record<(typeof ISSUERS)[number], Issuer>;
let origin: Server;
let port: number;
const sockets = new Set<Socket>();
/** The request lines that reached the origin. */
const received: string[] = [];
/** What the origin says at a path, to the byte; each test has its own. */
const scripts = new Map<string, (socket: Socket) => void>();

beforeAll(async () => {
  await startOrigin(0);
  const started = ISSUERS.map(
    async (name) => [name, await startIssuer({ audience: AUDIENCE, scopes: ["charges:read"] })] as const,
  );
  issuers = Object.fromEntries(await Promise.all(started)) as typeof issuers;
  const tables = Object.values(issuers).map(
    ({ issuer }) => `[[issuers]]\nissuer = "${issuer}"\naudience = "${AUDIENCE}"\n`,
  );
  gateway = await startGateway({
    entry: FAULTY_ENTRY,
    origin: null,
    bindings: { ORIGIN_URL: `http://127.0.0.1:${port}` },
    policy: policyText({
      origin: 'timeout = "2s"',
      revocation: 'refresh = "1s"\nmax_staleness = "3s"',
      tables: tables.join("\n"),
      scopes: ["charges:read"],
      routes: {
        "GET /open/*": "{ public = true }",
        "GET /v1/strict": '{ all = ["charges:read"], resource = [], revocation = "strict" }',
        "* /v1/*": '{ all = ["charges:read"], resource = [] }',
      },
    }),
  });
});

afterAll(async () => {
  await gateway?.dispose();
  await Promise.all(Object.values(issuers ?? {}).map((issuer) => issuer.close()));
  await stopOrigin();
});

async function startOrigin(at: number): Promise<void> {
  origin = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let head = "";
    socket.on("data", (chunk) => {
      if (head.includes("\r\n\r\n")) return;
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      const line = head.split("\r\n")[0] ?? "";
      received.push(line);
      const script = scripts.get(line.split(" ")[1] ?? "");
      if (script === undefined) socket.end("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine");
      else script(socket);
    });
  });
  await new Promise<void>((resolve) => origin.listen(at, "127.0.0.1", resolve));
  port = (origin.address() as AddressInfo).port;
}

function stopOrigin(): Promise<void> {
  return new Promise((resolve) => {
    for (const socket of sockets) socket.destroy();
    origin.close(() => resolve());
  });
}

function at(path: string, script: (socket: Socket) => void): string {
  scripts.set(path, script);
  return path;
}

/** The status, and the reason where it is a refusal; `null` where the body did not come to its end. */
async function ask(
  path: string,
  token: string | null = null,
): Promise<{ status: number; text: string | null; retryAfter: string | null }> {
  const response = await gateway.fetch(path, {
    headers: token === null ? {} : { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(BOUND_MILLISECONDS),
  });
  const text = await response.text().catch(() => null);
  return { status: response.status, text, retryAfter: response.headers.get("retry-after") };
}

function refusal(reason: string, status: number) {
  return { status, text: expect.stringContaining(`"reason":"${reason}"`) };
}

describe("an origin", () => {
  test.each<[string, string]>([
    ["hangs up without a word", ""],
    ["speaks another protocol", "SSH-2.0-OpenSSH_9.9\r\n"],
    ["answers garbage", "\x00\x01\x02\x03\r\n\r\n"],
    ["has no status", "HTTP/1.1\r\n\r\n"],
    ["has a status that is none", "HTTP/1.1 abc OK\r\n\r\n"],
    ["breaks off in its headers", "HTTP/1.1 200 OK\r\nContent-Len"],
    ["has a header without a name", "HTTP/1.1 200 OK\r\n: value\r\nContent-Length: 0\r\n\r\n"],
    ["gives a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: lots\r\n\r\nx"],
  ])("that %s is a 502", async (name, bytes) => {
    const path = at(`/open/${name.replaceAll(" ", "-")}`, (socket) => socket.end(Buffer.from(bytes, "latin1")));
    expect(await ask(path)).toMatchObject(refusal("origin_unreachable", 502));
  });

  test.each<[string, string]>([
    ["dies in a body of known length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"],
    ["dies in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n12345"],
    ["dies between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"],
    ["sends a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n"],
    [
      "sends a chunk longer than its size",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n12345\r\n0\r\n\r\n",
    ],
  ])("that %s leaves the client's answer unfinished, never whole", async (name, bytes) => {
    const path = at(`/open/${name.replaceAll(" ", "-")}`, (socket) => socket.end(bytes));
    const { status, text } = await ask(path);
    expect(status === 200 ? text : null).toBeNull();
  });

  test("that answers in HTTP/1.0, until it hangs up, is understood (RFC 9112 §6.3)", async () => {
    const path = at("/open/old", (socket) =>
      socket.end("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold and fine"),
    );
    expect(await ask(path)).toMatchObject({ status: 200, text: "old and fine" });
  });

  test("that says what is to come before it answers is understood (RFC 8297 §2)", async () => {
    const path = at("/open/hints", (socket) =>
      socket.end("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"),
    );
    expect(await ask(path)).toMatchObject({ status: 200, text: "fine" });
  });

  test("that hangs before its headers is a 504, and its request is let go", async () => {
    let gone = false;
    const path = at("/open/hangs", (socket) =>
      socket.on("close", () => {
        gone = true;
      }),
    );
    expect(await ask(path)).toMatchObject(refusal("origin_timeout", 504));
    await vi.waitFor(() => expect(gone).toBe(true), { timeout: 10_000 });
  });

  test("that hangs after its headers is its client's to wait for: the timeout ends with the headers", async () => {
    const path = at("/open/late", (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nlate");
      setTimeout(() => socket.end("rest"), 3_000);
    });
    expect(await ask(path)).toMatchObject({ status: 200, text: "laterest" });
  });

  test("that refuses connections is a 502, until it is back", async () => {
    await stopOrigin();
    expect(await ask("/open/x")).toMatchObject(refusal("origin_unreachable", 502));
    expect(await ask("/v1/x", await gateway.token("charges:read"))).toMatchObject(refusal("origin_unreachable", 502));
    await startOrigin(port);
    await vi.waitFor(async () => expect(await ask("/open/x")).toMatchObject({ status: 200, text: "fine" }), RECOVERY);
  });

  test.skipIf(!canMeasure)(`that sends ${STREAM_MIB} MiB fills no memory (read from /proc)`, async () => {
    const bytes = STREAM_MIB * MEBIBYTE;
    const path = at("/open/much", (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
      const chunk = Buffer.alloc(256 * 1024);
      let sent = 0;
      const more = (): void => {
        while (sent < bytes) {
          sent += chunk.length;
          if (!socket.write(chunk)) break;
        }
        if (sent < bytes) socket.once("drain", more);
        else socket.end();
      };
      more();
    });
    let read = 0;
    const growth = await growthDuring(async () => {
      const response = await gateway.fetch(path);
      for await (const chunk of response.body ?? []) read += chunk.length;
    });
    expect(read).toBe(bytes);
    expect(growth).toBeLessThan(64 * MEBIBYTE);
  });
});

describe.concurrent("an issuer", () => {
  type Answer = Parameters<Issuer["answerInstead"]>[0];
  const json =
    (body: string): Answer =>
    (_, response) =>
      response.setHeader("Content-Type", "application/json").end(body);

  test.for<[name: keyof typeof issuers, what: string, answer: (self: Issuer, others: typeof issuers) => Answer]>([
    ["slow", "that never answers", () => () => undefined],
    [
      "dripping",
      "that sends its answer byte by byte",
      () => (_, response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write(" "), 100);
        response.on("close", () => clearInterval(timer));
      },
    ],
    ["garbage", "that answers garbage", () => json("<html>{not json")],
    ["failing", "that answers 500", () => (_, response) => response.writeHead(500).end("{}")],
    [
      "redirecting",
      "that redirects to keys that are good",
      (self) => (request, response) => {
        if (request.url === "/moved")
          json(JSON.stringify({ issuer: self.issuer, jwks_uri: `${self.issuer}/jwks` }))?.(request, response);
        else response.writeHead(302, { Location: "/moved" }).end();
      },
    ],
    [
      "impostor",
      "that answers another issuer's discovery document (OpenID Connect Discovery 1.0 §4.3)",
      (_, others) => json(JSON.stringify({ issuer: others.wrong.issuer, jwks_uri: `${others.wrong.issuer}/jwks` })),
    ],
    ["huge", "whose answer has 10 MB", () => json(`{"keys":[],"x":"${"x".repeat(10 * MEBIBYTE)}"}`)],
    [
      "many",
      "that has 10,000 keys",
      (self) => (request, response) => {
        const keys = Array.from({ length: 10_000 }, (_, k) => ({ kty: "oct", kid: String(k) }));
        const body = request.url === "/jwks" ? { keys } : { issuer: self.issuer, jwks_uri: `${self.issuer}/jwks` };
        json(JSON.stringify(body))?.(request, response);
      },
    ],
    ["empty", "that names no keys", (self) => json(JSON.stringify({ issuer: self.issuer }))],
  ])(
    "$0 $1 is an outage in bounded time, and over when it ends",
    { timeout: 90_000 },
    async ([name, , answer], { expect }) => {
      const issuer = issuers[name];
      const token = await issuer.token("charges:read");
      issuer.answerInstead(answer(issuer, issuers));
      const first = await ask("/v1/of-issuers", token);
      expect(first).toMatchObject(refusal("keys_unavailable", 503));
      expect(Number(first.retryAfter)).toBeGreaterThanOrEqual(1);
      issuer.answerInstead(null);
      await vi.waitFor(async () => expect((await ask("/v1/of-issuers", token)).status).toBe(200), RECOVERY);
    },
  );

  test("in trouble is asked once for many requests at once", async ({ expect }) => {
    const issuer = issuers.wrong;
    issuer.answerInstead((_, response) => setTimeout(() => response.writeHead(500).end(), 500));
    const before = issuer.asked.length;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => gateway.token("charges:read", { claims: { iss: issuer.issuer } })),
    ).then((tokens) => Promise.all(tokens.map((token) => ask("/v1/of-nobody", token))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(issuer.asked.length - before).toBeLessThanOrEqual(4);
    expect(received.filter((line) => line.includes("/v1/of-nobody"))).toEqual([]);
    issuer.answerInstead(null);
  });
});

describe("D1", () => {
  test.each<Fault>(["fail", "locked", "hang"])(
    "that does not answer (%s) is bridged by what is known, then a 503, and over when it ends",
    { timeout: 90_000 },
    async (db) => {
      const token = await gateway.token("charges:read");
      expect((await ask("/v1/before", token)).status).toBe(200);
      await setFaults(gateway, { db });
      const bridged = await ask("/v1/bridged", token);
      expect([200, 503]).toContain(bridged.status);
      await vi.waitFor(
        async () => expect(await ask("/v1/x", token)).toMatchObject(refusal("revocation_unavailable", 503)),
        RECOVERY,
      );

      const reached = received.length;
      for (const path of ["/v1/refused", "/v1/strict"]) {
        const answer = await ask(path, token);
        expect(answer).toMatchObject(refusal("revocation_unavailable", 503));
        expect(Number(answer.retryAfter)).toBeGreaterThanOrEqual(1);
      }
      expect(received.length).toBe(reached);
      expect((await ask("/open/x")).status).toBe(200);
      expect((await ask("/v1/x", "not.a.token")).status).toBe(401);

      await setFaults(gateway, { db: "none" });
      await vi.waitFor(async () => expect((await ask("/v1/after", token)).status).toBe(200), RECOVERY);
    },
  );

  test("within max_staleness what is known decides; a strict route does not rest on it", async () => {
    const token = await gateway.token("charges:read");
    expect((await ask("/v1/x", token)).status).toBe(200);
    await setFaults(gateway, { db: "fail" });
    expect((await ask("/v1/x", token)).status).toBe(200);
    expect(await ask("/v1/strict", token)).toMatchObject(refusal("revocation_unavailable", 503));
    await setFaults(gateway, { db: "none" });
    await vi.waitFor(async () => expect((await ask("/v1/strict", token)).status).toBe(200), RECOVERY);
  });

  test("that is slow slows nothing but what must wait for it", async () => {
    await setFaults(gateway, { db: "slow" });
    const token = await gateway.token("charges:read");
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask("/v1/x", token)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await setFaults(gateway, { db: "none" });
  });

  test("that fails makes the admin API fail without a word of why", async () => {
    const admin = await gateway.token("scopegate:admin");
    await vi.waitFor(async () => expect((await ask("/_scopegate/tokens", admin)).status).toBe(200), RECOVERY);
    await setFaults(gateway, { db: "fail" });
    const answer = await ask("/_scopegate/tokens", admin);
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.text).not.toMatch(/D1_ERROR|internal error of the test/);
    await setFaults(gateway, { db: "none" });
    expect(gateway.logs.join("\n")).not.toContain("internal error of the test");
  });
});

describe("KV", () => {
  test.each<Fault>(["fail", "hang", "corrupt", "empty"])("that is broken (%s) stops no request", async (kv) => {
    await setFaults(gateway, { kv });
    const token = await gateway.token("charges:read");
    expect((await ask("/v1/x", token)).status).toBe(200);
    await setFaults(gateway, { kv: "none" });
  });
});

describe("clocks that differ (clock_skew = 30s)", () => {
  const now = (): number => Math.floor(Date.now() / 1000);

  test.each<[string, () => Record<string, number>, number]>([
    ["issued 10 s ahead", () => ({ iat: now() + 10 }), 200],
    ["issued 90 s ahead", () => ({ iat: now() + 90 }), 401],
    ["not valid for another 10 s", () => ({ nbf: now() + 10 }), 200],
    ["not valid for another 90 s", () => ({ nbf: now() + 90 }), 401],
    ["expired 10 s ago", () => ({ iat: now() - 100, exp: now() - 10 }), 200],
    ["expired 90 s ago", () => ({ iat: now() - 100, exp: now() - 90 }), 401],
  ])("a token %s", async (_, claims, status) => {
    const token = await gateway.token("charges:read", { claims: claims() });
    expect((await ask("/v1/x", token)).status).toBe(status);
  });
});
