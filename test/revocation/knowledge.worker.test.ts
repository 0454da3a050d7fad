import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { createKnowledge, type Knowledge } from "../../src/revocation/knowledge.ts";
import { readShared, type SharedAnswer } from "../../src/revocation/location-cache.ts";
import { withdrawRevocation } from "../../src/revocation/records.ts";
import { createSteadyClock } from "../../src/revocation/steady-clock.ts";
import { breakable, latch, type Tap } from "../support/breakable.ts";
import { recreateSchema } from "../support/database.ts";
import { issuer, revokeTokens, tokenOf } from "../support/revocations.ts";

const START = 1_800_000_000_000;
const REFRESH = 5_000;

let now = START;
let opened = 0;
let location: { open: () => Promise<Cache>; url: string };

beforeEach(async () => {
  now = START;
  await recreateSchema(env.DB);
  const cache = await caches.open(`knowledge-${opened++}`);
  location = { open: async () => cache, url: `${issuer}/cache` };
});

interface Isolate extends Omit<Knowledge, "refresh"> {
  readonly d1: Tap;
  /** What was sent as a receipt. */
  receipts: number;
  /** Refreshes as `feed.ts` does: what D1 said is told to the location. Says whether D1 was asked. */
  refresh(): Promise<boolean>;
  has(...ids: string[]): boolean[];
}

function isolate(over: { cache?: false; colo?: string } = {}): Isolate {
  const { binding, tap } = breakable(env.DB);
  const knowledge = createKnowledge(
    {
      db: binding,
      kv: env.REVOCATIONS,
      cache: over.cache === false ? null : location,
      now: () => now,
      refreshMilliseconds: REFRESH,
      location: () => over.colo ?? null,
    },
    createSteadyClock(() => now),
  );
  const self: Isolate = {
    ...knowledge,
    d1: tap,
    receipts: 0,
    async refresh() {
      const asked = await knowledge.refresh(() => {});
      if (asked) await knowledge.tell();
      return asked;
    },
    has: (...ids) => ids.map((id) => knowledge.index()?.isRevoked(tokenOf(id), now / 1000) ?? false),
  };
  tap.before = (call) => {
    if (call === "run") self.receipts++;
  };
  return self;
}

function revoke(...ids: string[]): Promise<number> {
  return revokeTokens(env.DB, ids, Math.floor(now / 1000));
}

async function shared(): Promise<SharedAnswer | null> {
  const history = await env.DB.prepare("SELECT history FROM revocation_history").first<string>("history");
  return readShared(location, history ?? "");
}

async function sharedRows(): Promise<number[] | undefined> {
  return (await shared())?.tail.rows.map(({ sequence }) => sequence);
}

const many = (count: number, prefix = "many"): string[] => Array.from({ length: count }, (_, at) => `${prefix}-${at}`);

describe("what an isolate knows", () => {
  test("holds each row once where two ask at the same time", async () => {
    const one = isolate();
    await one.refresh();
    const sequence = await revoke("a");
    await Promise.all([one.askDatabase(() => {}), one.askDatabase(() => {})]);
    expect(one.has("a")).toEqual([true]);
    await withdrawRevocation(env.DB, sequence, "test", { createdBy: "test", nowSeconds: now / 1000 }).run();
    await one.askDatabase(() => {});
    expect(one.has("a")).toEqual([false]);
  });

  test("is all of a log that has grown by more than a page, once it was asked for", async () => {
    const one = isolate();
    await one.refresh();
    await revoke(...many(5_000, "x"));
    await revoke(...many(5_000, "y"));
    await revoke("last");
    await one.askDatabase(() => {});
    expect(one.sequence()).toBe(10_001);
    expect(one.has("x-0", "y-4999", "last", "never")).toEqual([true, true, true, false]);
  });

  test("is not undone by an answer from before the database was restored that comes late", async () => {
    const one = isolate();
    await revoke("old");
    await one.refresh();
    const [read, gate] = [latch(), latch()];
    one.d1.after = async () => {
      one.d1.after = null;
      read.open();
      await gate.closed;
    };
    const late = one.askDatabase(() => {});
    await read.closed;
    await recreateSchema(env.DB);
    await revoke("new");
    await one.askDatabase(() => {});
    expect(one.has("old", "new")).toEqual([false, true]);
    one.d1.calls = 0;
    gate.open();
    await late;
    expect(one.has("old", "new")).toEqual([false, true]);
    expect([one.sequence(), one.d1.calls]).toEqual([1, 1]);
  });
});

describe("what an isolate shares with its location", () => {
  test("is nothing, without harm, before it knows anything", async () => {
    await isolate({ colo: "FRA" }).tell();
    expect(await shared()).toBeNull();
  });

  test("is taken by another, which asks nobody then and says so", async () => {
    const [one, two] = [isolate(), isolate()];
    for (const each of [one, two]) expect(await each.refresh()).toBe(true);
    await revoke("a");
    now += REFRESH;
    expect(await one.refresh()).toBe(true);
    two.d1.calls = 0;
    expect(await two.refresh()).toBe(false);
    expect([two.d1.calls, two.has("a")]).toEqual([0, [true]]);
  });

  test("is no news to itself, nor twice to another", async () => {
    const [one, two] = [isolate(), isolate()];
    for (const each of [one, two]) await each.refresh();
    now += 1_000;
    expect(await one.refresh()).toBe(true);
    expect(await two.refresh()).toBe(false);
    now += REFRESH - 1;
    expect(await two.refresh()).toBe(true);
    expect(two.age(now - START)).toBe(0);
  });

  test("is what its last two refreshes brought, and no more", async () => {
    const one = isolate();
    await one.refresh();
    for (const [id, expected] of [
      ["a", [1]],
      ["b", [1, 2]],
      ["c", [2, 3]],
      ["d", [3, 4]],
    ] as const) {
      now += REFRESH * 2;
      await revoke(id);
      await one.refresh();
      expect(await sharedRows()).toEqual(expected);
    }
  });

  test("counts what strict requests brought with the refresh before them", async () => {
    const one = isolate();
    await one.refresh();
    now += REFRESH * 2;
    await revoke("a");
    await one.refresh();
    for (const id of ["b", "c"]) {
      await revoke(id);
      await one.askDatabase(() => {});
    }
    now += REFRESH * 2;
    await revoke("d");
    await one.refresh();
    expect(await sharedRows()).toEqual([1, 2, 3, 4]);
  });

  test.each([
    [5_000, 5_000],
    [5_001, 0],
  ])("is, of %i rows, %i: a whole write of the admin API, and not more", async (written, expected) => {
    const one = isolate();
    await one.refresh();
    await revoke(...many(5_000));
    if (written > 5_000) await revoke(...many(written - 5_000, "more"));
    now += REFRESH * 2;
    await one.refresh();
    expect(await sharedRows()).toHaveLength(expected);
    const { sequence } = (await shared())?.tail.from ?? {};
    expect(sequence).toBe(expected === 0 ? written : 0);
  });

  test("begins anew behind what strict requests brought where that was too much", async () => {
    const one = isolate();
    await one.refresh();
    now += REFRESH * 2;
    await one.refresh();
    await revoke(...many(5_000));
    await one.askDatabase(() => {});
    await revoke("one more");
    await one.askDatabase(() => {});
    now += REFRESH * 2;
    await revoke("next");
    await one.refresh();
    expect(await sharedRows()).toEqual([5_002]);
  });
});

describe("receipts", () => {
  test("go out every thirty seconds, however often D1 is asked", async () => {
    const one = isolate({ cache: false, colo: "FRA" });
    const sent: number[] = [];
    for (let second = 0; second <= 60; second += 10) {
      now = START + second * 1000;
      await one.refresh();
      if (one.receipts > sent.length) sent.push(second);
    }
    expect(sent).toEqual([0, 30, 60]);
  });

  test("of a location are not sent by each of its isolates", async () => {
    const [one, two] = [isolate({ colo: "FRA" }), isolate({ colo: "FRA" })];
    await one.refresh();
    expect((await shared())?.receiptAt).toBe(START);
    now += REFRESH;
    await two.askDatabase(() => {});
    now += REFRESH;
    await one.refresh();
    now += 1_000;
    expect(await two.refresh()).toBe(false);
    now += REFRESH;
    expect(await two.refresh()).toBe(true);
    expect([one.receipts, two.receipts]).toEqual([1, 0]);
    expect((await shared())?.receiptAt).toBe(START);
    now = START + 30_000;
    await two.refresh();
    expect([one.receipts, two.receipts]).toEqual([1, 1]);
  });

  test("are not sent where the location is not known, and nobody is told of one", async () => {
    const one = isolate();
    await one.refresh();
    expect([one.receipts, (await shared())?.receiptAt]).toEqual([0, null]);
  });
});
