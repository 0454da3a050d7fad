/**
 * Which tokens and scopes are used, and when last: counted in memory, written to D1 in batches after responses.
 *
 * Guarantees: counting is synchronous, allocates nothing for a known token, and never delays or fails a request. An isolate
 * writes each token and each scope at most once a minute. A use is written within `FLUSH_MILLISECONDS` plus the time of two
 * batches, even if no request follows, unless its token or scope was written less than a minute ago. `last_used_at` is the
 * latest use that any isolate has written, and never goes back.
 * Accepted: uses that an isolate has not written when it is evicted are lost, and so are those of new tokens beyond
 * `MOST_TOKENS` between two batches. Counts show what is in use; they are not for billing.
 * Tokens: only this gateway's, because only they have records. Scopes: also through other issuers' tokens.
 */
import type { Behind } from "../deadline.ts";
import type { Alternative } from "../policy/route.ts";
import type { Principal } from "../token/principal.ts";

export type CountUse = (
  principal: Principal,
  alternative: Alternative | null,
  nowMilliseconds: number,
  behind: Behind,
) => void;

interface Uses {
  /** Uses since the last write. */
  count: number;
  lastAt: number;
  writtenAt: number;
}

const FLUSH_MILLISECONDS = 4_000;
const WRITE_MILLISECONDS = 60_000;
const MOST_TOKENS = 10_000;
/** After this long a batch counts as lost, and the next use starts another. */
const GIVE_UP_MILLISECONDS = 15_000;
const DAY_MILLISECONDS = 86_400_000;

/** Returns a function that counts one allowed request. Calls `report` if a batch fails; its uses then go into the next batch. */
export function createUsage(db: D1Database, report: (error: unknown) => void): CountUse {
  const tokens = new Map<string, Uses>();
  const alternatives = new Map<Alternative, Uses>();
  /** Until then a batch is in progress or waiting, and no other is started. */
  let busyUntil = 0;
  let lastFlushAt = 0;

  async function flush(nowMilliseconds: number): Promise<void> {
    lastFlushAt = nowMilliseconds;
    const usedTokens = take(tokens, nowMilliseconds);
    const usedScopes = take(alternatives, nowMilliseconds);
    forgetIdle(tokens, nowMilliseconds);
    if (usedTokens.length + usedScopes.length === 0) return;
    try {
      await writeUses(db, usedTokens, usedScopes);
    } catch (error) {
      giveBack(usedTokens);
      giveBack(usedScopes);
      report(error);
    }
  }

  /** Writes a batch, then once more: no later request may come to write uses made meanwhile, or those of a failed batch. */
  async function flushTwice(atMilliseconds: number, wait: number): Promise<void> {
    try {
      await delay(wait);
      await flush(atMilliseconds);
    } finally {
      busyUntil = 0;
    }
    const againAt = atMilliseconds + FLUSH_MILLISECONDS;
    if (!hasDue(tokens, againAt) && !hasDue(alternatives, againAt)) return;
    await delay(FLUSH_MILLISECONDS);
    if (lastFlushAt === atMilliseconds) await flush(againAt);
  }

  return (principal, alternative, nowMilliseconds, behind) => {
    let isDue = principal.own && count(tokens, principal.tokenId, nowMilliseconds);
    if (alternative !== null) isDue = count(alternatives, alternative, nowMilliseconds) || isDue;
    if (!isDue || nowMilliseconds < busyUntil) return;
    busyUntil = nowMilliseconds + GIVE_UP_MILLISECONDS;
    const wait = Math.max(0, lastFlushAt + FLUSH_MILLISECONDS - nowMilliseconds);
    behind(flushTwice(nowMilliseconds + wait, wait));
  };
}

/** Counts a use; returns whether a write is due for it. */
function count<Key>(uses: Map<Key, Uses>, key: Key, nowMilliseconds: number): boolean {
  const known = uses.get(key);
  if (known === undefined) {
    if (uses.size >= MOST_TOKENS) return true;
    uses.set(key, { count: 1, lastAt: nowMilliseconds, writtenAt: Number.NEGATIVE_INFINITY });
    return true;
  }
  known.count++;
  known.lastAt = nowMilliseconds;
  return nowMilliseconds - known.writtenAt >= WRITE_MILLISECONDS;
}

interface Taken<Key> {
  readonly key: Key;
  readonly uses: Uses;
  readonly count: number;
  readonly lastAt: number;
  readonly writtenBefore: number;
}

function isDueAt({ count, writtenAt }: Uses, nowMilliseconds: number): boolean {
  return count > 0 && nowMilliseconds - writtenAt >= WRITE_MILLISECONDS;
}

function hasDue<Key>(all: Map<Key, Uses>, nowMilliseconds: number): boolean {
  for (const uses of all.values()) if (isDueAt(uses, nowMilliseconds)) return true;
  return false;
}

/** Removes and returns the counts that are due to be written. */
function take<Key>(all: Map<Key, Uses>, nowMilliseconds: number): Taken<Key>[] {
  const taken: Taken<Key>[] = [];
  for (const [key, uses] of all) {
    if (!isDueAt(uses, nowMilliseconds)) continue;
    taken.push({ key, uses, count: uses.count, lastAt: uses.lastAt, writtenBefore: uses.writtenAt });
    uses.count = 0;
    uses.writtenAt = nowMilliseconds;
  }
  return taken;
}

function giveBack(taken: readonly Taken<unknown>[]): void {
  for (const { uses, count, writtenBefore } of taken) {
    uses.count += count;
    uses.writtenAt = writtenBefore;
  }
}

/** Forgets tokens that were written and have not been used for a minute. */
function forgetIdle(uses: Map<string, Uses>, nowMilliseconds: number): void {
  for (const [key, { count, writtenAt }] of uses) {
    if (count === 0 && nowMilliseconds - writtenAt >= WRITE_MILLISECONDS) uses.delete(key);
  }
}

async function writeUses(
  db: D1Database,
  usedTokens: readonly Taken<string>[],
  usedAlternatives: readonly Taken<Alternative>[],
): Promise<void> {
  const tokens = JSON.stringify(usedTokens.map(({ key, count, lastAt }) => [key, count, ...times(lastAt)]));
  const scopes = JSON.stringify(
    usedAlternatives.flatMap(({ key, count, lastAt }) =>
      key.scopes.map((scope) => [scope.name, count, ...times(lastAt)]),
    ),
  );
  await db.batch([
    db
      .prepare(
        `UPDATE tokens SET last_used_at = used.value ->> 2 FROM json_each(?1) AS used
         WHERE tokens.id = used.value ->> 0 AND coalesce(tokens.last_used_at, 0) < used.value ->> 2`,
      )
      .bind(tokens),
    db
      .prepare(
        `${ADD_USES} SELECT 'token', used.value ->> 0, used.value ->> 3, used.value ->> 1, used.value ->> 2
         FROM json_each(?1) AS used WHERE EXISTS (SELECT 1 FROM tokens WHERE id = used.value ->> 0) ${ON_KNOWN_DAY}`,
      )
      .bind(tokens),
    db
      .prepare(
        `${ADD_USES} SELECT 'scope', value ->> 0, value ->> 3, value ->> 1, value ->> 2 FROM json_each(?1) WHERE TRUE ${ON_KNOWN_DAY}`,
      )
      .bind(scopes),
  ]);
}

const ADD_USES = "INSERT INTO usage (kind, name, day, count, last_at)";
const ON_KNOWN_DAY = `ON CONFLICT (kind, name, day)
  DO UPDATE SET count = count + excluded.count, last_at = max(last_at, excluded.last_at)`;

/** The second and the day of a use, both since the epoch. */
function times(milliseconds: number): [seconds: number, day: number] {
  return [Math.floor(milliseconds / 1000), Math.floor(milliseconds / DAY_MILLISECONDS)];
}

function delay(milliseconds: number): Promise<void> {
  return milliseconds === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, milliseconds));
}
