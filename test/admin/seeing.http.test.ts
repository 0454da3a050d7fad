/** Revocations, the audit log, the catalogue, the map, explain and the OpenAPI document, over HTTP against the whole gateway. */

import { hc } from "hono/client";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AdminApp } from "../../src/admin/app.ts";
import { type Api, startApi } from "./api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.dispose());

const OWN = "https://gateway.example.com";
const LOGIN = "https://login.example.com/";

async function isRefused(token: string): Promise<boolean> {
  for (let attempt = 0; attempt < 40; attempt++) {
    if ((await api.gateway.call(token, "GET", "/v1/charges")).status === 401) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

/** A token of another issuer, unsigned: naming one needs no signature. */
function foreign(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT" })}.${part({ iss: LOGIN, ...claims })}.c2ln`;
}

describe("revocations", () => {
  test("by jti end a token that has a record and one that has none, within refresh and a second", async () => {
    const recorded = await api.issue(["charges:read"]);
    const bare = await api.gateway.token(["charges:read"]);
    expect((await api.gateway.call(bare, "GET", "/v1/charges")).status).toBe(200);
    for (const value of [recorded.id, decodeJwt(bare).jti]) {
      const { status, body } = await api.call(api.admin, "POST", "/revocations", {
        kind: "token",
        value,
        reason: "leaked",
      });
      expect(status).toBe(201);
      expect(body).toMatchObject({ kind: "token", issuer: OWN, value, reason: "leaked", expires_at: null });
      expect((await api.call(api.reader, "GET", `/revocations/${body.sequence}`)).body).toMatchObject(body);
    }
    expect(await isRefused(recorded.token)).toBe(true);
    expect(await isRefused(bare)).toBe(true);
    expect((await api.call(api.reader, "GET", `/tokens/${recorded.id}`)).body.status).toBe("revoked");
  });

  test("of a whole token keep its name and nothing else", async () => {
    const { token, id } = await api.issue(["charges:read"]);
    const { body } = await api.call(api.admin, "POST", "/revocations", {
      kind: "token",
      value: token,
      reason: "leaked",
    });
    expect(body).toMatchObject({ issuer: OWN, value: id });
    const { body: other } = await api.call(api.admin, "POST", "/revocations", {
      kind: "token",
      value: foreign({ jti: "theirs" }),
      reason: "leaked",
    });
    expect(other).toMatchObject({ issuer: LOGIN, value: "theirs", warning: expect.any(String) });
    const { body: nameless } = await api.call(api.admin, "POST", "/revocations", {
      kind: "token",
      value: foreign({ sub: "x" }),
      reason: "leaked",
    });
    expect(nameless.value).toMatch(/^sha256:[A-Za-z0-9_-]{43}$/);
    const db = await api.gateway.miniflare.getD1Database("DB");
    for (const table of ["revocations", "audit"]) {
      const text = JSON.stringify((await db.prepare(`SELECT * FROM ${table}`).all()).results);
      for (const part of token.split(".")) expect(text).not.toContain(part);
    }
  });

  test("of a token of another issuer end what was issued under it", async () => {
    // As the gateway signs it for a caller whose token another issuer signed (grant.unit.test.ts).
    const child = await api.gateway.token(["charges:read"], { claims: { ancestors: [`${LOGIN} parent 1`] } });
    expect((await api.gateway.call(child, "GET", "/v1/charges")).status).toBe(200);
    await api.call(api.admin, "POST", "/revocations", {
      kind: "token",
      issuer: LOGIN,
      value: "parent 1",
      reason: "leaked",
    });
    expect(await isRefused(child)).toBe(true);
  });

  test("of a subject end its tokens of before, and their records say so", async () => {
    const { id, token } = await api.issue(["charges:read"], { subject: "leaver" });
    await api.call(api.admin, "POST", "/revocations", {
      kind: "subject",
      value: "leaver",
      issued_before: new Date(Date.now() + 1000).toISOString(),
      reason: "left",
    });
    expect(await isRefused(token)).toBe(true);
    expect((await api.call(api.reader, "GET", `/tokens/${id}`)).body.status).toBe("revoked");
    expect((await api.call(api.reader, "GET", "/tokens?subject=leaver&status=active")).body.items).toEqual([]);
  });

  test("are withdrawn once, and of two that meet a token the other goes on", async () => {
    const { id, token } = await api.issue(["charges:read"]);
    const first = await api.call(api.admin, "POST", "/revocations", { kind: "token", value: id, reason: "one" });
    const second = await api.call(api.admin, "POST", "/revocations", { kind: "token", value: id, reason: "two" });
    expect(await isRefused(token)).toBe(true);
    const status = async () => (await api.call(api.reader, "GET", `/tokens/${id}`)).body.status;
    const withdrawals = await Promise.all([
      api.call(api.admin, "DELETE", `/revocations/${first.body.sequence}`),
      api.call(api.admin, "DELETE", `/revocations/${first.body.sequence}`),
    ]);
    expect(withdrawals.map((answer) => answer.status).sort()).toEqual([200, 404]);
    expect(await status()).toBe("revoked");
    expect((await api.call(api.admin, "DELETE", `/revocations/${second.body.sequence}`)).status).toBe(200);
    expect((await api.call(api.admin, "DELETE", `/revocations/${second.body.sequence}`)).status).toBe(404);
    expect((await api.call(api.reader, "GET", `/revocations/${second.body.sequence}`)).status).toBe(404);
    expect(await status()).toBe("active");
    let last = 401;
    for (let attempt = 0; attempt < 40 && last === 401; attempt++) {
      last = (await api.gateway.call(token, "GET", "/v1/charges")).status;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(last).toBe(200);
    const { body } = await api.call(api.reader, "GET", "/audit?limit=200");
    const withdrawn = body.items.filter(
      (item: { action: string; target: string }) =>
        item.action === "revocation.withdraw" && item.target === String(first.body.sequence),
    );
    expect(withdrawn).toHaveLength(1);
    expect(withdrawn[0].before).toMatchObject({ value: id, reason: "one" });
  });

  test("come in lists, all or none, with each entry's faults", async () => {
    const listed = async () => (await api.call(api.reader, "GET", "/revocations?limit=200")).body.items.length;
    const before = await listed();
    const bad = await api.call(api.admin, "POST", "/revocations", [
      { kind: "token", value: "a", reason: "r" },
      { kind: "tokens", value: "", reason: "r" },
      { kind: "subject", value: "s", reason: "r", expires_at: "2020-01-01T00:00:00Z", when: 1 },
    ]);
    expect(bad.status).toBe(400);
    expect(bad.body.errors.map(({ field }: { field: string }) => field).sort()).toEqual([
      "1.kind",
      "1.value",
      "2.when",
    ]);
    const past = await api.call(api.admin, "POST", "/revocations", [
      { kind: "token", value: "a", reason: "r" },
      { kind: "subject", value: "s", reason: "r", expires_at: "2020-01-01T00:00:00Z" },
    ]);
    expect(past.body.errors).toEqual([{ field: "1.expires_at", message: "must lie ahead" }]);
    expect(await listed()).toBe(before);

    const { id } = await api.issue(["charges:read"]);
    const entries = Array.from({ length: 600 }, (_, index) => ({
      kind: "token",
      value: index === 577 ? id : `bulk ${index}`,
      reason: "in bulk",
    }));
    const { status, body } = await api.call(api.admin, "POST", "/revocations", entries);
    expect(status).toBe(201);
    const sequences = body.items.map(({ sequence }: { sequence: number }) => sequence);
    expect(sequences).toEqual(Array.from({ length: 600 }, (_, index) => sequences[0] + index));
    const db = await api.gateway.miniflare.getD1Database("DB");
    const rows = await db
      .prepare(
        `SELECT audit.target FROM audit LEFT JOIN revocations ON CAST(revocations.sequence AS TEXT) = audit.target
         WHERE action = 'revocation.add' AND after ->> 'value' IS NOT value`,
      )
      .all();
    expect(rows.results).toEqual([]);
    const { results } = await db.prepare("SELECT revocation FROM tokens WHERE id = ?").bind(id).all();
    expect(results).toEqual([{ revocation: sequences[577] }]);
  });

  test("may come 5,000 at once, and not one more", async () => {
    const entry = { kind: "token", value: "v".repeat(36), reason: "in bulk" };
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ ...entry, value: `${entry.value}${index}` }));
    expect((await api.call(api.admin, "POST", "/revocations", many(5_000))).status).toBe(201);
    expect((await api.call(api.admin, "POST", "/revocations", many(5_001))).status).toBe(400);
  });

  test.each<[why: string, body: unknown, status: number]>([
    ["an unknown kind", { kind: "user", value: "x", reason: "r" }, 400],
    ["no reason", { kind: "token", value: "x" }, 400],
    ["an empty value", { kind: "token", value: "", reason: "r" }, 400],
    ["an encrypted token", { kind: "token", value: `${foreign({}).split(".")[0]}.a.b.c.d`, reason: "r" }, 400],
    ["another issuer than the token's", { kind: "token", issuer: OWN, value: foreign({ jti: "x" }), reason: "r" }, 400],
    ["an issuer beside itself", { kind: "issuer", issuer: OWN, value: LOGIN, reason: "r" }, 400],
    ["a name that is too long", { kind: "subject", value: "x".repeat(513), reason: "r" }, 400],
    [
      "a day that does not exist",
      { kind: "subject", value: "x", issued_before: "2026-02-30T00:00:00Z", reason: "r" },
      400,
    ],
    ["a time without a zone", { kind: "subject", value: "x", issued_before: "2026-02-20T00:00:00", reason: "r" }, 400],
    ["an empty list", [], 400],
    ["one entry of more than 64 KiB", { kind: "token", value: "x", reason: "r".repeat(66_000) }, 413],
    ["a list of more than 2 MiB", [{ kind: "token", value: "x", reason: "r".repeat(2_100_000) }], 413],
  ])("refuse %s", async (_why, body, status) => {
    expect((await api.call(api.admin, "POST", "/revocations", body)).status).toBe(status);
  });

  test.each(["0", "-1", "1.5", "1e3", "abc", "99999999", "9007199254740993"])("have no entry %s", async (sequence) => {
    expect((await api.call(api.reader, "GET", `/revocations/${sequence}`)).status).toBe(404);
    expect((await api.call(api.admin, "DELETE", `/revocations/${sequence}`)).status).toBe(404);
  });

  test("are listed, the newest first, page by page", async () => {
    const { body: first } = await api.call(api.reader, "GET", "/revocations?limit=2");
    const { body: second } = await api.call(api.reader, "GET", `/revocations?limit=2&cursor=${first.cursor}`);
    const sequences = [...first.items, ...second.items].map(({ sequence }) => sequence);
    expect(sequences).toEqual([...new Set(sequences)].sort((left, right) => right - left));
    expect(sequences).toHaveLength(4);
  });
});

describe("the audit log", () => {
  test("has who, what, before and after, the address and the request's id", async () => {
    const { id } = await api.issue(["charges:read"], { subject: "audited" });
    const answer = await api.call(api.admin, "DELETE", `/tokens/${id}`);
    const { body } = await api.call(api.reader, "GET", "/audit?limit=2");
    expect(body.items).toEqual([
      {
        at: expect.stringMatching(/Z$/),
        actor: { issuer: OWN, subject: "root", token: decodeJwt(api.admin).jti },
        action: "token.revoke",
        target: id,
        before: { revoked_at: null },
        after: { revoked_at: answer.body.revoked_at },
        address: "127.0.0.1",
        request_id: answer.headers.get("x-request-id"),
      },
      expect.objectContaining({
        action: "token.issue",
        target: id,
        after: expect.objectContaining({
          subject: "audited",
          scopes: ["charges:read"],
          expires_at: expect.stringMatching(/T\d\d:\d\d:\d\dZ$/),
        }),
      }),
    ]);
  });

  test("is read by nobody who may only issue", async () => {
    const token = await api.gateway.token(["scopegate:tokens"]);
    for (const path of ["/audit", "/scopes", "/routes", "/revocations"]) {
      expect((await api.call(token, "GET", path)).status).toBe(403);
    }
  });
});

const nameOf = (item: { scope?: string; route?: string }) => item.scope ?? item.route ?? "";

describe("the catalogue and the map", () => {
  test("tell of each scope its routes, its live tokens and when it last decided", async () => {
    const { id, token } = await api.issue(["customers:read"], { lifetime: "1h" });
    const ended = await api.issue(["customers:read"]);
    await api.call(api.admin, "DELETE", `/tokens/${ended.id}`);
    expect((await api.gateway.call(token, "GET", "/v1/customers")).status).toBe(200);
    let scope: { last_decided_at: string | null; tokens: string[]; token_count: number } | undefined;
    for (let attempt = 0; attempt < 100 && (scope?.last_decided_at ?? null) === null; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const { body } = await api.call(api.reader, "GET", "/scopes");
      scope = body.items.find((item: { scope: string }) => item.scope === "customers:read");
    }
    expect(scope).toMatchObject({
      scope: "customers:read",
      description: "See customers",
      owner: "sales",
      implies: [],
      routes: ["GET /v1/customers"],
      tokens: [id],
      token_count: 1,
      last_decided_at: expect.any(String),
    });
  });

  test("show a use in last_used_at within ten seconds", async () => {
    const { id, token } = await api.issue(["charges:read"]);
    const started = Date.now();
    expect((await api.gateway.call(token, "GET", "/v1/charges")).status).toBe(200);
    let used: string | null = null;
    while (used === null && Date.now() - started < 10_000) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      used = (await api.call(api.reader, "GET", `/tokens/${id}`)).body.last_used_at;
    }
    expect(used).not.toBeNull();
    const db = await api.gateway.miniflare.getD1Database("DB");
    const { results } = await db.prepare("SELECT kind, count FROM usage WHERE name = ?").bind(id).all();
    expect(results).toEqual([{ kind: "token", count: 1 }]);
  });

  test.each(["/scopes", "/routes"])("are lists like any other: %s has pages, and refuses a bad query", async (path) => {
    const { body: whole } = await api.call(api.reader, "GET", `${path}?limit=200`);
    expect(whole.items.length).toBeGreaterThan(4);
    expect(whole).not.toHaveProperty("cursor");
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const after = cursor === undefined ? "" : `&cursor=${cursor}`;
      const { body } = await api.call(api.reader, "GET", `${path}?limit=2${after}`);
      expect(body.items.length).toBeLessThanOrEqual(2);
      names.push(...body.items.map(nameOf));
      cursor = body.cursor;
    } while (cursor !== undefined);
    expect(names).toEqual(whole.items.map(nameOf));

    const { body: audit } = await api.call(api.reader, "GET", "/audit?limit=1");
    for (const query of ["limit=0", "limit=201", "cursor=x", "status=active", `cursor=${audit.cursor}`]) {
      const answer = await api.call(api.reader, "GET", `${path}?${query}`);
      expect([query, answer.status, answer.body.reason]).toEqual([query, 400, "request_invalid"]);
    }
  });

  test("tell the routes as the policy has them", async () => {
    const { body } = await api.call(api.reader, "GET", "/routes");
    expect(body.items).toContainEqual({
      route: "GET /v1/charges/:charge",
      all: ["charges:read"],
      resource: "charge:{charge}",
    });
    expect(body.items).toContainEqual({ route: "GET /v1/customers", all: ["customers:read"] });
    expect(body.items).toContainEqual({
      route: "GET /v1/fresh",
      authenticated: true,
      resource: [],
      max_token_age: "15m",
    });
  });
});

describe("explain", () => {
  const ask = (body: object) => api.call(api.reader, "POST", "/explain", body);

  test("answers as the gateway does, for scopes and for a token", async () => {
    const { id, token } = await api.issue(["charges:read"], { allow_list: ["charge:a"] });
    const yes = await ask({ method: "GET", path: "/v1/charges/a", token });
    expect(yes.body).toMatchObject({
      allowed: true,
      status: 200,
      path: "/v1/charges/a",
      route: "GET /v1/charges/:charge",
    });
    const no = await ask({ method: "GET", path: "/v1/charges/b", token });
    expect(no.body).toMatchObject({ allowed: false, status: 403, reason: "resource_not_allowed" });
    const scopes = await ask({ method: "POST", path: "/v1/charges", scopes: ["charges:read"] });
    expect(scopes.body).toMatchObject({ allowed: false, status: 403, reason: "scope_insufficient" });
    const listed = await ask({
      method: "GET",
      path: "/v1/charges/a",
      scopes: "charges:read",
      allow_list: ["charge:b"],
    });
    expect(listed.body.reason).toBe("resource_not_allowed");
    const nobody = await ask({ method: "GET", path: "/v1/charges" });
    expect(nobody.body).toMatchObject({ allowed: false, status: 401, reason: "token_missing" });
    expect((await ask({ method: "GET", path: "/v1/%2e%2e/x" })).body.reason).toBe("ambiguous_path");

    const later = new Date(Date.now() + 400 * 86_400_000).toISOString();
    expect((await ask({ method: "GET", path: "/v1/charges/a", token, at: later })).body.reason).toBe("token_expired");
    await api.call(api.admin, "DELETE", `/tokens/${id}`);
    await isRefused(token);
    expect((await ask({ method: "GET", path: "/v1/charges/a", token })).body.reason).toBe("token_revoked");
    expect((await ask({ method: "GET", path: "/v1/charges/a", token: "a.b.c" })).body.reason).toBe("token_invalid");
  });

  test.each<[why: string, body: object]>([
    ["a token and scopes", { method: "GET", path: "/", token: "x", scopes: [] }],
    ["a list of nobody's", { method: "GET", path: "/", allow_list: ["a:b"] }],
    ["a path without a slash", { method: "GET", path: "v1" }],
    ["a method that is none", { method: "GET /", path: "/" }],
    ["an address that is none", { method: "GET", path: "/", ip: "010.0.0.1" }],
    ["a time that is none", { method: "GET", path: "/", at: "tomorrow" }],
    ["a field that is none", { method: "GET", path: "/", now: "x" }],
  ])("refuses %s", async (_why, body) => {
    expect((await ask(body)).status).toBe(400);
  });
});

describe("programs", () => {
  test("read the OpenAPI document where it is served", async () => {
    const token = await api.gateway.token(["scopegate:tokens"]);
    const { status, body } = await api.call(token, "GET", "/openapi.json");
    expect(status).toBe(200);
    expect(body.openapi).toBe("3.1.0");
    expect(body.servers).toEqual([{ url: `${OWN}/_scopegate` }]);
  });

  test("use Hono's typed client", async () => {
    const client = hc<AdminApp>(`${api.gateway.url}/_scopegate`, { headers: { Authorization: `Bearer ${api.admin}` } });
    const issued = await client.tokens.$post({ json: { name: "typed", scopes: ["charges:read"], lifetime: "1h" } });
    expect(issued.status).toBe(201);
    if (issued.status !== 201) return;
    const { id, token, scopes } = await issued.json();
    expect([typeof token, scopes]).toEqual(["string", ["charges:read"]]);

    const list = await client.tokens.$get({ query: { name: "typed", limit: "5" } });
    if (list.status !== 200) throw new Error("the list is refused");
    expect((await list.json()).items.map((record) => record.id)).toEqual([id]);

    const ended = await client.tokens[":id"].$delete({ param: { id } });
    if (ended.status !== 200) throw new Error("the token is not ended");
    const { sequence } = await ended.json();
    const entry = await client.revocations[":sequence"].$get({ param: { sequence: String(sequence) } });
    expect(entry.status === 200 && (await entry.json()).value).toBe(id);

    // @ts-expect-error a token has a name
    const nameless = await client.tokens.$post({ json: { scopes: ["charges:read"] } });
    if (nameless.status === 201) throw new Error("a token without a name is issued");
    const problem = await nameless.json();
    expect(problem.errors).toEqual([{ field: "name", message: "is required" }]);
  });
});
