/**
 * What an isolate knows of the log: an index, the place in the log that it stands for, and how old that is. Brings it up to
 * date by the location's shared answer or by D1, and tells the location and the receipts of it.
 *
 * Guarantees: rows are applied once and in order, whatever overlaps; an answer is applied only to the state that it was asked
 * for; the age counts from before the query was sent; a list that the log does not continue (the database was
 * restored) is loaded anew. Leaves to `feed.ts`: when to refresh, who waits, and for how long.
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
  /** `null`: every isolate asks D1 itself. */
  readonly cache: LocationCache | null;
  /** Wall time in milliseconds. */
  readonly now: () => number;
  readonly refreshMilliseconds: number;
  /** The location that this isolate runs in (`request.cf.colo`), once it is known; without one no receipts are sent. */
  readonly location: () => string | null;
}

export interface Knowledge {
  /** Milliseconds since the query that it came from was sent, at a steady time; `Infinity` before it has caught up. */
  age(steadyNow: number): number;
  /** The age from which on it wants to be refreshed. */
  due(): number;
  /** The index that last caught up: what decides, also while another is being loaded in its place. */
  index(): RevocationIndex | null;
  /** The last row that is in it; 0 for none. */
  sequence(): number;
  /** Brings it up to date, by the location's answer if that is recent, else by D1. True: D1 was asked. Throws where that fails. */
  refresh(progress: () => void): Promise<boolean>;
  /** Asks the primary until a page is complete whose query was sent after this was called, and applied. Throws where that fails. */
  askDatabase(progress: () => void): Promise<void>;
  /** Shares what D1 said with this location, and sends the location's receipt where it is time for one. Never throws. */
  tell(): Promise<void>;
}

interface Held {
  readonly index: RevocationIndex;
  /** `null`: nothing has been read yet. */
  position: LogPosition | null;
  /** When the query behind it was sent, on the steady clock; -Infinity while it has not caught up yet. */
  asOf: number;
  /** From which age on it is refreshed. */
  due: number;
  /** What the last two refreshes brought, for those in this location who are a little behind, and when the last of them began. */
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
        // A snapshot that the log does not continue would be loaded again and again.
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
        // The database was restored, or its newest row dropped: what is held is no beginning of this log.
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

  /** Applies what of the page has not been applied yet. */
  function take(target: Held, page: LogTail, asOf: number): void {
    const from = target.position ?? page.from;
    const rows = page.rows.filter((row) => row.sequence > from.sequence);
    target.index.apply(rows);
    const tail = { from, rows };
    target.position = endOf(tail);
    target.asOf = Math.max(target.asOf, asOf);
    keepTail(target, tail);
  }

  /** Strict requests ask far more often than `refresh`: what they bring goes with the refresh before it. */
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
