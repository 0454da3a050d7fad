import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  countsUntil,
  EMPTY_SET,
  isSorted,
  merged,
  NEVER,
  setOf,
  sortedSet,
  type TimedFingerprint,
  withoutExpired,
} from "../../src/revocation/fingerprint-set.ts";

const half = fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff), fc.nat(0xffffffff));
const entry = fc.record({ high: half, low: half, until: fc.oneof(fc.nat({ max: 3 }), fc.constant(NEVER)) });
const entries = fc.array(entry, { maxLength: 60 });

function list(set: ReturnType<typeof setOf>): string[] {
  return Array.from(set.high, (high, at) => `${high}:${set.low[at]}:${set.until[at]}`);
}
const names = (from: readonly TimedFingerprint[]): string[] => from.map((e) => `${e.high}:${e.low}:${e.until}`);

/** What is left of a multiset without one copy of each of `removed`, and what could not be removed. */
function minus(from: string[], removed: string[]): [string[], string[]] {
  const left = [...from];
  const missing: string[] = [];
  for (const name of removed) {
    const at = left.indexOf(name);
    if (at === -1) missing.push(name);
    else left.splice(at, 1);
  }
  return [left, missing];
}

describe("a set of fingerprints", () => {
  test("finds the longest time of each entry and nothing else", () => {
    fc.assert(
      fc.property(entries, entry, (all, other) => {
        const set = setOf(all);
        for (const one of [...all, other]) {
          const times = all.filter((e) => e.high === one.high && e.low === one.low).map((e) => e.until);
          expect(countsUntil(set, one)).toBe(times.length === 0 ? 0 : Math.max(...times));
        }
      }),
    );
  });

  test("merges as multisets do, and says what was not there to remove", () => {
    fc.assert(
      fc.property(entries, entries, entries, (left, right, others) => {
        const removed = [...others, ...left.filter((_, at) => at % 3 === 0), ...right.filter((_, at) => at % 2 === 0)];
        const result = merged(setOf(left), setOf(right), setOf(removed));
        const [rest, missing] = minus([...names(left), ...names(right)], names(removed));
        expect(list(result.set).toSorted()).toEqual(rest.toSorted());
        expect(list(result.missing).toSorted()).toEqual(missing.toSorted());
        expect(isSorted(result.set)).toBe(true);
      }),
    );
  });

  test("drops what has expired and keeps the rest", () => {
    fc.assert(
      fc.property(entries, fc.nat({ max: 4 }), (all, second) => {
        const kept = all.filter((one) => one.until > second);
        expect(list(withoutExpired(setOf(all), second)).toSorted()).toEqual(names(kept).toSorted());
      }),
    );
  });

  test("finds everything in a crowd with the same leading bits", () => {
    const crowd = Array.from({ length: 5000 }, (_, low) => ({ high: 0xabcd1234, low: low * 3, until: NEVER }));
    const set = setOf(crowd);
    expect(crowd.every((one) => countsUntil(set, one) === NEVER)).toBe(true);
    expect(countsUntil(set, { high: 0xabcd1234, low: 1 })).toBe(0);
    expect(countsUntil(set, { high: 0xabcd1233, low: 3 })).toBe(0);
    expect(countsUntil(set, { high: 0xffffffff, low: 0xffffffff })).toBe(0);
  });

  test("has nothing when empty", () => {
    expect(countsUntil(EMPTY_SET, { high: 0, low: 0 })).toBe(0);
    expect(countsUntil(EMPTY_SET, { high: 0xffffffff, low: 0xffffffff })).toBe(0);
  });

  test.each([
    ["high", [2, 1], [0, 0], [1, 1]],
    ["low", [1, 1], [2, 1], [1, 1]],
    ["until", [1, 1], [1, 1], [1, 2]],
  ])("knows arrays that are not sorted by %s", (_, high, low, until) => {
    expect(isSorted(sortedSet(Uint32Array.from(high), Uint32Array.from(low), Uint32Array.from(until)))).toBe(false);
  });
});
