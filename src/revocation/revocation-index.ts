/**
 * The revocation list in an isolate's memory, looked up synchronously, once per request.
 *
 * Guarantees: exactly the entries that were applied and not withdrawn revoke the tokens that they match, each from its
 * `effectiveAt` until its `expiresAt`, except for the collisions that `fingerprint.ts` describes. Nothing is ever deleted by
 * this machine's clock: expired entries are only ignored, so a clock that jumps and comes back does no lasting harm.
 *
 * Leaves to `knowledge.ts` that rows are applied in order, each once, and to `feed.ts` that the index is recent.
 *
 * Two sorted sets hold the most common entries: tokens revoked at once, whatever their `iat`. The small set takes each
 * refresh's rows, and is merged into the large one when it has grown too large. All other entries (with `issuedBefore` or a
 * future `effectiveAt`; for a subject, client, issuer or key) are in maps, made for tens of thousands, not millions.
 */
import { fingerprint } from "./fingerprint.ts";
import {
  countsUntil,
  EMPTY_SET,
  type FingerprintSet,
  merged,
  NEVER,
  setOf,
  type TimedFingerprint,
  withoutExpired,
} from "./fingerprint-set.ts";
import type { Revocation, RevocationKind, RevocationRow } from "./revocation.ts";
import type { Fingerprint, RevocationSubject } from "./subject.ts";

interface Times {
  readonly issuedBefore: number | null;
  readonly effectiveAt: number;
  readonly expiresAt: number | null;
}

/** A token that is revoked only from a later time on, or only if it was issued before a given time. */
interface TimedToken extends Fingerprint, Times {}

type CutOffKind = Exclude<RevocationKind, "token">;

interface CutOff extends Times {
  readonly kind: CutOffKind;
  readonly issuer: string;
  readonly value: string;
}

/** The whole content of an index, in the form that `snapshot.ts` encodes. */
export interface IndexContent {
  readonly tokens: FingerprintSet;
  readonly timedTokens: readonly TimedToken[];
  readonly cutOffs: readonly CutOff[];
}

export interface RevocationIndex {
  /** Applies rows in the order of their sequence. The caller must apply each row exactly once. */
  apply(rows: readonly RevocationRow[]): void;
  /** Whether an entry in force at `nowSeconds` matches the token, one of its ancestors, its subject, client, issuer or key. */
  isRevoked(subject: RevocationSubject, nowSeconds: number): boolean;
  content(): IndexContent;
}

type IssuerCutOffs = Readonly<Record<CutOffKind, Map<string, CutOff[]>>>;

/** The `effectiveAt` of an entry that is in force at once. */
const AT_ONCE = 0;

/** Up to this many new entries are not merged: searching them costs only a few comparisons. */
const LEAST_MERGED = 8192;

/** An index over `content`, whose arrays it shares; without it, an empty one. */
export function createRevocationIndex(content?: IndexContent): RevocationIndex {
  let settled = content?.tokens ?? EMPTY_SET;
  let newest = EMPTY_SET;
  const timedTokens = new Map<number, TimedToken[]>();
  const cutOffs = new Map<string, IssuerCutOffs>();
  for (const token of content?.timedTokens ?? []) push(timedTokens, token.low, token);
  for (const cutOff of content?.cutOffs ?? []) push(cutOffsOf(cutOff.issuer)[cutOff.kind], cutOff.value, cutOff);

  function cutOffsOf(issuer: string): IssuerCutOffs {
    let known = cutOffs.get(issuer);
    if (known === undefined) {
      known = { subject: new Map(), client: new Map(), issuer: new Map(), key: new Map() };
      cutOffs.set(issuer, known);
    }
    return known;
  }

  function apply(rows: readonly RevocationRow[]): void {
    const added: TimedFingerprint[] = [];
    const removed: TimedFingerprint[] = [];
    for (const row of rows) {
      if (row.kind !== "token") {
        const { kind, issuer, value } = row;
        const of = cutOffsOf(issuer)[kind];
        if (row.withdraws) removeOne(of, value, row);
        else push(of, value, { kind, issuer, value, ...timesOf(row) });
        continue;
      }
      const { high, low } = fingerprint(row.issuer, row.value);
      const plain = { high, low, until: untilOf(row.expiresAt) };
      if (row.withdraws) {
        // `settledContent` may have moved a delayed entry to the plain ones when it came into force.
        if (!removeOne(timedTokens, low, row, (there) => there.high === high)) removed.push(plain);
        continue;
      }
      const times = timesOf(row);
      if (times.issuedBefore === null && times.effectiveAt === AT_ONCE) added.push(plain);
      else push(timedTokens, low, { high, low, ...times });
    }
    const { set, missing } = merged(newest, setOf(added), setOf(removed));
    newest = set;
    if (missing.count > 0 || newest.count > Math.max(LEAST_MERGED, settled.count / 16)) merge(missing);
  }

  function merge(removed: FingerprintSet = EMPTY_SET): void {
    settled = merged(settled, newest, removed).set;
    newest = EMPTY_SET;
  }

  function isRevoked(subject: RevocationSubject, nowSeconds: number): boolean {
    for (const one of subject.fingerprints) {
      if (counts(countsUntil(settled, one), nowSeconds) || counts(countsUntil(newest, one), nowSeconds)) return true;
      if (timedTokens.size > 0) {
        const timed = timedTokens.get(one.low);
        if (timed?.some((entry) => entry.high === one.high && meets(entry, subject, nowSeconds))) return true;
      }
    }
    if (isCutOff(subject.issuer, subject, nowSeconds)) return true;
    for (const elder of subject.elderIssuers) if (isCutOff(elder, subject, nowSeconds)) return true;
    return false;
  }

  /** An entry for a key matches only at the token's own issuer: the token does not name its ancestors' keys. */
  function isCutOff(issuer: string, subject: RevocationSubject, nowSeconds: number): boolean {
    const of = cutOffs.get(issuer);
    if (of === undefined) return false;
    const met = (entry: CutOff): boolean => meets(entry, subject, nowSeconds);
    return (
      of.issuer.get(issuer)?.some(met) === true ||
      (issuer === subject.issuer && of.key.get(subject.keyId)?.some(met) === true) ||
      (subject.subject !== null && of.subject.get(subject.subject)?.some(met) === true) ||
      (subject.client !== null && of.client.get(subject.client)?.some(met) === true)
    );
  }

  return {
    apply,
    isRevoked,
    content() {
      merge();
      const all = [...cutOffs.values()].flatMap((of) =>
        Object.values(of).flatMap((lists) => [...lists.values()].flat()),
      );
      return { tokens: settled, timedTokens: [...timedTokens.values()].flat(), cutOffs: all };
    },
  };
}

/**
 * `content` for decisions at `second` or later: without entries that have expired by then, and with delayed tokens that are
 * in force by then moved to the plain ones. `second` must be so early that no isolate decides before it.
 */
export function settledContent(content: IndexContent, second: number): IndexContent {
  const alive = (times: Times): boolean => times.expiresAt === null || times.expiresAt > second;
  const isDue = (token: TimedToken): boolean => token.issuedBefore === null && token.effectiveAt <= second;
  const timed = content.timedTokens.filter(alive);
  const due = timed.filter(isDue).map(({ high, low, expiresAt }) => ({ high, low, until: untilOf(expiresAt) }));
  return {
    tokens: merged(withoutExpired(content.tokens, second), setOf(due)).set,
    timedTokens: timed.filter((token) => !isDue(token)),
    cutOffs: content.cutOffs.filter(alive),
  };
}

function untilOf(expiresAt: Revocation["expiresAt"]): number {
  return expiresAt === null ? NEVER : Math.max(0, Math.min(NEVER, expiresAt));
}

function counts(until: number, nowSeconds: number): boolean {
  return until !== 0 && (until === NEVER || nowSeconds < until);
}

function meets(times: Times, subject: RevocationSubject, nowSeconds: number): boolean {
  if (nowSeconds < times.effectiveAt || (times.expiresAt !== null && nowSeconds >= times.expiresAt)) return false;
  const { issuedBefore } = times;
  return issuedBefore === null || subject.issuedAtSeconds === null || subject.issuedAtSeconds < issuedBefore;
}

/** An entry that took effect when it was written is in force at once, even if this clock is behind the writer's. */
function timesOf(row: RevocationRow): Times {
  const effectiveAt = row.effectiveAt <= row.createdAt ? AT_ONCE : row.effectiveAt;
  return { issuedBefore: row.issuedBefore, effectiveAt, expiresAt: row.expiresAt };
}

function push<Key, Entry>(lists: Map<Key, Entry[]>, key: Key, entry: Entry): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [entry]);
  else list.push(entry);
}

/** Removes one entry with the times of `withdrawal`, which repeats the withdrawn row; returns whether there was one. */
function removeOne<Key, Entry extends Times>(
  lists: Map<Key, Entry[]>,
  key: Key,
  withdrawal: RevocationRow,
  matches: (entry: Entry) => boolean = () => true,
): boolean {
  const list = lists.get(key) ?? [];
  const find = (effectiveAt: number): number =>
    list.findIndex(
      (entry) =>
        matches(entry) &&
        entry.effectiveAt === effectiveAt &&
        entry.issuedBefore === withdrawal.issuedBefore &&
        entry.expiresAt === withdrawal.expiresAt,
    );
  const delayed = find(withdrawal.effectiveAt);
  const at = delayed === -1 ? find(AT_ONCE) : delayed;
  if (at === -1) return false;
  if (list.length === 1) lists.delete(key);
  else list.splice(at, 1);
  return true;
}
