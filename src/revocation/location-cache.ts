/**
 * How the isolates of one location share one answer of D1, through the Cache API, so that the load on D1 grows with
 * locations and not with isolates.
 *
 * Guarantees: a shared answer carries the time at which its query was sent, from which every reader counts its age; a reader
 * uses it only if the reader's log position lies within it, and only while it is younger than `refresh`. A cache that is
 * absent, empty, broken or slow is a miss. The cache key contains the database's history id, so that gateways with different
 * databases never read each other's entries.
 *
 * Accepted: the age is wrong by the difference of the location's clocks (NTP: milliseconds). Trusts the entries, because only
 * this Worker's own code can write them: pass a named cache (`caches.open`), which no `fetch` reads or fills.
 */
import { withDeadline } from "../deadline.ts";
import type { RevocationRow } from "./revocation.ts";
import { type LogPage, type LogPosition, samePosition } from "./revocation-log.ts";

export interface LocationCache {
  open(): Promise<Pick<Cache, "match" | "put">>;
  /** An https URL of the gateway's own host, without a trailing slash; the prefix of the cache keys. */
  readonly url: string;
}

/** A part of the log: the rows after a position. */
export type LogTail = Pick<LogPage, "from" | "rows">;

export interface SharedAnswer {
  /** The rows since a position one or two refreshes earlier, up to the last row that the query returned. */
  readonly tail: LogTail;
  /** When the query was sent, in milliseconds of wall time. */
  readonly sentAt: number;
  /** When an isolate of this location last sent a receipt, in milliseconds of wall time; `null`: unknown to the writer. */
  readonly receiptAt: number | null;
}

const VERSION = 1;
const CACHE_MILLISECONDS = 500;

/** The location's shared answer for this history; `null` where there is none or the cache fails. */
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

/** Shares an answer while it is younger than `refresh`. Ignores failures: isolates then query D1 themselves. */
export async function share(cache: LocationCache, answer: SharedAnswer, refreshMilliseconds: number): Promise<void> {
  const response = Response.json(answer, {
    headers: { "Cache-Control": `max-age=${Math.max(1, Math.ceil(refreshMilliseconds / 1000))}` },
  });
  try {
    const put = async (): Promise<void> =>
      (await cache.open()).put(entryUrl(cache, answer.tail.from.history), response);
    await withDeadline(put(), CACHE_MILLISECONDS, "the cache");
  } catch {
    // A miss for the other isolates.
  }
}

/** The rows of the tail after `position`; `null` where the tail does not contain that position. */
export function continuation(tail: LogTail, position: LogPosition): readonly RevocationRow[] | null {
  if (samePosition(tail.from, position)) return tail.rows;
  const at = tail.rows.findIndex((row) => row.sequence === position.sequence && row.createdAt === position.createdAt);
  return at === -1 || tail.from.history !== position.history ? null : tail.rows.slice(at + 1);
}

function entryUrl(cache: LocationCache, history: string): string {
  return `${cache.url}/revocations/${VERSION}/${encodeURIComponent(history)}`;
}
