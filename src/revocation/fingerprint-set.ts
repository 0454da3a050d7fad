/**
 * Fingerprints, each with the second at which it expires, sorted in three typed arrays: twelve bytes an entry.
 *
 * Guarantees exact answers (no Bloom filter): a look-up is one bucket and a binary search in it, even if an attacker has
 * filled one bucket (twenty comparisons for a million entries, not a scan). A multiset: an entry that was added twice stays
 * until it was removed twice. Sets are immutable; merging makes a new one, in the time of a copy.
 *
 * Measured at a million entries in Node 24 on two busy cores: 50 to 80 ns for a token that was looked up before, 250 ns for
 * a random one (CPU cache misses); the arrays take 12 MB and the buckets 0.26 MB.
 */
import type { Fingerprint } from "./subject.ts";

/** The `until` of an entry that never expires. */
export const NEVER = 0xffffffff;

/** `until` is in seconds since the epoch, as 32 bits. */
export interface TimedFingerprint extends Fingerprint {
  readonly until: number;
}

export interface FingerprintSet {
  readonly count: number;
  /** Sorted by `high`, `low`, and descending `until`: of equal fingerprints, the first expires last. */
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly until: Uint32Array;
  /** For each bucket (fingerprints with the same leading bits) the index of its first entry, and one more for the end. */
  readonly starts: Uint32Array;
  /** How many bits `high` is shifted right to get its bucket. */
  readonly shift: number;
}

export const EMPTY_SET: FingerprintSet = sortedSet(new Uint32Array(0), new Uint32Array(0), new Uint32Array(0));

/** The second at which a fingerprint expires: `NEVER` if it does not, 0 if it is not in the set. */
export function countsUntil(set: FingerprintSet, fingerprint: Fingerprint): number {
  const { high, low, starts } = set;
  const bucket = set.shift === 32 ? 0 : fingerprint.high >>> set.shift;
  let from = starts[bucket] as number;
  const end = starts[bucket + 1] as number;
  let to = end;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const there = high[middle] as number;
    if (there < fingerprint.high || (there === fingerprint.high && (low[middle] as number) < fingerprint.low)) {
      from = middle + 1;
    } else to = middle;
  }
  if (from === end || high[from] !== fingerprint.high || low[from] !== fingerprint.low) return 0;
  return set.until[from] as number;
}

/** A set of entries in any order. */
export function setOf(entries: readonly TimedFingerprint[]): FingerprintSet {
  if (entries.length === 0) return EMPTY_SET;
  const sorted = entries.toSorted(compare);
  return sortedSet(
    Uint32Array.from(sorted, (entry) => entry.high),
    Uint32Array.from(sorted, (entry) => entry.low),
    Uint32Array.from(sorted, (entry) => entry.until),
  );
}

/** A set over sorted arrays, which it shares: they must not change afterwards. Does not check the order: see `isSorted`. */
export function sortedSet(high: Uint32Array, low: Uint32Array, until: Uint32Array): FingerprintSet {
  const count = high.length;
  // About eight to sixteen entries a bucket, in at most 65,536 buckets.
  const bits = Math.min(16, Math.max(0, 28 - Math.clz32(count)));
  const shift = 32 - bits;
  const starts = new Uint32Array(2 ** bits + 1).fill(count);
  for (let at = count - 1; at >= 0; at--) starts[bits === 0 ? 0 : (high[at] as number) >>> shift] = at;
  for (let bucket = starts.length - 2; bucket >= 0; bucket--) {
    if ((starts[bucket] as number) > (starts[bucket + 1] as number)) starts[bucket] = starts[bucket + 1] as number;
  }
  return { count, high, low, until, starts, shift };
}

/** Whether the arrays have the order that the look-up relies on; for arrays from an untrusted source. */
export function isSorted(set: FingerprintSet): boolean {
  for (let at = 1; at < set.count; at++) if (compareAt(set, at - 1, set, at) > 0) return false;
  return true;
}

/** Both sets, less one copy of each entry of `removed`; and as `missing` the entries of `removed` that were in neither. */
export function merged(
  left: FingerprintSet,
  right: FingerprintSet,
  removed: FingerprintSet = EMPTY_SET,
): { readonly set: FingerprintSet; readonly missing: FingerprintSet } {
  if (removed.count === 0 && right.count === 0) return { set: left, missing: EMPTY_SET };
  if (removed.count === 0 && left.count === 0) return { set: right, missing: EMPTY_SET };
  const kept = room(left.count + right.count);
  const missing = room(removed.count);
  let [l, r, gone] = [0, 0, 0];
  while (l < left.count || r < right.count) {
    const fromLeft = r === right.count || (l < left.count && compareAt(left, l, right, r) <= 0);
    const source = fromLeft ? left : right;
    const at = fromLeft ? l++ : r++;
    let order = 1;
    while (gone < removed.count) {
      order = compareAt(removed, gone, source, at);
      if (order >= 0) break;
      put(missing, removed, gone++);
    }
    if (gone < removed.count && order === 0) gone++;
    else put(kept, source, at);
  }
  while (gone < removed.count) put(missing, removed, gone++);
  return { set: closed(kept), missing: closed(missing) };
}

/** The set without the entries that had expired by `second`. */
export function withoutExpired(set: FingerprintSet, second: number): FingerprintSet {
  if (!set.until.some((until) => until <= second)) return set;
  const kept = room(set.count);
  for (let at = 0; at < set.count; at++) if ((set.until[at] as number) > second) put(kept, set, at);
  return closed(kept);
}

interface Room {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly until: Uint32Array;
  count: number;
}

function room(size: number): Room {
  return { high: new Uint32Array(size), low: new Uint32Array(size), until: new Uint32Array(size), count: 0 };
}

function put(into: Room, from: FingerprintSet, at: number): void {
  into.high[into.count] = from.high[at] as number;
  into.low[into.count] = from.low[at] as number;
  into.until[into.count++] = from.until[at] as number;
}

/** Copies the arrays unless they are full, so that no set keeps memory that it does not use. */
function closed({ high, low, until, count }: Room): FingerprintSet {
  if (count === 0) return EMPTY_SET;
  if (count === high.length) return sortedSet(high, low, until);
  return sortedSet(high.slice(0, count), low.slice(0, count), until.slice(0, count));
}

function compareAt(left: FingerprintSet, l: number, right: FingerprintSet, r: number): number {
  return (
    (left.high[l] as number) - (right.high[r] as number) ||
    (left.low[l] as number) - (right.low[r] as number) ||
    (right.until[r] as number) - (left.until[l] as number)
  );
}

function compare(left: TimedFingerprint, right: TimedFingerprint): number {
  return left.high - right.high || left.low - right.low || right.until - left.until;
}
