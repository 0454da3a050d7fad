/** Who used what: when it is written, and what is written then. Timers do not wait; D1 says when it has written. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type CountUse, createUsage } from "../../src/admin/usage.ts";
import type { Alternative } from "../../src/policy/route.ts";
import type { Principal } from "../../src/token/principal.ts";

const DAY_MILLISECONDS = 86_400_000;
const T0 = 20_600 * DAY_MILLISECONDS;
const MOST = 10_000;

type Row = [name: string, count: number, seconds: number, day: number];

/** The rows of each batch so far: of tokens, and of scopes. */
let batches: { readonly tokens: Row[]; readonly scopes: Row[] }[];
let works: Promise<unknown>[];
let failures: unknown[];
/** What the next batches come to. */
let written: () => Promise<unknown>;
let count: CountUse;

beforeEach(() => {
  vi.useFakeTimers();
  [batches, works, failures] = [[], [], []];
  written = async () => undefined;
  const db = {
    prepare: () => ({ bind: (rows: string) => rows }),
    batch([tokens, again, scopes]: string[]) {
      expect(again).toBe(tokens);
      batches.push({ tokens: JSON.parse(tokens ?? ""), scopes: JSON.parse(scopes ?? "") });
      return written();
    },
  };
  count = createUsage(db as unknown as D1Database, (error) => failures.push(error));
});
afterEach(() => {
  vi.useRealTimers();
});

const READ = { scopes: [{ name: "s:read" }, { name: "s:write" }] } as unknown as Alternative;

/** A request so many milliseconds after `T0`; tells whether work was begun for it. */
function use(token: string | null, milliseconds: number, alternative: Alternative | null = null): boolean {
  const before = works.length;
  const principal = { tokenId: token ?? "foreign", own: token !== null } as Principal;
  count(principal, alternative, T0 + milliseconds, (work) => works.push(work));
  return works.length > before;
}

/** Lets timers go on, and all that follows from them. */
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
/** What was counted, batch by batch. */
const counted = (rows: readonly Row[] = []) => Object.fromEntries(rows.map(([name, uses]) => [name, uses]));
const tokens = () => batches.map((batch) => counted(batch.tokens));
const scopes = () => batches.map((batch) => counted(batch.scopes));
const BOTH = { "s:read": 1, "s:write": 1 };

describe("a use", () => {
  test("is written at once with those of the same moment, by token and by each scope", async () => {
    expect([use("a", 0, READ), use("a", 1, READ), use("b", 1_000)]).toEqual([true, false, false]);
    expect([batches, vi.getTimerCount()]).toEqual([[], 0]);
    await pass(0);
    const [second, day] = [T0 / 1000, 20_600];
    expect(batches).toEqual([
      {
        tokens: [
          ["a", 2, second, day],
          ["b", 1, second + 1, day],
        ],
        scopes: [
          ["s:read", 2, second, day],
          ["s:write", 2, second, day],
        ],
      },
    ]);
  });

  test.each([
    [-1, T0 / 1000 - 1, 20_599],
    [0, T0 / 1000, 20_600],
    [DAY_MILLISECONDS - 1, T0 / 1000 + 86_399, 20_600],
  ])("%i milliseconds from midnight is in second %i of day %i", async (milliseconds, second, day) => {
    use("a", milliseconds);
    await pass(0);
    expect(batches[0]?.tokens).toEqual([["a", 1, second, day]]);
  });

  test("of another issuer's token counts for its scopes alone, and of neither for nothing", async () => {
    expect(use(null, 0)).toBe(false);
    expect(use(null, 0, READ)).toBe(true);
    await pass(0);
    expect([tokens(), scopes()]).toEqual([[{}], [BOTH]]);
  });

  test("is written once a minute, with those before it", async () => {
    use("a", 0, READ);
    await pass(0);
    expect(use("a", 59_999)).toBe(false);
    expect(use(null, 59_999, READ)).toBe(false);
    expect(use("a", 60_000)).toBe(true);
    await pass(0);
    expect([tokens()[1], scopes()[1]]).toEqual([{ a: 2 }, BOTH]);
    expect(use(null, 119_999, READ)).toBe(false);
    expect(use(null, 120_000, READ)).toBe(true);
  });

  test("waits until four seconds after the batch before", async () => {
    use("a", 0);
    await pass(0);
    expect(use("b", 1_000)).toBe(true);
    expect(use("c", 2_000)).toBe(false);
    await pass(2_999);
    expect(batches).toHaveLength(1);
    await pass(1);
    expect(tokens()).toEqual([{ a: 1 }, { b: 1, c: 1 }]);
    // A minute later it is the batch's time that counts, not the use's.
    expect(use("b", 63_999)).toBe(false);
    expect(use("b", 64_000)).toBe(true);
  });

  test.each<[why: string, late: () => boolean]>([
    ["token", () => use("late", 50)],
    ["scope", () => use(null, 50, READ)],
  ])(
    "that falls into a batch on its way is written four seconds later though no other follows: a %s's",
    async (_why, late) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      written = () => promise;
      use("a", 0);
      await pass(0);
      expect(late()).toBe(false);
      resolve();
      await pass(3_999);
      expect(batches).toHaveLength(1);
      await pass(1);
      expect(batches).toHaveLength(2);
      await pass(60_000);
      expect(batches).toHaveLength(2);
    },
  );

  test("is not written twice where another has come for it meanwhile", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    written = () => promise;
    use("a", 0);
    await pass(0);
    use("late", 50);
    resolve();
    await pass(0);
    expect(use("b", 100)).toBe(true);
    await pass(60_000);
    expect(tokens()).toEqual([{ a: 1 }, { late: 1, b: 1 }]);
  });

  test("leaves it to a batch that came meanwhile, four seconds before the next", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    written = () => promise;
    use("a", 0);
    await pass(0);
    use("late", 50);
    await pass(3_000);
    resolve();
    await pass(2_000);
    use("b", 5_000);
    await pass(1_000);
    use("c", 6_000);
    await pass(2_999);
    expect(tokens()).toEqual([{ a: 1 }, { late: 1, b: 1 }]);
    await pass(1);
    expect(tokens()[2]).toEqual({ c: 1 });
  });

  test("keeps nobody waiting after a batch that took all", async () => {
    use("a", 0, READ);
    await pass(0);
    expect([batches.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test("is waited for no longer than fifteen seconds: then another begins", async () => {
    written = () => new Promise(() => undefined);
    use("a", 0);
    await pass(0);
    expect(use("b", 14_999)).toBe(false);
    expect(use("c", 15_000)).toBe(true);
  });

  test("whose batch fails is told, kept, and tried again", async () => {
    written = () => Promise.reject(new Error("down"));
    use("a", 0, READ);
    await pass(0);
    expect(failures).toHaveLength(1);
    use("a", 1_000);
    written = async () => undefined;
    await pass(4_000);
    expect(failures).toHaveLength(1);
    expect([tokens()[1], scopes()[1]]).toEqual([{ a: 2 }, BOTH]);
    // Written now, not when it failed.
    await pass(10_000);
    expect(use("a", 63_999)).toBe(false);
    expect(use("a", 64_000)).toBe(true);
  });
});

describe("memory", () => {
  async function fill(milliseconds: number): Promise<void> {
    for (let token = 0; token < MOST; token++) use(`t${token}`, milliseconds);
    await pass(0);
    expect(batches.at(-1)?.tokens).toHaveLength(MOST);
  }

  test("holds ten thousand tokens, and counts no other before they were idle for a minute", async () => {
    await fill(0);
    for (const milliseconds of [59_999, 60_000]) {
      expect(use("new", milliseconds)).toBe(true);
      await pass(4_000);
    }
    expect(batches).toHaveLength(1);
    use("new", 120_000);
    await pass(0);
    expect(tokens().slice(1)).toEqual([{ new: 1 }]);
  });

  test("has place for others at that very time", async () => {
    await fill(0);
    use("t0", 60_000);
    await pass(0);
    use("new", 60_001);
    await pass(4_000);
    expect(tokens().slice(1)).toEqual([{ t0: 1 }, { new: 1 }]);
  });

  test("forgets no use that is not written", async () => {
    await fill(0);
    use("t0", 59_999);
    use("t1", 60_000);
    await pass(60_000);
    use("t0", 120_000);
    await pass(60_000);
    expect(tokens().slice(1)).toEqual([{ t0: 1, t1: 1 }, { t0: 1 }]);
  });
});
