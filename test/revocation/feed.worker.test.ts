import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { createRevocationFeed, type RevocationFeed } from "../../src/revocation/feed.ts";
import { pack } from "../../src/revocation/packing.ts";
import { readReceipts } from "../../src/revocation/receipts.ts";
import { withdrawRevocation } from "../../src/revocation/records.ts";
import { breakable, latch, type Tap } from "../support/breakable.ts";
import { recreateSchema } from "../support/database.ts";
import { issuer, revokeTokens, tokenOf } from "../support/revocations.ts";

const START = 1_800_000_000_000;
const REFRESH = 5_000;
const MAX_STALENESS = 30_000;

interface Isolate {
  readonly feed: RevocationFeed;
  readonly d1: Tap;
  readonly kv: Tap;
  readonly cache: Tap;
  /** Asks `ready` now and waits for its answer, and for all that goes on behind. */
  ready(): Promise<boolean>;
  /** Asks `ready` and waits for nothing behind. */
  ask(): true | Promise<boolean>;
  settled(): Promise<void>;
  isRevoked(id: string): boolean;
}

let now = START;
let caches_ = 0;
let sharedCache: Cache;

beforeEach(async () => {
  now = START;
  await recreateSchema(env.DB);
  const { keys } = await env.REVOCATIONS.list();
  for (const { name } of keys) await env.REVOCATIONS.delete(name);
  sharedCache = await caches.open(`test-${caches_++}`);
});

function isolate(
  over: { cache?: boolean; location?: string; clock?: () => number; maxStaleness?: number } = {},
): Isolate {
  const d1 = breakable(env.DB);
  const kv = breakable(env.REVOCATIONS);
  const cache = breakable(sharedCache);
  const feed = createRevocationFeed({
    db: d1.binding,
    kv: kv.binding,
    cache: over.cache === true ? { open: async () => cache.binding, url: `${issuer}/cache` } : null,
    now: over.clock ?? (() => now),
    refreshMilliseconds: REFRESH,
    maxStalenessMilliseconds: over.maxStaleness ?? MAX_STALENESS,
    location: () => over.location ?? null,
  });
  const behind: Promise<unknown>[] = [];
  const ask = (): true | Promise<boolean> => feed.ready((over.clock ?? (() => now))(), (work) => behind.push(work));
  const settled = async (): Promise<void> => {
    await Promise.all(behind);
  };
  return {
    feed,
    d1: d1.tap,
    kv: kv.tap,
    cache: cache.tap,
    ask,
    settled,
    async ready() {
      const answer = await ask();
      await settled();
      return answer;
    },
    isRevoked: (id) => feed.isRevoked(tokenOf(id), now / 1000),
  };
}

function revoke(...ids: string[]): Promise<number> {
  return revokeTokens(env.DB, ids, Math.floor(now / 1000));
}

async function withdraw(sequence: number): Promise<void> {
  await withdrawRevocation(env.DB, sequence, "test", { createdBy: "test", nowSeconds: now / 1000 }).run();
}

describe("a fresh isolate", () => {
  test("reads the log before it decides anything", async () => {
    await revoke("a", "b");
    const one = isolate();
    expect(one.feed.state(now)).toBeNull();
    expect(one.ask()).toBeInstanceOf(Promise);
    expect(await one.ready()).toBe(true);
    expect([one.isRevoked("a"), one.isRevoked("b"), one.isRevoked("c")]).toEqual([true, true, false]);
    expect(one.feed.state(now + 7)).toEqual({ sequence: 2, ageMilliseconds: 7 });
  });

  test("is ready on an empty list", async () => {
    const one = isolate();
    expect(await one.ready()).toBe(true);
    expect(one.feed.state(now)).toEqual({ sequence: 0, ageMilliseconds: 0 });
    expect(one.isRevoked("a")).toBe(false);
  });

  test("throws rather than answer before it was ready", () => {
    expect(() => isolate().isRevoked("a")).toThrow("before it was ready");
  });

  test("begins with the snapshot and reads only the rest from D1", async () => {
    await revoke("a", "b", "c");
    await pack(env.DB, env.REVOCATIONS);
    await revoke("d");
    const one = isolate();
    let pages = 0;
    one.d1.after = (call) => {
      if (call === "batch") pages++;
    };
    expect(await one.ready()).toBe(true);
    expect(["a", "b", "c", "d", "e"].map(one.isRevoked)).toEqual([true, true, true, true, false]);
    expect([one.kv.calls, pages]).toEqual([1, 1]);
  });

  test.each(["fail", "hang"] as const)(
    "reads the log where KV should %s",
    async (mode) => {
      await revoke("a");
      await pack(env.DB, env.REVOCATIONS);
      const one = isolate();
      one.kv.mode = mode;
      expect(await one.ask()).toBe(true);
      expect(one.isRevoked("a")).toBe(true);
    },
    15_000,
  );

  test("reads the log where the snapshots' places are no longer in it", async () => {
    await revoke("a", "b");
    await pack(env.DB, env.REVOCATIONS);
    await env.DB.prepare("UPDATE snapshots SET sequence = 1").run();
    await env.DB.prepare("DROP TRIGGER revocations_go_when_expired").run();
    await env.DB.prepare("DELETE FROM revocations WHERE sequence = 2").run();
    const one = isolate();
    expect(await one.ready()).toBe(true);
    expect(["a", "b"].map(one.isRevoked)).toEqual([true, false]);
  });

  test("reads a long log in pages until it has caught up", async () => {
    for (let page = 0; page < 5; page++) await revoke(...Array.from({ length: 5000 }, (_, at) => `t-${page}-${at}`));
    const one = isolate();
    expect(await one.ready()).toBe(true);
    expect(one.feed.state(now)?.sequence).toBe(25_000);
    expect([one.isRevoked("t-0-0"), one.isRevoked("t-4-4999"), one.isRevoked("t-5-0")]).toEqual([true, true, false]);
  });

  test("says no while D1 fails, and recovers by itself", async () => {
    await revoke("a");
    const one = isolate();
    one.d1.mode = "fail";
    expect(await one.ready()).toBe(false);
    expect(await one.ready()).toBe(false);
    one.d1.mode = "pass";
    expect(await one.ready()).toBe(true);
    expect(one.isRevoked("a")).toBe(true);
  });

  test("says no in bounded time while D1 hangs", async () => {
    const one = isolate();
    one.d1.mode = "hang";
    expect(await one.ask()).toBe(false);
    one.d1.mode = "pass";
    expect(await one.ask()).toBe(true);
  }, 15_000);

  test("shares one load among concurrent requests", async () => {
    await revoke("a");
    const one = isolate();
    const answers = await Promise.all(Array.from({ length: 50 }, () => one.ask()));
    await one.settled();
    expect(answers.every((answer) => answer === true)).toBe(true);
    expect(one.d1.calls).toBe(2); // the pointers, and one page
  });

  test("goes on where an attempt that died left off", async () => {
    await revoke(...Array.from({ length: 5000 }, (_, at) => `x${at}`));
    await revoke(...Array.from({ length: 5000 }, (_, at) => `y${at}`));
    await revoke("z");
    const one = isolate();
    let batches = 0;
    one.d1.before = (call) => {
      if (call === "batch" && ++batches === 2) throw new Error("died on the second page");
    };
    expect(await one.ready()).toBe(false);
    expect(one.feed.state(now)).toBeNull();
    one.d1.before = null;
    one.d1.calls = 0;
    expect(await one.ready()).toBe(true);
    expect(one.d1.calls).toBe(1);
    expect([one.isRevoked("x0"), one.isRevoked("z")]).toEqual([true, true]);
  });
});

describe("a warm isolate", () => {
  test("answers synchronously and asks nobody", async () => {
    const one = isolate({ cache: true });
    await one.ready();
    for (const tap of [one.d1, one.kv, one.cache]) tap.calls = 0;
    for (let at = 0; at < 1000; at++) {
      now = START + Math.floor((at * (REFRESH - 1)) / 1000);
      expect(one.ask()).toBe(true);
    }
    await one.settled();
    expect([one.d1.calls, one.kv.calls, one.cache.calls]).toEqual([0, 0, 0]);
  });

  test("decides while one refresh goes on behind, and knows more afterwards", async () => {
    const one = isolate();
    await one.ready();
    await revoke("late");
    now += REFRESH;
    one.d1.calls = 0;
    for (let at = 0; at < 20; at++) expect(one.ask()).toBe(true);
    expect(one.isRevoked("late")).toBe(false);
    await one.settled();
    expect(one.d1.calls).toBe(1);
    expect(one.isRevoked("late")).toBe(true);
  });

  test("that was idle for longer than refresh does not decide before it has asked", async () => {
    const one = isolate();
    await one.ready();
    await revoke("while idle");
    now += REFRESH + 1_000;
    const answer = one.ask();
    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toBe(true);
    expect(one.isRevoked("while idle")).toBe(true);
  });

  test("counts its age from when the query was sent, not from when it came back", async () => {
    const one = isolate();
    await one.ready();
    now += REFRESH;
    const gate = latch();
    one.d1.before = () => gate.closed;
    expect(one.ask()).toBe(true);
    now += 200;
    gate.open();
    await one.settled();
    expect(one.feed.state(now)?.ageMilliseconds).toBe(200);
  });

  test("decides by older knowledge while D1 fails, and not beyond max_staleness", async () => {
    await revoke("a");
    const one = isolate();
    await one.ready();
    one.d1.mode = "fail";
    now += REFRESH + 1_000;
    expect(await one.ready()).toBe(true);
    now = START + MAX_STALENESS - 1;
    expect(one.ask()).toBe(true);
    await one.settled();
    expect(one.isRevoked("a")).toBe(true);
    now = START + MAX_STALENESS;
    expect(await one.ready()).toBe(false);
    now += 3_600_000;
    expect(await one.ready()).toBe(false);
    one.d1.mode = "pass";
    await revoke("b");
    expect(await one.ready()).toBe(true);
    expect(one.isRevoked("b")).toBe(true);
  });

  test("does not ask a failing D1 with every request", async () => {
    const one = isolate();
    await one.ready();
    one.d1.mode = "fail";
    now += REFRESH + 1_000;
    await one.ready();
    one.d1.calls = 0;
    for (let at = 0; at < 100; at++) {
      expect(one.ask()).toBe(true);
      await one.settled();
    }
    expect(one.d1.calls).toBe(0);
    now += 1_000;
    expect(one.ask()).toBe(true);
    await one.settled();
    expect(one.d1.calls).toBe(1);
  });

  test("waits once for a D1 that hangs, then decides by older knowledge, then says no", async () => {
    const one = isolate();
    await one.ready();
    one.d1.mode = "hang";
    one.d1.calls = 0;
    now += REFRESH + 1_000;
    expect(await one.ask()).toBe(true);
    expect(one.d1.calls).toBe(2); // in a row, before D1 is to blame
    expect(one.ask()).toBe(true);
    now = START + MAX_STALENESS;
    one.d1.calls = 0;
    expect(await one.ask()).toBe(false);
    expect(one.d1.calls).toBe(1);
    one.d1.mode = "pass";
    expect(await one.ask()).toBe(true);
  }, 15_000);

  test("takes over from a request whose refresh never ends, once for all that wait", async () => {
    const one = isolate();
    await one.ready();
    await revoke("a");
    now += MAX_STALENESS;
    one.d1.mode = "hang";
    one.d1.calls = 0;
    const leader = one.ask();
    one.d1.mode = "pass";
    one.d1.before = () => new Promise((resolve) => setTimeout(resolve, 100));
    expect(await Promise.all([leader, one.ask(), one.ask()])).toEqual([true, true, true]);
    expect(one.isRevoked("a")).toBe(true);
    expect(one.d1.calls).toBe(2);
  }, 15_000);

  test("waits on for a refresh that takes long but goes on", async () => {
    const one = isolate();
    await one.ready();
    await revoke(...Array.from({ length: 5000 }, (_, at) => `x${at}`));
    await revoke(...Array.from({ length: 5000 }, (_, at) => `y${at}`));
    await revoke("last");
    now += REFRESH + 1_000;
    let pages = 0;
    one.d1.before = async () => {
      if (++pages === 2) await new Promise((resolve) => setTimeout(resolve, 1_200));
    };
    expect(await one.ask()).toBe(true);
    expect(one.isRevoked("last")).toBe(true);
  }, 15_000);

  test("begins no third refresh where the first ends late and the second is on its way", async () => {
    const one = isolate();
    await one.ready();
    const [first, second] = [latch(), latch()];
    const answers = [first, second];
    one.d1.after = () => answers.shift()?.closed;
    one.d1.calls = 0;
    now += REFRESH;
    expect(one.ask()).toBe(true);
    now += 10_000;
    const waiting = [one.ask()];
    first.open();
    while (one.feed.state(now)?.ageMilliseconds !== 10_000) await new Promise((resolve) => setTimeout(resolve, 1));
    waiting.push(one.ask());
    expect(waiting[1]).toBeInstanceOf(Promise);
    expect(one.d1.calls).toBe(2);
    second.open();
    expect(await Promise.all(waiting)).toEqual([true, true]);
    expect(one.feed.state(now)?.ageMilliseconds).toBe(0);
  });

  test("begins the next refresh when it is due, however long the answer to the last one took", async () => {
    const one = isolate();
    one.d1.after = (call) => {
      if (call === "batch") now += REFRESH - 500;
    };
    expect(await one.ready()).toBe(true);
    one.d1.after = null;
    one.d1.calls = 0;
    now = START + REFRESH;
    expect(one.ask()).toBe(true);
    expect(one.d1.calls).toBe(1);
    await one.settled();
  });

  test("does not decide by knowledge as old as max_staleness, even where that is no more than refresh", async () => {
    const one = isolate({ maxStaleness: REFRESH });
    await one.ready();
    now += REFRESH;
    await revoke("a");
    const answer = one.ask();
    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toBe(true);
    expect(one.isRevoked("a")).toBe(true);
  });

  test("lets no late answer undo a newer one", async () => {
    const sequence = await revoke("a");
    const one = isolate();
    await one.ready();
    // The first refresh reads before the withdrawal and the new entry, and its answer is held back.
    const gate = latch();
    const read = latch();
    one.d1.after = async () => {
      one.d1.after = null;
      read.open();
      await gate.closed;
    };
    now += REFRESH;
    await revoke("b");
    expect(one.ask()).toBe(true);
    await read.closed;
    await withdraw(sequence);
    await revoke("c");
    now += 10_000;
    const second = one.ask();
    expect(await second).toBe(true);
    const state = one.feed.state(now);
    expect(["a", "b", "c"].map(one.isRevoked)).toEqual([false, true, true]);
    gate.open();
    await one.settled();
    expect(one.feed.state(now)).toEqual(state);
    expect(["a", "b", "c"].map(one.isRevoked)).toEqual([false, true, true]);
  });

  test("forgets what was withdrawn, and knows it when it is revoked again", async () => {
    const sequence = await revoke("a");
    const one = isolate();
    await one.ready();
    await withdraw(sequence);
    now += REFRESH * 2;
    await one.ready();
    expect(one.isRevoked("a")).toBe(false);
    await revoke("a");
    now += REFRESH * 2;
    await one.ready();
    expect(one.isRevoked("a")).toBe(true);
    expect(await isolate().ready()).toBe(true);
  });
});

describe("a clock that jumps", () => {
  test("back makes no knowledge younger", async () => {
    const one = isolate();
    await one.ready();
    now += REFRESH - 1_000;
    expect(one.ask()).toBe(true);
    now -= 3_600_000;
    expect(one.ask()).toBe(true);
    await revoke("a");
    now += 5_000;
    expect(await one.ready()).toBe(true);
    expect(one.isRevoked("a")).toBe(true);
  });

  test("back while D1 fails stretches no max_staleness", async () => {
    const one = isolate();
    await one.ready();
    one.d1.mode = "fail";
    now += MAX_STALENESS - 2_000;
    expect(await one.ready()).toBe(true);
    now -= 86_400_000;
    expect(one.ask()).toBe(true);
    now += 2_000;
    expect(await one.ready()).toBe(false);
  });

  test("ahead while D1 answers costs one more refresh", async () => {
    const one = isolate();
    one.d1.after = (call) => {
      if (call !== "batch") return;
      now += MAX_STALENESS;
      one.d1.after = null;
    };
    expect(await one.ready()).toBe(true);
    expect(one.feed.state(now)?.ageMilliseconds).toBe(0);
  });

  test("ahead with every answer of D1 leaves nothing that is recent enough to decide", async () => {
    const one = isolate();
    one.d1.after = () => {
      now += MAX_STALENESS;
    };
    expect(await one.ready()).toBe(false);
  });

  test("ahead costs a refresh, and nothing when it comes back", async () => {
    await revoke("a");
    const one = isolate();
    await one.ready();
    now += 86_400_000 * 365;
    expect(await one.ready()).toBe(true);
    now = START;
    expect(await one.ready()).toBe(true);
    expect(one.isRevoked("a")).toBe(true);
  });
});

describe("isolates of one location", () => {
  test("share one answer of D1", async () => {
    const [one, two, three] = [isolate({ cache: true }), isolate({ cache: true }), isolate({ cache: true })];
    for (const each of [one, two, three]) await each.ready();
    await revoke("a");
    now += REFRESH + 1_000;
    for (const each of [one, two, three]) each.d1.calls = each.cache.calls = 0;
    for (const each of [one, two, three]) expect(await each.ready()).toBe(true);
    expect([one.d1.calls, two.d1.calls, three.d1.calls]).toEqual([1, 0, 0]);
    expect([one.cache.calls, two.cache.calls, three.cache.calls]).toEqual([2, 1, 1]); // what is taken is not told again
    expect([one, two, three].map((each) => each.isRevoked("a"))).toEqual([true, true, true]);
  });

  test("take on the age of the query that they share", async () => {
    const [one, two] = [isolate({ cache: true }), isolate({ cache: true })];
    for (const each of [one, two]) await each.ready();
    now += REFRESH + 1_000;
    await one.ready();
    now += 2_000;
    await two.ready();
    expect(two.feed.state(now)?.ageMilliseconds).toBe(2_000);
    await revoke("a");
    now += REFRESH - 2_000 + 300;
    expect(await two.ready()).toBe(true);
    expect(two.isRevoked("a")).toBe(true);
  });

  test("ask D1 where the shared answer is as old as refresh", async () => {
    const [one, two] = [isolate({ cache: true }), isolate({ cache: true })];
    for (const each of [one, two]) await each.ready();
    now += REFRESH + 1_000;
    await one.ready();
    await revoke("a");
    now += REFRESH;
    two.d1.calls = 0;
    expect(await two.ready()).toBe(true);
    expect(two.d1.calls).toBe(1);
    expect(two.isRevoked("a")).toBe(true);
  });

  test("do not believe an answer from the future, or one of another place in the log", async () => {
    let ahead = START;
    const one = isolate({ cache: true, clock: () => ahead });
    const two = isolate({ cache: true });
    await two.ready();
    await revoke("a");
    ahead += 60_000;
    await one.ready();
    now += REFRESH + 1_000;
    two.d1.calls = 0;
    expect(await two.ready()).toBe(true);
    expect(two.d1.calls).toBe(1);
    expect(two.isRevoked("a")).toBe(true);
  });

  test("that are a refresh behind each other still share", async () => {
    const [one, two] = [isolate({ cache: true }), isolate({ cache: true })];
    await one.ready();
    await two.ready();
    await revoke("a");
    now += REFRESH + 1_000;
    await one.ready();
    await revoke("b");
    now += REFRESH + 1_000;
    await one.ready();
    now += 100;
    two.d1.calls = 0;
    await two.ready();
    expect(two.d1.calls).toBe(0);
    expect(["a", "b"].map(two.isRevoked)).toEqual([true, true]);
  });

  test("still share where one of them asks D1 strictly all the time", async () => {
    const [one, two] = [isolate({ cache: true }), isolate({ cache: true })];
    for (const each of [one, two]) await each.ready();
    await revoke("a");
    now += REFRESH + 1_000;
    await one.ready();
    for (const id of ["b", "c", "d"]) {
      await revoke(id);
      expect(await one.feed.isRevokedStrict(tokenOf(id), now / 1000)).toBe(true);
    }
    now += REFRESH + 1_000;
    await one.ready();
    two.d1.calls = 0;
    expect(await two.ready()).toBe(true);
    expect(two.d1.calls).toBe(0);
    expect(["a", "b", "c", "d"].map(two.isRevoked)).toEqual([true, true, true, true]);
  });

  test("ask D1 where more has come than is shared", async () => {
    const [one, two] = [isolate({ cache: true }), isolate({ cache: true })];
    for (const each of [one, two]) await each.ready();
    await revoke(...Array.from({ length: 5000 }, (_, at) => `bulk-${at}`));
    await revoke("last");
    now += REFRESH + 1_000;
    for (const each of [one, two]) expect(await each.ready()).toBe(true);
    expect(["bulk-0", "bulk-4999", "last"].map(two.isRevoked)).toEqual([true, true, true]);
  });

  test.each(["fail", "hang"] as const)("ask D1 when the cache should %s", async (mode) => {
    const one = isolate({ cache: true });
    await one.ready();
    one.cache.mode = mode;
    await revoke("a");
    now += REFRESH + 1_000;
    expect(await one.ready()).toBe(true);
    expect(one.isRevoked("a")).toBe(true);
  });

  test.each([
    ["not JSON"],
    ["null"],
    ["{}"],
    ['{"tail":{"from":{"history":"HISTORY"}}}'],
    ['{"tail":{"from":{"history":"HISTORY"},"rows":[]}}'],
  ])("ask D1 when what the cache holds is %s", async (body) => {
    const one = isolate({ cache: true });
    await one.ready();
    const history = await env.DB.prepare("SELECT history FROM revocation_history").first<string>("history");
    const text = body.replace("HISTORY", history ?? "");
    const headers = { "Cache-Control": "max-age=60" };
    await sharedCache.put(`${issuer}/cache/revocations/1/${history}`, new Response(text, { headers }));
    await revoke("a");
    now += REFRESH + 1_000;
    expect(await one.ready()).toBe(true);
    expect(one.isRevoked("a")).toBe(true);
  });
});

describe("a database that was restored", () => {
  test("to an earlier state is loaded anew", async () => {
    const one = isolate();
    await revoke("a", "b");
    await one.ready();
    await recreateSchema(env.DB);
    await revoke("c");
    now += REFRESH * 2;
    expect(await one.ready()).toBe(true);
    expect(["a", "b", "c"].map(one.isRevoked)).toEqual([false, false, true]);
    expect(one.feed.state(now)?.sequence).toBe(1);
  });

  test("and has grown past what was held is loaded anew, even with its old history id", async () => {
    const one = isolate();
    await revoke("a", "b");
    await one.ready();
    const history = await env.DB.prepare("SELECT history FROM revocation_history").first<string>("history");
    await recreateSchema(env.DB);
    await env.DB.prepare("UPDATE revocation_history SET history = ?1").bind(history).run();
    now += REFRESH * 2;
    await revoke("c", "d", "e");
    expect(await one.ready()).toBe(true);
    expect(["a", "c", "d", "e"].map(one.isRevoked)).toEqual([false, true, true, true]);
  });

  test("under a new history id is loaded anew", async () => {
    const one = isolate();
    await revoke("a");
    await pack(env.DB, env.REVOCATIONS);
    await one.ready();
    await env.DB.prepare("UPDATE revocation_history SET history = 'another'").run();
    now += REFRESH * 2;
    expect(await one.ready()).toBe(true);
    expect(one.isRevoked("a")).toBe(true);
  });
});

describe("a strict route", () => {
  test("knows what was revoked a moment ago", async () => {
    const one = isolate();
    await one.ready();
    await revoke("a");
    expect(one.isRevoked("a")).toBe(false);
    expect(await one.feed.isRevokedStrict(tokenOf("a"), now / 1000)).toBe(true);
    expect(await one.feed.isRevokedStrict(tokenOf("b"), now / 1000)).toBe(false);
  });

  test("asks by itself, and never takes the location's answer", async () => {
    const one = isolate({ cache: true });
    await one.ready();
    one.d1.calls = 0;
    one.cache.calls = 0;
    await Promise.all([1, 2, 3].map(() => one.feed.isRevokedStrict(tokenOf("a"), now / 1000)));
    expect([one.d1.calls, one.cache.calls]).toEqual([3, 0]);
  });

  test.each(["fail", "hang"] as const)(
    "has no answer when D1 should %s",
    async (mode) => {
      const one = isolate();
      await one.ready();
      one.d1.mode = mode;
      expect(await one.feed.isRevokedStrict(tokenOf("a"), now / 1000)).toBeNull();
    },
    15_000,
  );

  test("works on a fresh isolate", async () => {
    await revoke("a");
    expect(await isolate().feed.isRevokedStrict(tokenOf("a"), now / 1000)).toBe(true);
  });

  test("loads the list once on a fresh isolate, however many ask", async () => {
    await revoke("a");
    await pack(env.DB, env.REVOCATIONS);
    const one = isolate();
    const answers = await Promise.all([1, 2, 3].map(() => one.feed.isRevokedStrict(tokenOf("a"), now / 1000)));
    expect(answers).toEqual([true, true, true]);
    expect(one.kv.calls).toBe(1);
  });
});

describe("receipts", () => {
  test("say what each location holds, at most every thirty seconds", async () => {
    const first = await revoke("a");
    const [one, two] = [isolate({ location: "FRA" }), isolate({ location: "SIN" })];
    await one.ready();
    const second = await revoke("b");
    await two.ready();
    expect(await readReceipts(env.DB, first)).toMatchObject({ seenLastFiveMinutes: 2, appliedLastFiveMinutes: 2 });
    const receipts = await readReceipts(env.DB, second);
    expect(receipts?.locations.map(({ location, sequence, applied }) => [location, sequence, applied])).toEqual([
      ["FRA", first, false],
      ["SIN", second, true],
    ]);
    now += REFRESH * 2;
    one.d1.calls = 0;
    await one.ready();
    expect(one.d1.calls).toBe(1);
    now += 30_000;
    one.d1.calls = 0;
    await one.ready();
    expect(one.d1.calls).toBe(2);
  });

  test("that cannot be written are nobody's loss", async () => {
    const one = isolate({ location: "FRA" });
    one.d1.before = (call) => {
      if (call === "run") throw new Error("no writes today");
    };
    expect(await one.ready()).toBe(true);
    expect(one.feed.state(now)).not.toBeNull();
  });
});
