import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { readReceipts, reportReceipt } from "../../src/revocation/receipts.ts";
import {
  addRevocations,
  getRevocation,
  listRevocations,
  type NewRevocation,
  sequencesOf,
  withdrawRevocation,
} from "../../src/revocation/records.ts";
import { recreateSchema } from "../support/database.ts";

const issuer = "https://api.example.com";
const author = { createdBy: "admin", nowSeconds: 1_800_000_000 };

beforeEach(() => recreateSchema(env.DB));

function entry(over: Partial<NewRevocation> = {}): NewRevocation {
  return { kind: "token", issuer, value: "id", issuedBefore: null, expiresAt: null, reason: "lost", ...over };
}

async function add(...entries: NewRevocation[]): Promise<number[]> {
  return sequencesOf(await env.DB.batch(addRevocations(env.DB, entries, author)));
}

describe("adding revocations", () => {
  test("keeps every field", async () => {
    const whole = entry({
      kind: "subject",
      value: 'al\'ice "ü" 😀',
      issuedBefore: 5,
      effectiveAt: 6,
      expiresAt: 7,
      reason: "; --",
    });
    const [sequence = 0] = await add(whole);
    expect(await getRevocation(env.DB, sequence)).toEqual({
      ...whole,
      sequence,
      createdAt: author.nowSeconds,
      createdBy: "admin",
    });
  });

  test("counts at once where nothing else is said", async () => {
    const [sequence = 0] = await add(entry());
    expect(await getRevocation(env.DB, sequence)).toMatchObject({
      effectiveAt: author.nowSeconds,
      expiresAt: null,
      issuedBefore: null,
    });
  });

  test("of an issuer names it twice", async () => {
    const [sequence = 0] = await add(entry({ kind: "issuer", value: "https://other" }));
    expect(await getRevocation(env.DB, sequence)).toMatchObject({ issuer: "https://other", value: "https://other" });
  });

  test("keeps a value that looks like a number or like JSON as the text that it is", async () => {
    const values = ["007", "1e3", "true", "null", '{"a":1}', "[]", ""];
    const sequences = await add(...values.map((value) => entry({ value })));
    for (const [at, sequence] of sequences.entries()) {
      expect((await getRevocation(env.DB, sequence))?.value).toBe(values[at]);
    }
  });

  test("of 5,000 at once gives each its sequence, in order", async () => {
    const sequences = await add(...Array.from({ length: 5000 }, (_, at) => entry({ value: `v${at}` })));
    expect(sequences).toEqual(Array.from({ length: 5000 }, (_, at) => at + 1));
    expect((await getRevocation(env.DB, 4321))?.value).toBe("v4320");
    expect(() =>
      addRevocations(
        env.DB,
        Array.from({ length: 5001 }, () => entry()),
        author,
      ),
    ).toThrow(RangeError);
  });

  test("adds all or nothing, with whatever else is in the batch", async () => {
    const statements = addRevocations(
      env.DB,
      Array.from({ length: 600 }, () => entry()),
      author,
    );
    await expect(env.DB.batch([...statements, env.DB.prepare("INSERT INTO nowhere VALUES (1)")])).rejects.toThrow();
    const bad = entry({ kind: "nonsense" as "token" });
    await expect(add(...Array.from({ length: 600 }, () => entry()), bad)).rejects.toThrow();
    expect((await listRevocations(env.DB, null, 10)).items).toEqual([]);
  });
});

describe("the log", () => {
  test("cannot be changed", async () => {
    await add(entry());
    await expect(env.DB.prepare("UPDATE revocations SET value = 'x'").run()).rejects.toThrow("only ever added to");
    await expect(env.DB.prepare("DELETE FROM revocations").run()).rejects.toThrow("stays until a day after its expiry");
    await expect(env.DB.prepare("INSERT OR REPLACE INTO revocations SELECT * FROM revocations").run()).rejects.toThrow(
      "come in order",
    );
    const [first = 0] = await add(entry());
    await withdrawRevocation(env.DB, first, "x", author).run();
    const again = `INSERT OR REPLACE INTO revocations SELECT NULL, kind, issuer, value, issued_before, effective_at, expires_at,
      reason, created_at, created_by, withdraws FROM revocations WHERE withdraws IS NOT NULL`;
    await expect(env.DB.prepare(again).run()).rejects.toThrow("come in order");
  });

  test("cannot lose an entry before a day after its expiry", async () => {
    const now = Math.floor(Date.now() / 1000);
    await add(entry({ expiresAt: now - 86_000 }));
    await expect(env.DB.prepare("DELETE FROM revocations").run()).rejects.toThrow();
  });
});

describe("withdrawing", () => {
  const withdrawal = (sequence: number): D1PreparedStatement => withdrawRevocation(env.DB, sequence, "mistake", author);

  test("takes an entry out of the list, once", async () => {
    const [first = 0, second = 0] = await add(entry({ value: "a", expiresAt: 99 }), entry({ value: "b" }));
    expect((await withdrawal(first).run()).results).toHaveLength(1);
    expect((await withdrawal(first).run()).results).toEqual([]);
    expect(await getRevocation(env.DB, first)).toBeNull();
    expect((await listRevocations(env.DB, null, 10)).items.map((item) => item.sequence)).toEqual([second]);
  });

  test("concurrently does it once", async () => {
    const [first = 0] = await add(entry());
    const results = await Promise.all([1, 2, 3, 4].map(() => withdrawal(first).run()));
    expect(results.flatMap((result) => result.results)).toHaveLength(1);
  });

  test("has nothing to withdraw where there is no entry, or a withdrawal", async () => {
    const [first = 0] = await add(entry());
    expect((await withdrawal(99).run()).results).toEqual([]);
    await withdrawal(first).run();
    expect((await withdrawal(first + 1).run()).results).toEqual([]);
    expect(await getRevocation(env.DB, first + 1)).toBeNull();
  });

  test("lets a row of the same batch depend on it", async () => {
    const [first = 0] = await add(entry());
    await env.DB.exec("CREATE TABLE witness (at INTEGER)");
    try {
      const witness = env.DB.prepare("INSERT INTO witness SELECT 1 WHERE changes() > 0");
      await env.DB.batch([withdrawal(first), witness]);
      await env.DB.batch([withdrawal(first), witness]);
      expect(await env.DB.prepare("SELECT count(*) AS n FROM witness").first("n")).toBe(1);
    } finally {
      await env.DB.exec("DROP TABLE witness");
    }
  });
});

describe("listing", () => {
  test("goes through all entries once, the newest first, while others are added", async () => {
    await add(...Array.from({ length: 25 }, (_, at) => entry({ value: `v${at}` })));
    const seen: number[] = [];
    let cursor: number | null = null;
    do {
      const page: Awaited<ReturnType<typeof listRevocations>> = await listRevocations(env.DB, cursor, 10);
      seen.push(...page.items.map((item) => item.sequence));
      await add(entry());
      cursor = page.cursor;
    } while (cursor !== null);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, at) => 25 - at));
  });

  test("has no cursor where the last page is full", async () => {
    await add(entry(), entry());
    expect((await listRevocations(env.DB, null, 2)).cursor).toBeNull();
  });

  test("and withdrawing read by index alone", async () => {
    const plans = await env.DB.batch([
      env.DB.prepare(`EXPLAIN QUERY PLAN SELECT sequence FROM revocations AS entry WHERE sequence < 5 AND withdraws IS NULL
        AND NOT EXISTS (SELECT 1 FROM revocations AS later WHERE later.withdraws = entry.sequence) ORDER BY sequence DESC LIMIT 5`),
      env.DB.prepare(
        "EXPLAIN QUERY PLAN SELECT sequence FROM revocations WHERE expires_at < 5 ORDER BY expires_at LIMIT 5",
      ),
      env.DB.prepare("EXPLAIN QUERY PLAN SELECT * FROM revocations WHERE sequence > 5 ORDER BY sequence LIMIT 5"),
    ]);
    for (const { detail } of plans.flatMap((plan) => plan.results as { detail: string }[])) {
      expect(detail).not.toMatch(/^SCAN|TEMP B-TREE/);
    }
  });
});

describe("receipts", () => {
  test("of an unknown or withdrawn revocation are not there", async () => {
    const [first = 0] = await add(entry());
    expect(await readReceipts(env.DB, first + 5)).toBeNull();
    await withdrawRevocation(env.DB, first, "x", author).run();
    expect(await readReceipts(env.DB, first + 1)).toBeNull();
  });

  test("without a location say so", async () => {
    const [first = 0] = await add(entry());
    expect(await readReceipts(env.DB, first)).toEqual({
      sequence: first,
      createdAt: author.nowSeconds,
      locations: [],
      seenLastFiveMinutes: 0,
      appliedLastFiveMinutes: 0,
      oldestLagSeconds: null,
    });
  });

  test("are kept once in thirty seconds, and count for five minutes", async () => {
    const [first = 0, second = 0] = await add(entry(), entry());
    await reportReceipt(env.DB, "FRA", first, 2.5);
    await reportReceipt(env.DB, "FRA", second, 0);
    await env.DB.prepare("INSERT INTO receipts VALUES ('OLD', 9, unixepoch() - 400, unixepoch() - 301)").run();
    await env.DB.prepare("INSERT INTO receipts VALUES ('GONE', 9, unixepoch() - 90000, unixepoch() - 90000)").run();
    const receipts = await readReceipts(env.DB, second);
    expect(receipts?.locations.map(({ location, sequence, applied }) => [location, sequence, applied])).toEqual([
      ["FRA", first, false],
      ["OLD", 9, true],
    ]);
    expect(receipts).toMatchObject({ seenLastFiveMinutes: 1, appliedLastFiveMinutes: 0 });
    expect(receipts?.oldestLagSeconds).toBeGreaterThanOrEqual(3);
    await env.DB.prepare("UPDATE receipts SET reported_at = reported_at - 30").run();
    await reportReceipt(env.DB, "FRA", second, 0);
    expect(await readReceipts(env.DB, second)).toMatchObject({ appliedLastFiveMinutes: 1 });
  });
});
