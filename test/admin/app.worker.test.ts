/**
 * The admin API in its isolate, with a real D1, a clock that the test holds and callers as the gateway hands them over:
 * what hangs on a second, on a row, or on who it is.
 */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { type Admin, createAdmin } from "../../src/admin/app.ts";
import type { Principal } from "../../src/token/principal.ts";
import { generateSigningKeys, loadSigningKeys } from "../../src/token/signing-keys.ts";
import { applySchema } from "../support/database.ts";
import { LOGIN, NOW, policyOf, principalOf } from "./callers.ts";
import { POLICY } from "./policy.ts";

const { DB: db, REVOCATIONS: kv } = env as unknown as { DB: D1Database; REVOCATIONS: KVNamespace };
const policy = policyOf(POLICY);
const DAY = 86_400;
const ROOT = principalOf(policy, ["scopegate:admin"], { subject: "root" });

let admin: Admin;
let nowSeconds = NOW;
let behind = 0;
let reasons: string[] = [];

beforeAll(async () => {
  await applySchema(db);
  const keys = await loadSigningKeys(await generateSigningKeys());
  admin = createAdmin({
    policy,
    db,
    kv,
    signingKeys: async () => keys,
    feed: { ready: () => true, isRevoked: () => false },
    verifier: { verify: async () => ({ reason: "token_invalid", detail: "shape" }) },
    now: () => nowSeconds * 1000 + 999,
  });
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the API answers; each test says what it should be
  readonly body: any;
}

async function call(
  principal: Principal,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const request = new Request(`https://gateway.example.com/_scopegate${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  behind = 0;
  reasons = [];
  const response = await admin.fetch(request, {
    principal,
    requestId: "request",
    address: null,
    behind: () => {
      behind++;
    },
    refused: (reason) => reasons.push(reason),
  });
  return { status: response.status, body: await response.json() };
}

async function issued(more: object = {}, principal = ROOT) {
  const { status, body } = await call(principal, "POST", "/tokens", { name: "n", scopes: ["charges:read"], ...more });
  expect([status, body.errors]).toEqual([201, undefined]);
  return body;
}

const iso = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

describe("a path", () => {
  test.each([["/_scopegatX/scopes"], ["/_scopegate"], ["/elsewhere"]])(
    "that is not under admin_path, as %s, is nobody's",
    async (path) => {
      const told: string[] = [];
      const response = await admin.fetch(new Request(`https://gateway.example.com${path}`), {
        principal: ROOT,
        requestId: "request",
        address: null,
        behind: () => undefined,
        refused: (reason) => told.push(reason),
      });
      expect([response.status, told]).toEqual([404, ["route_not_found"]]);
    },
  );

  test("is the same with a slash at its end", async () => {
    expect((await call(ROOT, "GET", "/scopes/")).status).toBe(200);
  });
});

describe("an Idempotency-Key", () => {
  const body = { name: "once", scopes: ["charges:read"] };
  const send = (key: string, more: object = {}, principal = ROOT) =>
    call(principal, "POST", "/tokens", { ...body, ...more }, { "Idempotency-Key": key });

  test.each<[more: object]>([
    [{ name: "other" }],
    [{ scopes: ["customers:read"] }],
    [{ allow_list: ["charge:a"] }],
    [{ lifetime: "1h" }],
    [{ subject: "ann" }],
    [{ conditions: { cidr: ["10.0.0.0/8"] } }],
  ])("is refused for a request that differs in %j, and says nothing of the first", async (more) => {
    const key = JSON.stringify(more).replaceAll(" ", "");
    expect((await send(key)).status).toBe(201);
    const answer = await send(key, more);
    expect([answer.status, answer.body.record, answer.body.errors[0].message]).toEqual([
      409,
      undefined,
      "was used for another request within a day",
    ]);
  });

  test("knows two lists apart, and the same list again", async () => {
    const list = { allow_list: ["charge:a"] };
    const first = await send("lists", list);
    expect((await send("lists", { allow_list: ["charge:b"] })).body).not.toHaveProperty("record");
    expect((await send("lists", list)).body.record).toMatchObject({ id: first.body.id, ...list });
  });

  test.each<[why: string, other: Partial<Principal>]>([
    ["another issuer", { issuer: LOGIN, own: false }],
    ["another subject", { subject: "bob" }],
    ["no subject, and so another token", { subject: null, tokenId: "other" }],
    ["another line", { elderIssuers: [LOGIN] }],
  ])("is the caller's own: not that of one with %s", async (why, other) => {
    const one = principalOf(policy, ["scopegate:admin"]);
    const two = principalOf(policy, ["scopegate:admin"], other);
    const key = why.replaceAll(" ", "-");
    const subject = { subject: "whoever" };
    expect((await send(key, subject, one)).status).toBe(201);
    expect((await send(key, subject, two)).status).toBe(201);
    expect((await send(key, subject, two)).status).toBe(409);
  });

  test("is good for a day, to the second", async () => {
    expect((await send("day")).status).toBe(201);
    nowSeconds = NOW + DAY - 1;
    expect((await send("day")).status).toBe(409);
    nowSeconds = NOW + DAY;
    expect((await send("day")).status).toBe(201);
    nowSeconds = NOW;
  });

  test.each([
    ["x".repeat(255), 201],
    ["x".repeat(256), 400],
    ["", 400],
  ])("of %s: %i", async (key, status) => {
    expect((await send(key)).status).toBe(status);
  });
});

describe("a token", () => {
  const statusOf = async (id: string) => (await call(ROOT, "GET", `/tokens/${id}`)).body.status;
  const listed = async (subject: string, status: string) =>
    (await call(ROOT, "GET", `/tokens?subject=${subject}&status=${status}`)).body.items.length;

  test.each<[why: string, end: (id: string) => Promise<unknown>, ended: string]>([
    ["it expires", async () => undefined, "expired"],
    ["its overlap ends", (id) => call(ROOT, "POST", `/tokens/${id}/rotate`, { overlap: "60s" }), "revoked"],
  ])("is active until the second at which %s", async (_why, end, ended) => {
    const subject = crypto.randomUUID();
    const { id } = await issued({ subject, lifetime: ended === "expired" ? "60s" : "1h" });
    await end(id);
    const other = ended === "expired" ? 0 : 1;
    nowSeconds = NOW + 59;
    expect([await statusOf(id), await listed(subject, "active"), await listed(subject, ended)]).toEqual([
      "active",
      1 + other,
      0,
    ]);
    nowSeconds = NOW + 60;
    expect([await statusOf(id), await listed(subject, "active"), await listed(subject, ended)]).toEqual([
      ended,
      other,
      1,
    ]);
    nowSeconds = NOW;
  });

  test("may be rotated until the second at which it expires", async () => {
    const { id } = await issued({ lifetime: "60s" });
    const other = await issued({ lifetime: "60s" });
    nowSeconds = NOW + 59;
    const rotated = await call(ROOT, "POST", `/tokens/${id}/rotate`);
    expect([rotated.status, rotated.body.expires_at]).toEqual([201, iso(NOW + 119)]);
    nowSeconds = NOW + 60;
    expect((await call(ROOT, "POST", `/tokens/${other.id}/rotate`)).status).toBe(409);
    nowSeconds = NOW;
  });

  test("is issued under no token that ends at that second", async () => {
    const { id } = await issued({ scopes: ["scopegate:tokens", "charges:read"], subject: "ann" });
    await call(ROOT, "POST", `/tokens/${id}/rotate`, { overlap: "60s" });
    const caller = principalOf(policy, ["scopegate:tokens", "charges:read"], { tokenId: id });
    nowSeconds = NOW + 59;
    expect((await issued({}, caller)).parent).toBe(id);
    nowSeconds = NOW + 60;
    const late = await call(caller, "POST", "/tokens", { name: "n", scopes: ["charges:read"] });
    expect([late.status, late.body.errors]).toEqual([
      409,
      [{ field: "token", message: "a token that the caller's descends from has ended" }],
    ]);
    nowSeconds = NOW;
  });

  test("that is ended by an administrator may be anybody's", async () => {
    const ann = principalOf(policy, ["scopegate:tokens", "charges:read"]);
    const { id } = await issued({}, ann);
    const rotated = await call(ROOT, "POST", `/tokens/${id}/rotate`);
    expect([rotated.status, rotated.body.subject]).toEqual([201, "ann"]);
    expect((await call(ROOT, "DELETE", `/tokens/${rotated.body.id}`)).body.status).toBe("revoked");
  });

  test("that has ended keeps its time when it is ended again, by itself or before its overlap's end", async () => {
    const { id } = await issued();
    const audited = async () => (await call(ROOT, "GET", "/audit?limit=1")).body.items[0];
    await call(ROOT, "POST", `/tokens/${id}/rotate`, { overlap: "1h" });
    nowSeconds = NOW + 60;
    expect((await call(ROOT, "DELETE", `/tokens/${id}`)).body.revoked_at).toBe(iso(NOW + 60));
    expect(await audited()).toMatchObject({
      action: "token.revoke",
      target: id,
      before: { revoked_at: iso(NOW + 3600) },
      after: { revoked_at: iso(NOW + 60) },
    });
    nowSeconds = NOW + 120;
    expect((await call(ROOT, "DELETE", `/tokens/${id}`)).body.revoked_at).toBe(iso(NOW + 60));
    nowSeconds = NOW;
  });
});

describe("the list of revocations", () => {
  const entry = { kind: "token", value: "leaked", reason: "r" };

  /** As many entries, the last of which has this sequence; and whether it was asked then if packing is due. */
  async function asksFor(count: number, last: number): Promise<boolean> {
    await db
      .prepare(
        `INSERT INTO revocations (sequence, kind, issuer, value, effective_at, reason, created_at, created_by)
         VALUES (?, 'key', 'i', 'k', 1, 'r', 1, 'c')`,
      )
      .bind(last - count)
      .run();
    const answer = await call(ROOT, "POST", "/revocations", count === 1 ? entry : Array(count).fill(entry));
    const items = count === 1 ? [answer.body] : answer.body.items;
    expect(items.at(-1).sequence).toBe(last);
    return behind > 0;
  }

  test("is looked at for packing behind the call that writes a thousandth row, and behind no other", async () => {
    expect(await asksFor(1, 999)).toBe(false);
    expect(await asksFor(1, 2_000)).toBe(true);
    expect(await asksFor(1, 3_001)).toBe(false);
    expect(await asksFor(3, 4_002)).toBe(true);
    expect(await asksFor(3, 5_003)).toBe(false);
  });

  test.each(["/revocations", "/audit", "/tokens"])("%s takes no cursor but its own", async (path) => {
    const answer = await call(ROOT, "GET", `${path}?cursor=x`);
    expect([answer.status, answer.body.errors[0].field, reasons]).toEqual([400, "cursor", ["request_invalid"]]);
  });
});
