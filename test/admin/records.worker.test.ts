/** Records, usage and the audit log in a real D1: which way queries go, what triggers keep, what a flush writes. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { scopesStatement } from "../../src/admin/catalogue.ts";
import type { Grant } from "../../src/admin/tokens/grant.ts";
import {
  findToken,
  listTokens,
  ownerOf,
  pageStatement,
  type TokenFilter,
  type TokenRow,
} from "../../src/admin/tokens/records.ts";
import { insertStatements } from "../../src/admin/tokens/store.ts";
import { createUsage } from "../../src/admin/usage.ts";
import type { Write } from "../../src/admin/write.ts";
import type { Alternative } from "../../src/policy/route.ts";
import type { Principal } from "../../src/token/principal.ts";
import { applySchema } from "../support/database.ts";

const { DB: db } = env as unknown as { DB: D1Database };
const NOW = 1_780_000_000;
const MANY = 100_000;

beforeAll(async () => {
  await applySchema(db);
  await applySchema(db);
  for (let from = 0; from < MANY; from += 2_000) await insertMany(from, from + 2_000);
});

/** Tokens of ten subjects, with two of four scopes each, some of them expired. */
async function insertMany(from: number, to: number): Promise<void> {
  await db
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT CAST(?1 AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
       INSERT INTO tokens (id, name, subject, client, scopes, conditions, issued_at, authenticated_at, expires_at,
         created_by_issuer, created_by_subject, ancestors)
       SELECT 'id ' || i, 'name ' || (i % 100), 'subject ' || (i % 10), 'c', json_array('s' || (i % 4), 's' || ((i + 1) % 4)), '[]',
         ?3, ?3, ?3 + (i % 3) * 1000, 'issuer', 'creator ' || (i % 7), '[]' FROM n`,
    )
    .bind(from, to, NOW - 500)
    .run();
}

async function planOf(statement: D1PreparedStatement, db_: D1Database = db): Promise<string[]> {
  const { statement: text, params } = statement as unknown as { statement: string; params: unknown[] };
  const { results } = await db_
    .prepare(`EXPLAIN QUERY PLAN ${text}`)
    .bind(...params)
    .all<{ detail: string }>();
  return results.map(({ detail }) => detail);
}

const owner = { issuer: "issuer", subject: "creator 1" };
const filters: readonly TokenFilter[] = [
  {},
  { subject: "subject 1" },
  { scope: "s1" },
  { status: "active" },
  { status: "expired" },
  { status: "revoked" },
  { name: "name 1" },
  { subject: "subject 1", scope: "s1", status: "active", name: "name 1" },
  { subject: "subject 1", status: "active" },
  { scope: "s1", subject: "subject 1" },
];

describe("a page of tokens", () => {
  test.each(filters.flatMap((filter) => [null, owner].map((mine) => ({ filter, mine }))))(
    "$filter of $mine takes one query along an index, without a scan of the table or a sort",
    async ({ filter, mine }) => {
      for (const after of filter.name === undefined ? ([null, [500]] as const) : ([null, ["name 1", 500]] as const)) {
        const plan = await planOf(pageStatement(db, filter, mine, { after, limit: 50, nowSeconds: NOW }));
        expect(plan.length).toBeGreaterThan(0);
        for (const step of plan) {
          expect(step).not.toMatch(/^SCAN (?!json_each|CONSTANT)/);
          expect(step).not.toMatch(/TEMP B-TREE/);
        }
      }
    },
  );

  test("of a subject goes along the subject's own index", async () => {
    const page = { after: null, limit: 50, nowSeconds: NOW };
    const plan = await planOf(pageStatement(db, { subject: "subject 1" }, null, page));
    expect(plan.join()).toContain("tokens_subject");
  });

  test("reads no more rows than it shows", async () => {
    for (const filter of [{}, { subject: "subject 1" }, { scope: "s1" }, { name: "name 1" }]) {
      const { meta } = await pageStatement(db, filter, null, { after: null, limit: 50, nowSeconds: NOW }).all();
      expect(meta.rows_read).toBeLessThanOrEqual(4 * 51);
    }
  });

  test.each(filters)(
    "of %o, one after the other, are what the filter says: each token once, in order",
    async (filter) => {
      const seen: string[] = [];
      let after: Parameters<typeof pageStatement>[3]["after"] = null;
      for (;;) {
        const page = { after, limit: 200, nowSeconds: NOW };
        const results: TokenRow[] = (await pageStatement(db, filter, null, page).all<TokenRow>()).results;
        const rows = results.slice(0, 200);
        seen.push(...rows.map(({ id }) => id));
        const last = rows.at(-1);
        if (results.length <= 200 || last === undefined) break;
        after = filter.name === undefined ? [last.number] : [last.name, last.number];
      }
      const { results } = await db
        .prepare(
          `SELECT id, name, subject, scopes, expires_at, revoked_at FROM tokens
         ORDER BY ${filter.name === undefined ? "number DESC" : "name, number"}`,
        )
        .all<{
          id: string;
          name: string;
          subject: string;
          scopes: string;
          expires_at: number;
          revoked_at: number | null;
        }>();
      const expected = results.filter(
        (row) =>
          (filter.name === undefined || row.name.startsWith(filter.name)) &&
          (filter.subject === undefined || row.subject === filter.subject) &&
          (filter.scope === undefined || (JSON.parse(row.scopes) as string[]).includes(filter.scope)) &&
          (filter.status === undefined ||
            filter.status === (row.revoked_at !== null ? "revoked" : row.expires_at <= NOW ? "expired" : "active")),
      );
      expect(seen).toEqual(expected.map(({ id }) => id));
    },
  );

  test("of an owner has what the owner issued alone", async () => {
    const page = await listTokens(db, {}, owner, { list: "l", after: null, limit: 200, nowSeconds: NOW });
    expect(page.items.length).toBe(200);
    expect(new Set(page.items.map(({ created_by }) => created_by.subject))).toEqual(new Set(["creator 1"]));
    expect(await findToken(db, "id 1", owner)).not.toBeNull();
    expect(await findToken(db, "id 2", owner)).toBeNull();
    expect(
      await findToken(db, "id 2", ownerOf({ issuer: "issuer", subject: null, own: false, elderIssuers: [] })),
    ).toBeNull();
  });
});

describe("the record of a new token", () => {
  test("looks for its subject's cut-offs along an index, however much is revoked", async () => {
    const write: Write = {
      id: "w",
      nowSeconds: NOW,
      actor: { issuer: "i", subject: "s", tokenId: "t" },
      address: null,
      requestId: "r",
    };
    const grant: Grant = {
      subject: "s",
      client: "s",
      scopes: [],
      allowList: null,
      conditions: [],
      issuedAtSeconds: NOW,
      authenticatedAtSeconds: NOW,
      expiresAtSeconds: NOW,
      parent: null,
      ancestors: [],
    };
    const token = { id: "id 1", name: "n", grant, replaces: null };
    const [, cutOff] = insertStatements(db, write, "https://gateway.example.com", token);
    if (cutOff === undefined) throw new Error("nothing asks for cut-offs");
    const plan = await planOf(cutOff);
    expect(plan.filter((step) => step.startsWith("SCAN"))).toEqual([]);
    expect(plan.join("\n")).toContain("revocations_subject");
  });
});

describe("the other queries", () => {
  test.each([
    ["SELECT * FROM tokens WHERE id = 'x'"],
    ["SELECT * FROM audit WHERE sequence < 9 ORDER BY sequence DESC LIMIT 51"],
    ["SELECT fingerprint, token FROM idempotency WHERE caller = 'c' AND key = 'k'"],
    ["DELETE FROM idempotency WHERE created_at <= 9"],
    ["DELETE FROM token_revocations WHERE sequence = 9"],
    ["SELECT number FROM tokens WHERE id = 'x' OR number IN (SELECT token FROM token_ancestors WHERE ancestor = 'x')"],
    ["UPDATE token_scopes SET live_until = 9 WHERE token = 9"],
    ["SELECT 1 FROM tokens WHERE id IN (SELECT value FROM json_each('[]')) AND revoked_at <= 9"],
    [
      "UPDATE tokens SET last_used_at = used.value ->> 2 FROM json_each('[]') AS used WHERE tokens.id = used.value ->> 0",
    ],
  ])("%s scans no table", async (text) => {
    for (const step of await planOf(db.prepare(text))) expect(step).not.toMatch(/^SCAN (?!json_each|used|CONSTANT)/);
  });

  test("counting the live tokens of a scope goes along an index", async () => {
    const statement = scopesStatement(db, ["s0", "s1", "nobody's"], NOW);
    for (const step of await planOf(statement)) expect(step).not.toMatch(/^SCAN (?!asked|json_each|CONSTANT|\()/);
    const { results } = await statement.all<{ scope: string; count: number; ids: string }>();
    const { results: right } = await db
      .prepare("SELECT count(*) AS count FROM tokens, json_each(tokens.scopes) WHERE value = 's1' AND expires_at > ?")
      .bind(NOW)
      .all<{ count: number }>();
    expect(results.map(({ scope, count }) => [scope, count])).toContainEqual(["s1", right[0]?.count]);
    expect(results.map(({ scope, count, ids }) => [scope, count, ids])).toContainEqual(["nobody's", 0, "[]"]);
    expect((JSON.parse(results[0]?.ids ?? "") as string[]).length).toBe(100);
  });
});

describe("the audit log", () => {
  test("refuses to be changed or to lose a row", async () => {
    await db
      .prepare(
        "INSERT INTO audit (write, at, actor_issuer, actor_token, action, target, request_id) VALUES ('w', 1, 'i', 't', 'a', 'x', 'r')",
      )
      .run();
    await expect(db.prepare("UPDATE audit SET target = 'y'").run()).rejects.toThrow(/only ever added/);
    await expect(db.prepare("DELETE FROM audit").run()).rejects.toThrow(/only ever added/);
    await expect(
      db
        .prepare(
          "INSERT OR REPLACE INTO audit (sequence, write, at, actor_issuer, actor_token, action, target, request_id) VALUES (1, 'w2', 1, 'i', 't', 'a', 'z', 'r')",
        )
        .run(),
    ).rejects.toThrow();
    const { results } = await db.prepare("SELECT target FROM audit").all();
    expect(results).toEqual([{ target: "x" }]);
  });
});

describe("use", () => {
  const alternative = {
    scopes: [{ name: "s:read" }, { name: "s:write" }],
    header: "s:read s:write",
  } as unknown as Alternative;
  const principal = (tokenId: string, own = true) => ({ tokenId, own }) as Principal;
  const waits: Promise<unknown>[] = [];
  const behind = (work: Promise<unknown>) => {
    waits.push(work);
  };
  const settle = async () => {
    while (waits.length > 0) await waits.pop();
  };
  const usedAt = async (id: string) =>
    (await db.prepare("SELECT last_used_at FROM tokens WHERE id = ?").bind(id).first<{ last_used_at: number | null }>())
      ?.last_used_at;
  const counts = async (name: string) =>
    (await db.prepare("SELECT day, count, last_at FROM usage WHERE name = ? ORDER BY day").bind(name).all()).results;

  test("is written behind a response, once a minute, and counted by day, token and scope", async () => {
    const use = createUsage(db, (error) => {
      throw error;
    });
    const start = NOW * 1000;
    use(principal("id 1"), alternative, start, behind);
    use(principal("id 1"), alternative, start + 1, behind);
    expect(waits).toHaveLength(1);
    await settle();
    const day = Math.floor(NOW / 86_400);
    expect(await usedAt("id 1")).toBe(NOW);
    expect(await counts("id 1")).toEqual([{ day, count: 2, last_at: NOW }]);
    expect(await counts("s:write")).toEqual([{ day, count: 2, last_at: NOW }]);

    use(principal("id 1"), alternative, start + 30_000, behind);
    expect(waits).toHaveLength(0);
    use(principal("id 1"), alternative, start + 60_000, behind);
    expect(waits).toHaveLength(1);
    await settle();
    expect(await usedAt("id 1")).toBe(NOW + 60);
    expect(await counts("id 1")).toEqual([{ day, count: 4, last_at: NOW + 60 }]);
  });

  test("in another isolate is shown though the token was written within a minute, and moves last_used_at back never", async () => {
    const isolate = () =>
      createUsage(db, (error) => {
        throw error;
      });
    for (const [seconds, shown] of [
      [12, 12],
      [14, 14],
      [13, 14],
    ] as const) {
      isolate()(principal("id 6"), null, (NOW + seconds) * 1000, behind);
      await settle();
      expect(await usedAt("id 6")).toBe(NOW + shown);
    }
    expect(await counts("id 6")).toMatchObject([{ count: 3, last_at: NOW + 14 }]);
  });

  test("of a token without a record, or of another issuer's, leaves no row", async () => {
    const use = createUsage(db, (error) => {
      throw error;
    });
    use(principal("no record"), null, NOW * 1000, behind);
    use(principal("id 2", false), null, NOW * 1000 + 1, behind);
    await settle();
    expect(await counts("no record")).toEqual([]);
    expect(await counts("id 2")).toEqual([]);
    expect(await usedAt("id 2")).toBeNull();
  });

  test("holds no more than it should, however many tokens come", async () => {
    const use = createUsage(db, (error) => {
      throw error;
    });
    for (let index = 0; index < 12_000; index++) use(principal(`id ${index}`), null, NOW * 1000 + 200_000, behind);
    await settle();
    const { results } = await db
      .prepare("SELECT count(*) AS used FROM tokens WHERE last_used_at = ?")
      .bind(NOW + 200)
      .all();
    expect(results).toEqual([{ used: 10_000 }]);
  });
});
