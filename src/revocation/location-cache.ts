/**
 * How the isolates of one location share one answer of D1, through the Cache API, so that the load on D1 grows with
 * locations and not with isolates.
 *
 * Guarantees: a shared answer says when its query was sent, by which clock its age is counted for everybody; it is taken only by
 * a reader whose place in the log lies within it, and only where it is younger than `refresh`. A cache that is absent,
 * empty, broken or slow is a miss. The entry's name holds the database's history id, so that gateways with different
 * databases never read each other's.
 *
 * Accepts what the location's clocks differ by (NTP: milliseconds) as an error of the age, and trusts what is in a cache that
 * only this Worker's own code can write: pass a named cache (`caches.open`), which no `fetch` reads or fills.
 */
import { withDeadline } from "../deadline.ts";
import type { RevocationRow } from "./revocation.ts";
import { type LogPage, type LogPosition, samePosition } from "./revocation-log.ts";

export interface LocationCache {
  open(): Promise<Pick<Cache, "match" | "put">>;
  /** An https URL of the gateway's own host, without a trailing slash, under which entries are named. */
  readonly url: string;
}

/** A part of the log: the rows behind a place. */
export type LogTail = Pick<LogPage, "from" | "rows">;

export interface SharedAnswer {
  /** From a place one or two refreshes back to the place that the query found. */
  readonly tail: LogTail;
  /** When the query was sent, in milliseconds of wall time. */
  readonly sentAt: number;
  /** When an isolate of this location last sent a receipt, in milliseconds of wall time; `null`: not that it knew. */
  readonly receiptAt: number | null;
}

const VERSION = 1;
const CACHE_MILLISECONDS = 500;

/** The answer that the location shares, if it is for this history; `null` where there is none or the cache fails. */
export async function readShared(cache: LocationCache, history: string): Promise<SharedAnswer | null> {
  try {
    const read = async (): Promise<unknown> => {
      const response = await (await cache.open()).match(entryUrl(cache, history));
      return response === undefined ? null : await response.json();
    };
    const found = (await withDeadline(read(), CACHE_MILLISECONDS, "the cache")) as SharedAnswer | null;
    if (found === null || !Array.isArray(found.tail.rows) || !Number.isFinite(found.sentAt)) return null;
    return found.tail.from.history === history ? found : null;
  } catch {
    return null;
  }
}

/** Shares an answer for as long as it may be of use. A failure is nobody's loss. */
export async function share(cache: LocationCache, answer: SharedAnswer, refreshMilliseconds: number): Promise<void> {
  const response = Response.json(answer, {
    headers: { "Cache-Control": `max-age=${Math.max(1, Math.ceil(refreshMilliseconds / 1000))}` },
  });
  try {
    const put = async (): Promise<void> =>
      (await cache.open()).put(entryUrl(cache, answer.tail.from.history), response);
    await withDeadline(put(), CACHE_MILLISECONDS, "the cache");
  } catch {
    // Everybody asks D1 then.
  }
}

/** The rows that bring a reader from `position` to the end of the tail; `null` where its place is not in it. */
export function continuation(tail: LogTail, position: LogPosition): readonly RevocationRow[] | null {
  if (samePosition(tail.from, position)) return tail.rows;
  const at = tail.rows.findIndex((row) => row.sequence === position.sequence && row.createdAt === position.createdAt);
  return at === -1 || tail.from.history !== position.history ? null : tail.rows.slice(at + 1);
}

function entryUrl(cache: LocationCache, history: string): string {
  return `${cache.url}/revocations/${VERSION}/${encodeURIComponent(history)}`;
}
