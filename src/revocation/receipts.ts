/**
 * Receipts: which locations have reported that they hold a revocation.
 *
 * Guarantees: at most one report per location is kept in 30 seconds, by the database's clock; a report never claims more
 * than one isolate held after a completed query. Leaves to `knowledge.ts`: when to report.
 *
 * A receipt speaks for one isolate of its location. The other isolates are bound by `refresh`, not by the report: so
 * `applied` proves it for the whole location once the revocation is older than `refresh` plus the time of one query.
 */
import { withDeadline } from "../deadline.ts";
import { D1_MILLISECONDS } from "./revocation-log.ts";

export const REPORT_SECONDS = 30;
const SEEN_SECONDS = 300;
/** A location that has not reported for a day is no longer listed. */
const FORGET_SECONDS = 86_400;

interface Receipt {
  readonly location: string;
  /** The last row that the reporting isolate held. */
  readonly sequence: number;
  readonly applied: boolean;
  /** When the query behind the report was sent, and when it was reported; seconds since the epoch. */
  readonly asOf: number;
  readonly reportedAt: number;
}

export interface Receipts {
  readonly sequence: number;
  readonly createdAt: number;
  readonly locations: readonly Receipt[];
  readonly seenLastFiveMinutes: number;
  readonly appliedLastFiveMinutes: number;
  /** Seconds since the oldest `asOf` of the locations seen in the last five minutes; `null` where none was. */
  readonly oldestLagSeconds: number | null;
}

/** Reports that an isolate of `location` holds every row up to `sequence`, by a query that was sent `ageSeconds` ago. */
export async function reportReceipt(
  db: D1Database,
  location: string,
  sequence: number,
  ageSeconds: number,
): Promise<void> {
  await withDeadline(
    db
      .prepare(
        `INSERT INTO receipts (location, sequence, as_of, reported_at) VALUES (?1, ?2, unixepoch() - ?3, unixepoch())
         ON CONFLICT (location) DO UPDATE SET sequence = excluded.sequence, as_of = excluded.as_of,
           reported_at = excluded.reported_at WHERE excluded.reported_at >= receipts.reported_at + ?4`,
      )
      .bind(location, sequence, Math.max(0, Math.ceil(ageSeconds)), REPORT_SECONDS)
      .run(),
    D1_MILLISECONDS,
    "D1",
  );
}

/** Which locations hold the entry of that sequence, by their reports; `null` where there is no such entry. */
export async function readReceipts(db: D1Database, sequence: number): Promise<Receipts | null> {
  const session = db.withSession("first-primary");
  const results = await withDeadline(
    session.batch([
      session
        .prepare("SELECT created_at, unixepoch() AS now FROM revocations WHERE sequence = ?1 AND withdraws IS NULL")
        .bind(sequence),
      session
        .prepare(
          `SELECT location, sequence, as_of, reported_at FROM receipts WHERE reported_at >= unixepoch() - ?1
           ORDER BY location`,
        )
        .bind(FORGET_SECONDS),
    ]),
    D1_MILLISECONDS,
    "D1",
  );
  const row = results[0]?.results[0] as { created_at: number; now: number } | undefined;
  if (row === undefined) return null;
  const columns = (results[1]?.results ?? []) as {
    location: string;
    sequence: number;
    as_of: number;
    reported_at: number;
  }[];
  const locations = columns.map((column) => ({
    location: column.location,
    sequence: column.sequence,
    applied: column.sequence >= sequence,
    asOf: column.as_of,
    reportedAt: column.reported_at,
  }));
  const seen = locations.filter((location) => location.reportedAt >= row.now - SEEN_SECONDS);
  return {
    sequence,
    createdAt: row.created_at,
    locations,
    seenLastFiveMinutes: seen.length,
    appliedLastFiveMinutes: seen.filter((location) => location.applied).length,
    oldestLagSeconds: seen.length === 0 ? null : Math.max(...seen.map((location) => row.now - location.asOf)),
  };
}
