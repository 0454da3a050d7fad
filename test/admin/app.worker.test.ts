/**
 * The admin API in its isolate, with a real D1, a clock that the test holds and callers as the gateway hands them over:
 * what hangs on a second, on a row, or on who it is.
 */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { type Admin, type AdminDependencies, createAdmin } from "../../src/admin/app.ts";
import { readConditions } from "../../src/policy/conditions/conditions.ts";
import { readAllowList } from "../../src/policy/resources/allow-list.ts";
import type { Principal } from "../../src/token/principal.ts";
import { generateSigningKeys, loadSigningKeys } from "../../src/token/signing-keys.ts";
import { applySchema } from "../support/database.ts";
import { headerOf, LOGIN, NOW, OWN, policyOf, principalOf } from "./callers.ts";
import { POLICY } from "./policy.ts";

const { DB: db, REVOCATIONS: kv } = env as unknown as { DB: D1Database; REVOCATIONS: KVNamespace };
const policy = policyOf(POLICY);
const DAY = 86_400;
const ROOT = principalOf(policy, ["scopegate:admin"], { subject: "root" });

let dependencies: AdminDependencies;
let admin: Admin;
let nowSeconds = NOW;
let behind = 0;
let reasons: string[] = [];

beforeAll(async () => {
  await applySchema(db);
  const keys = await loadSigningKeys(await generateSigningKeys());
  dependencies = {
    policy,
    db,
    kv,
    signingKeys: async () => keys,
    feed: { ready: () => true, isRevoked: () => false },
    verifier: { verify: async () => ({ reason: "token_invalid", detail: "shape" }) },
    now: () => nowSeconds * 1000 + 999,
  };
  admin = createAdmin(dependencies);
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
  of: Admin = admin,
): Promise<Answer> {
  const request = new Request(`https://gateway.example.com/_scopegate${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  behind = 0;
  reasons = [];
  const response = await of.fetch(request, {
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

  test.each<[why: string, other: Partial<Principal>, one?: Partial<Principal>]>([
    ["another issuer", { issuer: LOGIN, own: false }],
    [
      "no subject, as it has none, and so another token",
      { subject: null, tokenId: "b" },
      { subject: null, tokenId: "a" },
    ],
    ["another subject", { subject: "bob" }],
    ["no subject, and so another token", { subject: null, tokenId: "other" }],
    ["no subject, and a token that is called as another's subject", { subject: null, tokenId: "ann" }],
    ["another line", { elderIssuers: [LOGIN] }],
  ])("is the caller's own: not that of one with %s", async (why, other, first = {}) => {
    const one = principalOf(policy, ["scopegate:admin"], first);
    const two = principalOf(policy, ["scopegate:admin"], other);
    const key = why.replaceAll(" ", "-");
    const subject = { subject: "whoever" };
    const made = [await send(key, subject, one), await send(key, subject, two)];
    expect(made.map(({ status }) => status)).toEqual([201, 201]);
    const again = [await send(key, subject, one), await send(key, subject, two)];
    expect(again.map(({ status, body: { record } }) => [status, record.id])).toEqual(
      made.map(({ body: { id } }) => [409, id]),
    );
  });

  test("is good for a day, to the second", async () => {
    expect((await send("day")).status).toBe(201);
    nowSeconds = NOW + DAY - 1;
    expect((await send("day")).status).toBe(409);
    nowSeconds = NOW + DAY;
    expect((await send("day")).status).toBe(201);
    nowSeconds = NOW;
  });

  test("is free again where the call had no effect", async () => {
    const { id } = await issued({ scopes: ["scopegate:tokens", "charges:read"], subject: "ann" });
    await call(ROOT, "DELETE", `/tokens/${id}`);
    const ended = principalOf(policy, ["scopegate:tokens", "charges:read"], { tokenId: id });
    const other = principalOf(policy, ["scopegate:tokens", "charges:read"]);
    const refused = await send("free", {}, ended);
    expect([refused.status, refused.body.errors[0].field]).toEqual([409, "token"]);
    expect((await send("free", {}, other)).status).toBe(201);
    // Taken now, and told before what has ended.
    expect((await send("free", {}, ended)).body.errors[0].field).toBe("Idempotency-Key");
  });

  test("says that it made a token though the record was deleted by hand", async () => {
    const { body: first } = await send("erased");
    await db.prepare("DELETE FROM tokens WHERE id = ?").bind(first.id).run();
    const again = await send("erased");
    expect([again.status, again.body.record, again.body.errors[0].message]).toEqual([
      409,
      undefined,
      expect.stringContaining(first.id),
    ]);
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

  test("that is ended stays on the list for a day longer than the last of its tree would have lived", async () => {
    const { id } = await issued({ scopes: ["scopegate:tokens", "charges:read"], subject: "ann", lifetime: "1h" });
    const caller = principalOf(policy, ["scopegate:tokens", "charges:read"], {
      tokenId: id,
      expiresAtSeconds: NOW + 7200,
    });
    await issued({ lifetime: "2h" }, caller);
    const { sequence } = (await call(ROOT, "DELETE", `/tokens/${id}`)).body;
    const { body } = await call(ROOT, "GET", `/revocations/${sequence}`);
    expect([body.effective_at, body.expires_at]).toEqual([iso(NOW), iso(NOW + 7200 + DAY)]);
  });

  test("that is ended twice has one entry, the first, also where another came between", async () => {
    const { id } = await issued();
    const end = async () => (await call(ROOT, "DELETE", `/tokens/${id}`)).body.sequence;
    const newest = async () => (await call(ROOT, "GET", "/revocations?limit=1")).body.items[0].sequence;
    const first = await end();
    expect([await end(), await newest()]).toEqual([first, first]);
    const { body } = await call(ROOT, "POST", "/revocations", { kind: "token", value: id, reason: "again" });
    expect([await end(), await newest()]).toEqual([first, body.sequence]);
    expect((await call(ROOT, "POST", `/tokens/${id}/rotate`)).status).toBe(409);
    expect(await newest()).toBe(body.sequence);
  });

  test("whose overlap ends as it expires was revoked", async () => {
    const subject = crypto.randomUUID();
    const { id } = await issued({ subject, lifetime: "60s" });
    await call(ROOT, "POST", `/tokens/${id}/rotate`, { overlap: "60s" });
    nowSeconds = NOW + 60;
    expect([await statusOf(id), await listed(subject, "revoked")]).toEqual(["revoked", 1]);
    // Its successor was given the same minute.
    expect(await listed(subject, "expired")).toBe(1);
    nowSeconds = NOW;
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

describe("a rotation", () => {
  const MANAGING = ["scopegate:tokens", "charges:read"];
  const office = { cidr: ["10.0.0.0/8"] };
  const day = { hours: { tz: "UTC", from: "08:00", to: "18:00" } };
  const bound = (tokenId: string, conditions: unknown, more: Partial<Principal> = {}) =>
    principalOf(policy, MANAGING, { tokenId, conditions: readConditions(conditions), ...more });
  const rotate = (caller: Principal, id: string, conditions?: unknown, body?: object) =>
    call(caller, "POST", `/tokens/${id}/rotate`, body, { Authorization: headerOf(conditions) });

  test("adds the conditions of whoever rotates, each once", async () => {
    const asked = { name: "n", scopes: ["charges:read"], conditions: [day, day] };
    const first = await call(bound("first", office), "POST", "/tokens", asked, { Authorization: headerOf(office) });
    expect(first.body.conditions).toEqual([office, day, day]);
    const same = await rotate(bound("first", office), first.body.id, office);
    expect([same.status, same.body.conditions]).toEqual([201, [office, day]]);
    const others = [{ countries: ["DE"] }, day];
    const wider = await rotate(bound("second", others), same.body.id, others);
    expect([wider.status, wider.body.conditions]).toEqual([201, [office, day, others[0]]]);
    expect((await rotate(ROOT, wider.body.id)).body.conditions).toEqual(wider.body.conditions);
  });

  test("gives the lifetime that the old token was given, cut to the policy's of today and the caller's own", async () => {
    const { id } = await issued({ lifetime: "2h", subject: "ann", scopes: ["charges:read"] }, ROOT);
    nowSeconds = NOW + 600;
    const second = (await rotate(ROOT, id)).body;
    expect(second).toMatchObject({ issued_at: iso(NOW + 600), expires_at: iso(NOW + 600 + 7200) });

    const stricter = createAdmin({
      ...dependencies,
      policy: policyOf(POLICY.replace('"365d"', '"1h"').replace('"30d"', '"1h"').replace('"90d"', '"1h"')),
    });
    const third = await call(ROOT, "POST", `/tokens/${second.id}/rotate`, undefined, {}, stricter);
    expect(third.body.expires_at).toBe(iso(NOW + 600 + 3600));

    const mine = await issued({ lifetime: "50m" }, bound("mine", undefined, { expiresAtSeconds: NOW + 7200 }));
    const short = bound("short", undefined, { expiresAtSeconds: NOW + 1800 });
    const fourth = await rotate(short, mine.id);
    expect([fourth.status, fourth.body.expires_at]).toEqual([201, iso(NOW + 1800)]);
    expect(fourth.body.parent).toBe("mine");
    nowSeconds = NOW;
  });

  test("makes nothing younger: the elder of the old token and the caller counts", async () => {
    const age = async (id: string) =>
      (await db.prepare("SELECT authenticated_at AS at FROM tokens WHERE id = ?").bind(id).first<{ at: number }>())?.at;
    const old = bound("old", undefined, { issuedAtSeconds: NOW - 3000 });
    const young = bound("young", undefined, { issuedAtSeconds: NOW - 10 });
    const first = await issued({}, old);
    const second = await rotate(young, first.id);
    expect([await age(first.id), await age(second.body.id)]).toEqual([NOW - 3000, NOW - 3000]);
    const third = await rotate(old, (await issued({}, young)).id);
    expect(await age(third.body.id)).toBe(NOW - 3000);
    // By an administrator: the age of a child stays, a root begins anew.
    expect(await age((await rotate(ROOT, second.body.id)).body.id)).toBe(NOW - 3000);
    const root = await issued();
    nowSeconds = NOW + 60;
    expect(await age((await rotate(ROOT, root.id)).body.id)).toBe(NOW + 60);
    nowSeconds = NOW;
  });

  test.each([
    [11, 201],
    [12, 403],
  ])("of a token with %i ancestors by one outside its line: %i", async (count, status) => {
    const id = crypto.randomUUID();
    const ancestors = Array.from({ length: count }, (_, at) => `${id}-${at}`);
    await db
      .prepare(
        `INSERT INTO tokens (id, name, subject, client, scopes, conditions, issued_at, authenticated_at, expires_at,
           created_by_issuer, created_by_subject, parent, ancestors)
         VALUES (?1, 'n', 'ann', 'app', '["charges:read"]', '[]', ?2, ?2, ?2 + 600, ?3, 'ann', ?4, ?5)`,
      )
      .bind(id, NOW, OWN, ancestors.at(-1) ?? null, JSON.stringify(ancestors))
      .run();
    const answer = await rotate(bound("outside", undefined), id);
    expect(answer.status).toBe(status);
    if (status === 403)
      expect(answer.body.errors).toEqual([{ field: "token", message: "descends from too many others" }]);
  });

  test.each<[held: unknown, kept: readonly string[] | undefined, status: number]>([
    [["charge:*"], ["charge:a"], 201],
    [["charge:a"], ["charge:a"], 201],
    [["charge:a"], ["charge:*"], 403],
    [["charge:*"], ["*:*"], 403],
    [["charge:*"], undefined, 403],
    [["*:*"], undefined, 201],
    [undefined, undefined, 201],
  ])("by a caller whose list is %j, of a token whose list is %j: %i", async (held, kept, status) => {
    const { id } = await issued(kept === undefined ? {} : { allow_list: kept }, bound("wide", undefined));
    const answer = await rotate(bound("listed", undefined, { allowList: readAllowList(held) }), id);
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.body.errors).toMatchObject([{ field: "allow_list" }]);
    else expect(answer.body.allow_list).toEqual(kept ?? null);
  });

  test("by a caller that has ended meanwhile is none", async () => {
    const caller = await issued({ scopes: MANAGING, subject: "ann" });
    const { id } = await issued({}, bound("wide", undefined));
    await call(ROOT, "DELETE", `/tokens/${caller.id}`);
    expect((await rotate(bound(caller.id, undefined), id)).status).toBe(409);
    expect((await call(ROOT, "GET", `/tokens/${id}`)).body.revoked_at).toBeNull();
  });

  test("that would make a token too long to use leaves the old one", async () => {
    const allow_list = Array.from({ length: 60 }, (_, at) => `charge:${"x".repeat(180)}${at}`);
    const { id } = await issued({ allow_list }, bound("wide", undefined));
    const many = Array.from({ length: 16 }, (_, at) => ({ cidr: [`10.${at}.0.0/16`, `fd00:${at}::/32`] }));
    const answer = await rotate(bound("conditioned", many), id, many);
    expect([answer.status, answer.body.errors[0].field]).toEqual([400, "body"]);
    expect((await call(ROOT, "GET", `/tokens/${id}`)).body.revoked_at).toBeNull();
  });

  test("keeps the list, whatever kind it is of", async () => {
    for (const allow_list of [["*:*"], ["charge:a"], ["charge:*"]]) {
      const ann = bound("lister", undefined);
      const { id } = await issued({ allow_list }, ann);
      expect((await rotate(ann, id)).body.allow_list).toEqual(allow_list);
    }
  });

  test("ends the old token after the overlap, which may be of no length", async () => {
    const { id } = await issued();
    await rotate(ROOT, id, undefined, { overlap: "0s" });
    expect((await call(ROOT, "GET", `/tokens/${id}`)).body).toMatchObject({ status: "revoked", revoked_at: iso(NOW) });
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

  test("tells one entry as one, a list of one as a list, and a hundred faults at most", async () => {
    const one = await call(ROOT, "POST", "/revocations", entry);
    expect([one.status, one.body.value]).toEqual([201, "leaked"]);
    const list = await call(ROOT, "POST", "/revocations", [entry]);
    expect([list.status, list.body.items.length]).toEqual([201, 1]);
    expect(list.body.items[0].sequence).toBe(one.body.sequence + 1);
    const past = { ...entry, expires_at: iso(NOW) };
    const bad = await call(ROOT, "POST", "/revocations", Array(101).fill(past));
    expect([bad.status, bad.body.errors.length, bad.body.errors[99].field]).toEqual([400, 100, "99.expires_at"]);
    expect((await call(ROOT, "POST", "/revocations", past)).body.errors[0].field).toBe("expires_at");
  });

  /** A token that is issued now under Ann's at another issuer, and its status after an entry, or several. */
  async function recordAfter(entries: (token: { id: string; parent: string }, other: { id: string }) => unknown) {
    const ann = principalOf(policy, ["charges:read"], {
      own: false,
      issuer: LOGIN,
      tokenId: crypto.randomUUID(),
      subject: crypto.randomUUID(),
      issuedAtSeconds: NOW,
    });
    const token = await issued({}, ann);
    const other = await issued({ subject: ann.subject });
    const added = await call(ROOT, "POST", "/revocations", entries(token, other));
    expect(added.status).toBe(201);
    const { results } = await db
      .prepare("SELECT revocation FROM tokens WHERE id IN (?, ?) ORDER BY number")
      .bind(token.id, other.id)
      .all<{ revocation: number | null }>();
    const first = added.body.items?.[0].sequence ?? added.body.sequence;
    return results.map(({ revocation }) => (revocation === null ? null : revocation - first));
  }

  const of = (kind: string, value: string, more: object = {}) => ({ kind, value, reason: "r", ...more });
  const jti = (parent: string) => parent.slice(LOGIN.length + 1);

  test.each<[why: string, entries: Parameters<typeof recordAfter>[0], met: readonly (number | null)[]]>([
    ["its id", ({ id }) => of("token", id), [0, null]],
    ["its id, that expires", ({ id }) => of("token", id, { expires_at: iso(NOW + 60) }), [null, null]],
    ["its id at another issuer", ({ id }) => of("token", id, { issuer: LOGIN }), [null, null]],
    ["its id as a subject", ({ id }) => of("subject", id), [null, null]],
    ["its id as a key", ({ id }) => of("key", id), [null, null]],
    ["its ancestor at the issuer above", ({ parent }) => of("token", jti(parent), { issuer: LOGIN }), [0, null]],
    ["its ancestor's id at this gateway", ({ parent }) => of("token", jti(parent)), [null, null]],
    ["two in one list", ({ id }, other) => [of("key", "k"), of("token", other.id), of("token", id)], [2, 1]],
    ["its age, to this second", ({ id }) => of("token", id, { issued_before: iso(NOW) }), [null, null]],
    ["its age, from the second before", ({ id }) => of("token", id, { issued_before: iso(NOW + 1) }), [0, null]],
  ])("is followed by the records that meet %s", async (_why, entries, met) => {
    expect(await recordAfter(entries)).toEqual(met);
  });

  test("is followed by a subject's records of this gateway alone, to the second", async () => {
    const subject = crypto.randomUUID();
    const { id } = await issued({ subject });
    const statusAfter = async (more: object) => {
      await call(ROOT, "POST", "/revocations", of("subject", subject, more));
      return (await call(ROOT, "GET", `/tokens/${id}`)).body.status;
    };
    expect(await statusAfter({ issuer: LOGIN })).toBe("active");
    expect(await statusAfter({ expires_at: iso(NOW + 60) })).toBe("active");
    expect(await statusAfter({ issued_before: iso(NOW) })).toBe("active");
    expect(await statusAfter({ issued_before: iso(NOW + 1) })).toBe("revoked");
  });

  test.each<[why: string, more: object, isWithdrawn: boolean, status: string]>([
    ["for good", {}, false, "revoked"],
    ["for good, and is withdrawn", {}, true, "active"],
    ["until it expires", { expires_at: iso(NOW + 60) }, false, "active"],
    ["to this second", { issued_before: iso(NOW) }, false, "active"],
    ["to the next second", { issued_before: iso(NOW + 1) }, false, "revoked"],
  ])(
    "is in the record of a token that comes after a cut-off of its subject %s",
    async (_why, more, isWithdrawn, status) => {
      const subject = crypto.randomUUID();
      const { body } = await call(ROOT, "POST", "/revocations", of("subject", subject, more));
      if (isWithdrawn) await call(ROOT, "DELETE", `/revocations/${body.sequence}`);
      expect((await issued({ subject })).status).toBe(status);
    },
  );

  test("ends its pages where they end", async () => {
    const count = async (table: string) => {
      const row = await db.prepare(`SELECT count(*) AS n FROM ${table}`).first<{ n: number }>();
      return row?.n ?? 0;
    };
    const rows = await count("audit");
    expect(rows).toBeLessThan(200);
    const whole = await call(ROOT, "GET", `/audit?limit=${rows}`);
    expect([whole.body.items.length, Object.keys(whole.body)]).toEqual([rows, ["items"]]);
    const less = await call(ROOT, "GET", `/audit?limit=${rows - 1}`);
    const rest = await call(ROOT, "GET", `/audit?limit=${rows - 1}&cursor=${less.body.cursor}`);
    expect([...less.body.items, ...rest.body.items]).toEqual(whole.body.items);
    expect(rest.body).not.toHaveProperty("cursor");

    const entries = await call(ROOT, "GET", "/revocations?limit=200");
    expect(entries.body.items.length).toBeLessThan(200);
    expect(entries.body).not.toHaveProperty("cursor");
    const some = entries.body.items.length - 1;
    const few = await call(ROOT, "GET", `/revocations?limit=${some}`);
    const last = await call(ROOT, "GET", `/revocations?limit=${some}&cursor=${few.body.cursor}`);
    expect([...few.body.items, ...last.body.items]).toEqual(entries.body.items);
    expect(last.body).not.toHaveProperty("cursor");

    const subject = crypto.randomUUID();
    for (const name of ["b", "a"]) await issued({ subject, name });
    const names = async (query: string) => {
      const { body } = await call(ROOT, "GET", `/tokens?subject=${subject}&${query}`);
      return [body.items.map(({ name }: { name: string }) => name).join(""), body.cursor !== undefined];
    };
    expect(await names("limit=2")).toEqual(["ab", false]);
    expect(await names("limit=1")).toEqual(["a", true]);
  });

  test("lets one of two at once withdraw an entry", async () => {
    const { body } = await call(ROOT, "POST", "/revocations", entry);
    const both = [1, 2].map(() => call(ROOT, "DELETE", `/revocations/${body.sequence}`));
    expect((await Promise.all(both)).map(({ status }) => status).sort()).toEqual([200, 404]);
    const { items } = (await call(ROOT, "GET", "/audit?limit=3")).body;
    expect(items.map(({ action }: { action: string }) => action)).toEqual([
      "revocation.withdraw",
      "revocation.add",
      expect.any(String),
    ]);
    expect(items[1].target).toBe(String(body.sequence));
  });

  test("names an issuer as its own issuer", async () => {
    const { body } = await call(ROOT, "POST", "/revocations", of("issuer", LOGIN));
    expect([body.issuer, body.value]).toEqual([LOGIN, LOGIN]);
    expect((await call(ROOT, "GET", `/revocations/${body.sequence}`)).body.issuer).toBe(LOGIN);
  });

  test("and every other write is in the audit log with what it has to tell, and no more", async () => {
    const latest = async () => (await call(ROOT, "GET", "/audit?limit=1")).body.items[0];
    const { id } = await issued();
    expect(Object.keys(await latest())).not.toContain("before");
    const { body } = await call(ROOT, "POST", "/revocations", of("token", id));
    expect(await latest()).toMatchObject({ action: "revocation.add", target: String(body.sequence) });
    expect(Object.keys(await latest())).not.toContain("before");
    await call(ROOT, "DELETE", `/revocations/${body.sequence}`);
    expect(await latest()).toMatchObject({ action: "revocation.withdraw", before: { value: id }, address: null });
    expect(Object.keys(await latest())).not.toContain("after");
  });

  test.each(["/revocations", "/audit", "/tokens"])("%s takes no cursor but its own", async (path) => {
    const answer = await call(ROOT, "GET", `${path}?cursor=x`);
    expect([answer.status, answer.body.errors[0].field, reasons]).toEqual([400, "cursor", ["request_invalid"]]);
  });
});

describe("the catalogue and the map", () => {
  test.each(["/routes", "/scopes"])("end their pages where they end: %s", async (path) => {
    const { items } = (await call(ROOT, "GET", `${path}?limit=200`)).body;
    const whole = await call(ROOT, "GET", `${path}?limit=${items.length}`);
    expect(whole.body).toEqual({ items });
    const less = await call(ROOT, "GET", `${path}?limit=${items.length - 1}`);
    const rest = await call(ROOT, "GET", `${path}?limit=1&cursor=${less.body.cursor}`);
    expect([...less.body.items, ...rest.body.items]).toEqual(items);
    expect(rest.body).not.toHaveProperty("cursor");
  });

  test("tell the last day's use of a scope", async () => {
    const used = db.prepare(
      "INSERT INTO usage (kind, name, day, count, last_at) VALUES ('scope', 'charges:write', ?, 1, ?)",
    );
    await db.batch([used.bind(3, 3 * DAY + 5), used.bind(2, 2 * DAY)]);
    const { items } = (await call(ROOT, "GET", "/scopes")).body;
    expect(items.find(({ scope }: { scope: string }) => scope === "charges:write").last_decided_at).toBe(
      iso(3 * DAY + 5),
    );
    await db.prepare("DELETE FROM usage").run();
  });

  test("count a token until the second at which it expires", async () => {
    const { id } = await issued({ scopes: ["customers:read"], lifetime: "60s" });
    const at = async (seconds: number) => {
      nowSeconds = seconds;
      const { items } = (await call(ROOT, "GET", "/scopes")).body;
      nowSeconds = NOW;
      return items.find(({ scope }: { scope: string }) => scope === "customers:read");
    };
    const [before, after] = [await at(NOW + 59), await at(NOW + 60)];
    expect([before.tokens.includes(id), after.tokens.includes(id)]).toEqual([true, false]);
    expect(before.token_count - after.token_count).toBe(1);
  });

  test("tell a route as it is written, whether as a scope, as some, or as a table", async () => {
    const written = createAdmin({
      ...dependencies,
      policy: policyOf(`${POLICY}
"GET /v1/one"    = "customers:read"
"GET /v1/both"   = ["charges:read", "customers:read"]
"GET /v1/either" = { any = ["customers:read", ["charges:read", "charges:write"]] }
"GET /v1/open"   = { public = true }`),
    });
    const routes = await call(ROOT, "GET", "/routes", undefined, {}, written);
    expect(routes.body.items.slice(-4)).toEqual([
      { route: "GET /v1/one", all: ["customers:read"] },
      { route: "GET /v1/both", all: ["charges:read", "customers:read"] },
      { route: "GET /v1/either", any: ["customers:read", ["charges:read", "charges:write"]] },
      { route: "GET /v1/open", public: true },
    ]);
    const scopes = await call(ROOT, "GET", "/scopes", undefined, {}, written);
    const item = (name: string) => scopes.body.items.find(({ scope }: { scope: string }) => scope === name);
    expect(item("charges:write")).toEqual({
      scope: "charges:write",
      description: "Change charges",
      owner: "billing",
      implies: ["charges:read"],
      max_lifetime: "90d",
      replaced_by: [],
      routes: ["POST /v1/charges", "GET /v1/either"],
      tokens: [],
      token_count: 0,
      last_decided_at: null,
    });
    expect(item("customers:read").routes).toEqual([
      "GET /v1/customers",
      "GET /v1/one",
      "GET /v1/both",
      "GET /v1/either",
    ]);
    expect(item("scopegate:admin")).toMatchObject({ owner: "scopegate", routes: expect.any(Array) });
  });
});
