/**
 * What an isolate knows of the revocation log: the index, the position in the log that it reflects, and its age. Updates it
 * from the location's shared answer or from D1; then shares the answer with the location and reports receipts.
 *
 * Guarantees: rows are applied once and in order, even if refreshes overlap; an answer is applied only to the state for which
 * it was requested; the age counts from before the query was sent; if the log no longer continues the index (the database
 * was restored), the index is loaded again. Leaves to `feed.ts`: when to refresh, which request waits, and for how long.
 */
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
import type { SteadyClock } from "./steady-clock.ts";

export interface KnowledgeOptions {
  readonly db: D1Database;
  readonly kv: KVNamespace;
  /** `null`: every isolate queries D1 itself. */
  readonly cache: LocationCache | null;
  /** Wall time in milliseconds. */
  readonly now: () => number;
  readonly refreshMilliseconds: number;
  /** This isolate's location (`request.cf.colo`); `null` while it is unknown, and then no receipts are sent. */
  readonly location: () => string | null;
}

export interface Knowledge {
  /** Milliseconds from the sending of the query behind the index to `steadyNow`; `Infinity` before it has caught up. */
  age(steadyNow: number): number;
  /** The age, in milliseconds, from which on a refresh is due. */
  due(): number;
  /** The index for decisions: the last that caught up, also while its replacement is being loaded. */
  index(): RevocationIndex | null;
  /** The sequence of the last applied row; 0 for none. */
  sequence(): number;
  /** Updates the index from the location's answer if that is recent, else from D1. `true`: D1 was queried. Throws if D1 fails. */
  refresh(progress: () => void): Promise<boolean>;
  /** Reads and applies pages from the primary, all queried after the call, until the last one. Throws if D1 fails. */
  askDatabase(progress: () => void): Promise<void>;
  /** Shares D1's answer with this location, and reports the location's receipt if one is due. Never throws. */
  tell(): Promise<void>;
}

interface Held {
  readonly index: RevocationIndex;
  /** `null`: nothing has been read yet. */
  position: LogPosition | null;
  /** When the query behind the index was sent, on the steady clock; -Infinity until it has caught up. */
  asOf: number;
  /** The age from which on a refresh is due. */
  due: number;
  /** The rows of the last two refreshes, for isolates of this location that are slightly behind; the last began at `tailAt`. */
  tails: readonly [before: LogTail, last: LogTail] | null;
  tailAt: number;
}

type CaughtUp = Held & { position: LogPosition };

const MOST_SHARED_ROWS = 5_000;

/** An isolate's knowledge, empty at first. */
export function createKnowledge(options: KnowledgeOptions, clock: SteadyClock): Knowledge {
  const { db, kv, cache, refreshMilliseconds } = options;
  const time = (): number => clock.at(options.now());

  let held: Held | null = null;
  let deciding: RevocationIndex | null = null;
  let receiptAt = -Infinity;

  async function refresh(progress: () => void): Promise<boolean> {
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
    if (age < 0 || age >= refreshMilliseconds || now - age <= target.asOf || rows === null) return false;
    if (shared.receiptAt !== null) receiptAt = Math.max(receiptAt, now - Math.max(0, wall - shared.receiptAt));
    take(target, { from: target.position, rows }, now - age);
    target.due = refreshMilliseconds * (0.75 + Math.random() / 4);
    return true;
  }

  async function askDatabase(progress: () => void): Promise<void> {
    let mismatches = 0;
    while (true) {
      if (held === null) {
        // After two mismatches start from the log: a snapshot that it does not continue would fail every time.
        const loaded = mismatches < 2 ? await loadSnapshot(db, kv) : null;
        progress();
        held ??= {
          index: loaded?.index ?? createRevocationIndex(),
          position: loaded?.position ?? null,
          asOf: -Infinity,
          due: refreshMilliseconds,
          tails: null,
          tailAt: -Infinity,
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
        // The database was restored, or its newest row deleted: this log does not continue the index.
        mismatches++;
        held = null;
        continue;
      }
      take(target, page, page.complete ? sentAt : -Infinity);
      if (!page.complete) continue;
      target.due = refreshMilliseconds;
      deciding = target.index;
      return;
    }
  }

  /** Applies the rows of the page that were not applied before. */
  function take(target: Held, page: LogTail, asOf: number): void {
    const from = target.position ?? page.from;
    const rows = page.rows.filter((row) => row.sequence > from.sequence);
    target.index.apply(rows);
    const tail = { from, rows };
    target.position = endOf(tail);
    target.asOf = Math.max(target.asOf, asOf);
    keepTail(target, tail);
  }

  /** Strict requests query far more often than `refresh`: their rows are added to the tail of the refresh before them. */
  function keepTail(target: Held, tail: LogTail): void {
    const now = time();
    const [before, last] = target.tails ?? [];
    if (before === undefined || last === undefined || now - target.tailAt >= refreshMilliseconds / 2) {
      target.tails = [last ?? { from: tail.from, rows: [] }, tail];
      target.tailAt = now;
    } else if (last.rows.length + tail.rows.length <= MOST_SHARED_ROWS) {
      target.tails = [before, { from: last.from, rows: [...last.rows, ...tail.rows] }];
    } else {
      const end = { from: endOf(tail), rows: [] };
      target.tails = [end, end];
    }
  }

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
      await share(cache, shared, refreshMilliseconds);
    }
    if (isReceiptDue) await reportReceipt(db, location, position.sequence, (now - asOf) / 1000).catch(() => {});
  }

  return {
    age: (steadyNow) => (held === null ? Infinity : steadyNow - held.asOf),
    due: () => held?.due ?? 0,
    index: () => deciding,
    sequence: () => held?.position?.sequence ?? 0,
    refresh,
    askDatabase,
    tell,
  };
}

function caughtUp(held: Held | null): held is CaughtUp {
  return held !== null && held.position !== null && held.asOf !== -Infinity;
}
