import { beforeEach, describe, expect, test } from "vitest";
import { readShared, type SharedAnswer, share } from "../../src/revocation/location-cache.ts";
import { breakable, type Tap } from "../support/breakable.ts";

const url = "https://api.example.com/cache";
const answer: SharedAnswer = {
  tail: { from: { history: "h1", sequence: 3, createdAt: 1_000 }, rows: [] },
  sentAt: 1_800_000_000_000,
  receiptAt: null,
};

let opened = 0;
let real: Cache;
let tap: Tap;
let location: { open: () => Promise<Cache>; url: string };

beforeEach(async () => {
  real = await caches.open(`location-cache-${opened++}`);
  const taps = breakable(real);
  tap = taps.tap;
  location = { open: async () => taps.binding, url };
});

/** Puts what no gateway of this version would share in the place of what it shares for `h1`. */
async function planted(body: unknown): Promise<SharedAnswer | null> {
  const headers = { "Cache-Control": "max-age=60" };
  await real.put(`${url}/revocations/1/h1`, new Response(JSON.stringify(body), { headers }));
  return readShared(location, "h1");
}

describe("an answer that the location shares", () => {
  test("is there for all that are in the same history, and for nobody else", async () => {
    await share(location, answer, 5_000);
    expect(await readShared(location, "h1")).toEqual(answer);
    expect(await readShared(location, "h2")).toBeNull();
    expect(await readShared({ ...location, url: "https://other.example.com/cache" }, "h1")).toBeNull();
  });

  test("lies where gateways of the same version look for it", async () => {
    await share(location, answer, 5_000);
    expect(await real.match(`${url}/revocations/1/h1`)).toBeDefined();
    expect(await planted({ ...answer, sentAt: 7 })).toEqual({ ...answer, sentAt: 7 });
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["a text", "h1"],
    ["without a tail", { sentAt: 1 }],
    ["without rows", { ...answer, tail: { from: answer.tail.from } }],
    ["with rows that are no list", { ...answer, tail: { ...answer.tail, rows: "rows" } }],
    ["without a time", { ...answer, sentAt: undefined }],
    ["with a time that is no number", { ...answer, sentAt: "1800000000000" }],
    ["of another history", { ...answer, tail: { ...answer.tail, from: { ...answer.tail.from, history: "h2" } } }],
  ])("is not believed when it is %s", async (_, body) => {
    expect(await planted(body)).toBeNull();
  });

  test.each(["fail", "hang"] as const)(
    "is missed, and its loss is nobody's, where the cache should %s",
    async (mode) => {
      tap.mode = mode;
      await share(location, answer, 5_000);
      expect(await readShared(location, "h1")).toBeNull();
    },
  );
});
