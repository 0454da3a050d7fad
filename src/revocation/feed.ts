/**
 * Keeps an isolate's revocation index current, and says whether what it knows is recent enough to decide.
 *
 * The promise: a revocation is in force everywhere within `refresh` plus the time of one query; no decision rests on
 * knowledge older than `max_staleness`; a warm request costs no I/O.
 *
 * Why it holds. Knowledge has the age of the query that it came from, counted from before that query was SENT to the
 * primary; so whatever was committed when it was sent is in it. A decision is made without waiting only
 *   (1) at an age below `refresh`, or
 *   (2) up to `GRACE` (the time that a query may take) beyond it, while a query that began at `refresh` is on its way.
 * At a higher age the request waits for a query that is newer. So a decision at time t knows all that was committed by
 * t - refresh - GRACE, in every isolate, however seldom it is asked. An answer shared through the Cache API carries the
 * time at which ITS query was sent, is taken only where that is less than `refresh` ago, and is subject to the same rule:
 * sharing moves no bound. Where D1 does not answer, an attempt that has failed or hung for `PATIENCE` lets older knowledge
 * decide, never older than `max_staleness`; from there on `ready` says no until a query succeeds.
 *
 * An answer is applied row by row, each row once, only to the state that it was asked for; one that is late or out of order
 * finds its rows applied, and time only moves forward: an older answer never undoes a newer one.
 *
 * On workerd a promise that rests on another request's I/O may never settle, if that request is cancelled. So nobody waits
 * for another's attempt longer than it shows progress: who notices takes it over. All waits are bounded.
 *
 * Accepts: a backward jump of the clock counts as no time (`steady-clock.ts`); the clocks of a location's machines differ
 * by milliseconds; isolates that share answers refresh up to a quarter earlier, so that they do not all ask at once.
 */
import { withDeadline } from "./deadline.ts";
import {
  continuation,
  type LocationCache,
  type LogTail,
  readShared,
  type SharedAnswer,
  share,
} from "./location-cache.ts";
import { loadSnapshot } from "./packing.ts";
import { REPORT_SECONDS, reportReceipt } from "./receipts.ts";
import { createRevocationIndex, type RevocationIndex } from "./revocation-index.ts";
import { endOf, type LogPosition, readLog, samePosition } from "./revocation-log.ts";
import { createSteadyClock } from "./steady-clock.ts";
import type { RevocationSubject } from "./subject.ts";

export interface RevocationFeed {
  /**
   * `true`: what is known is recent enough to decide; else a promise of whether it has become so, settled within
   * seconds. Begins the refresh behind the request where one is due. Synchronous, without allocation, while fresh.
   */
  ready(nowMilliseconds: number, behind: (work: Promise<unknown>) => void): true | Promise<boolean>;
  /** Whether the token is revoked by what is known. Does not ask whether that is recent: `ready` does. */
  isRevoked(subject: RevocationSubject, nowSeconds: number): boolean;
  /** Asks the D1 primary now (`revocation = "strict"`). `null`: it could not be asked in time, and nothing may be decided. */
  isRevokedStrict(subject: RevocationSubject, nowSeconds: number): Promise<boolean | null>;
  /** The last row that this isolate holds and how old that knowledge is; `null` before it has caught up once. */
  state(nowMilliseconds: number): { readonly sequence: number; readonly ageMilliseconds: number } | null;
}

export interface RevocationFeedOptions {
  readonly db: D1Database;
  readonly kv: KVNamespace;
  /** `null`: every isolate asks D1 itself. */
  readonly cache: LocationCache | null;
  /** Wall time in milliseconds. */
  readonly now: () => number;
  readonly refreshMilliseconds: number;
  readonly maxStalenessMilliseconds: number;
  /** The location that this isolate runs in (`request.cf.colo`), once it is known; without one no receipts are sent. */
  readonly location: () => string | null;
}

interface Held {
  readonly index: RevocationIndex;
  /** `null`: nothing has been read yet. */
  position: LogPosition | null;
  /** When the query behind it was sent, on the steady clock; -Infinity while it has not caught up yet. */
  asOf: number;
  /** From which age on it is refreshed. */
  due: number;
  /** What the last two refreshes brought, for those in this location who are a little behind. */
  tails: readonly [before: LogTail, last: LogTail] | null;
}

interface Attempt {
  readonly done: Promise<boolean>;
  steps: number;
  progressAt: number;
}

type Behind = (work: Promise<unknown>) => void;

const GRACE = 250;
const PATIENCE = 1_000;
const PATIENCE_COLD = 3_000;
const ROUNDS = 6;
const STRICT = 6_000;
const MOST_SHARED_ROWS = 5_000;

/** A feed for one isolate. Does nothing until it is asked. */
export function createRevocationFeed(options: RevocationFeedOptions): RevocationFeed {
  const { db, kv, cache, refreshMilliseconds: refresh, maxStalenessMilliseconds: maxStaleness } = options;
  const clock = createSteadyClock(options.now);
  const time = (): number => clock.at(options.now());

  let held: Held | null = null;
  /** The index that last caught up: what decides while another is being loaded in its place. */
  let deciding: RevocationIndex | null = null;
  let current: Attempt | null = null;
  let failing = false;
  let retryAt = -Infinity;
  let receiptAt = -Infinity;

  function ready(nowMilliseconds: number, behind: Behind): true | Promise<boolean> {
    const now = clock.at(nowMilliseconds);
    const age = held === null ? Infinity : now - held.asOf;
    if (held !== null && age < held.due) return true;
    if (age < Math.min(refresh + GRACE, maxStaleness) || (failing && age < maxStaleness)) {
      if (current !== null || now >= retryAt) attempt(now, behind);
      return true;
    }
    return waitUntilRecent(behind);
  }

  /** The attempt that is under way and makes progress; else a new one, behind the request that asks. */
  function attempt(now: number, behind: Behind): Attempt {
    if (current !== null && now - current.progressAt < PATIENCE_COLD) return current;
    const { promise: done, resolve } = Promise.withResolvers<boolean>();
    const mine: Attempt = { done, steps: 0, progressAt: now };
    current = mine;
    const end = (succeeded: boolean): void => {
      failing = !succeeded;
      if (!succeeded) retryAt = time() + Math.min(refresh, PATIENCE);
      if (current === mine) current = null;
      resolve(succeeded);
    };
    const progress = (): void => {
      mine.steps++;
      mine.progressAt = time();
    };
    behind(
      refreshOnce(progress).then(
        async (asked) => {
          end(true);
          if (asked) await tell();
        },
        () => end(false),
      ),
    );
    return mine;
  }

  async function waitUntilRecent(behind: Behind): Promise<boolean> {
    let hope = failing ? 1 : 2;
    for (let round = 0; round < ROUNDS; round++) {
      const joined = attempt(time(), behind);
      const { steps } = joined;
      const patience = caughtUp(held) ? PATIENCE : PATIENCE_COLD;
      const succeeded = await withDeadline(joined.done, patience, "a refresh").catch(() => null);
      const stuck = succeeded === null && joined.steps === steps;
      if (stuck) {
        // Its request may be gone, and its promise with it: the next to come begins anew.
        if (current === joined) current = null;
        failing = true;
        hope--;
      }
      if (held !== null && time() - held.asOf < maxStaleness) return true;
      if (succeeded === false || hope === 0) return false;
    }
    return false;
  }

  /** Brings `held` up to date by the location's answer, else by D1. True: D1 was asked. Throws where that fails. */
  async function refreshOnce(progress: () => void): Promise<boolean> {
    const target = held;
    if (cache !== null && caughtUp(target)) {
      const shared = await readShared(cache, target.position.history);
      if (shared !== null && held === target && takeShared(target, shared)) return false;
    }
    await askDatabase(progress);
    return true;
  }

  function takeShared(target: CaughtUp, shared: SharedAnswer): boolean {
    const wall = options.now();
    const now = time();
    const age = wall - shared.sentAt;
    const rows = continuation(shared.tail, target.position);
    if (age < 0 || age >= refresh || now - age <= target.asOf || rows === null) return false;
    if (shared.receiptAt !== null) receiptAt = Math.max(receiptAt, now - Math.max(0, wall - shared.receiptAt));
    take(target, { from: target.position, rows }, now - age);
    target.due = refresh * (0.75 + Math.random() / 4);
    return true;
  }

  /** Asks the primary until a page is complete whose query was sent after this was called, and applied. */
  async function askDatabase(progress: () => void): Promise<void> {
    let mismatches = 0;
    while (true) {
      if (held === null) {
        // A snapshot that the log does not continue would be loaded again and again.
        const loaded = mismatches < 2 ? await loadSnapshot(db, kv) : null;
        progress();
        held ??= {
          index: loaded?.index ?? createRevocationIndex(),
          position: loaded?.position ?? null,
          asOf: -Infinity,
          due: refresh,
          tails: null,
        };
      }
      const target = held;
      const { position } = target;
      const sentAt = time();
      const page = await readLog(db, position?.sequence ?? 0);
      progress();
      if (held !== target) continue;
      const continues = position === null || samePosition(position, page.from);
      if (!continues || (target.position !== null && target.position.history !== page.from.history)) {
        // The database was restored, or its newest row dropped: what is held is no beginning of this log.
        mismatches++;
        held = null;
        continue;
      }
      take(target, page, page.complete ? sentAt : -Infinity);
      if (!page.complete) continue;
      target.due = refresh;
      deciding = target.index;
      return;
    }
  }

  /** Applies what of the page has not been applied yet. */
  function take(target: Held, page: LogTail, asOf: number): void {
    const from = target.position ?? page.from;
    const rows = page.rows.filter((row) => row.sequence > from.sequence);
    target.index.apply(rows);
    const tail = { from, rows };
    target.position = endOf(tail);
    target.asOf = Math.max(target.asOf, asOf);
    target.tails = [target.tails?.[1] ?? { from, rows: [] }, tail];
  }

  /** Shares what D1 said with this location, and sends the location's receipt where it is time for one. Never throws. */
  async function tell(): Promise<void> {
    if (!caughtUp(held) || held.tails === null) return;
    const { position, asOf } = held;
    const [before, last] = held.tails;
    const rows = [...before.rows, ...last.rows];
    const tail = rows.length <= MOST_SHARED_ROWS ? { from: before.from, rows } : { from: position, rows: [] };
    const location = options.location();
    const now = time();
    const isReceiptDue = location !== null && now - receiptAt >= REPORT_SECONDS * 1000;
    if (isReceiptDue) receiptAt = now;
    if (cache !== null) {
      const wall = options.now();
      const shared = {
        tail,
        sentAt: wall - (now - asOf),
        receiptAt: Number.isFinite(receiptAt) ? wall - (now - receiptAt) : null,
      };
      await share(cache, shared, refresh);
    }
    if (isReceiptDue) await reportReceipt(db, location, position.sequence, (now - asOf) / 1000).catch(() => {});
  }

  return {
    ready,
    isRevoked(subject, nowSeconds) {
      if (deciding === null) throw new Error("the revocation feed was asked before it was ready");
      return deciding.isRevoked(subject, nowSeconds);
    },
    async isRevokedStrict(subject, nowSeconds) {
      try {
        // The first load is shared: a million entries are not fetched once per request.
        if (!caughtUp(held) && !(await waitUntilRecent(() => {}))) return null;
        await withDeadline(
          askDatabase(() => {}),
          STRICT,
          "D1",
        );
        return deciding?.isRevoked(subject, nowSeconds) ?? null;
      } catch {
        return null;
      }
    },
    state(nowMilliseconds) {
      if (!caughtUp(held)) return null;
      return { sequence: held.position.sequence, ageMilliseconds: clock.at(nowMilliseconds) - held.asOf };
    },
  };
}

type CaughtUp = Held & { position: LogPosition };

function caughtUp(held: Held | null): held is CaughtUp {
  return held !== null && held.position !== null && held.asOf !== -Infinity;
}
