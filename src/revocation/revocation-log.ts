/**
 * The log of revocations in D1, read in pages from the primary.
 *
 * Guarantees: a page is the view of one transaction on the primary (a replica may lag without bound), read within five
 * seconds. It shows whether it continues the reader's data: it carries the history's id, and the time at which the reader's
 * last row was written. After a restore of the database that row is a different one, or missing.
 */
import { withDeadline } from "../deadline.ts";
import type { RevocationKind, RevocationRow } from "./revocation.ts";

/** A position in the log: the last row that a reader has applied. */
export interface LogPosition {
  readonly history: string;
  /** 0: before the first row. */
  readonly sequence: number;
  /** When the row of that sequence was written, in seconds; `null` where there is none. */
  readonly createdAt: number | null;
}

export interface LogPage {
  readonly from: LogPosition;
  readonly rows: readonly RevocationRow[];
  /** Whether no rows follow these. */
  readonly complete: boolean;
  /** The database's own clock, in seconds. */
  readonly databaseSeconds: number;
}

const PAGE_ROWS = 10_000;
export const D1_MILLISECONDS = 5_000;

interface HeadColumns {
  history: string | null;
  created_at: number | null;
  now: number;
}

interface RowColumns {
  sequence: number;
  kind: RevocationKind;
  issuer: string;
  value: string;
  issued_before: number | null;
  effective_at: number;
  expires_at: number | null;
  created_at: number;
  withdraws: number | null;
}

/** The rows after `sequence`, at most `limit`. Throws if D1 fails, does not answer in time, or has no schema. */
export async function readLog(db: D1Database, sequence: number, limit: number = PAGE_ROWS): Promise<LogPage> {
  const session = db.withSession("first-primary");
  const head = session
    .prepare(
      `SELECT (SELECT history FROM revocation_history) AS history, unixepoch() AS now,
         (SELECT created_at FROM revocations WHERE sequence = ?1) AS created_at`,
    )
    .bind(sequence);
  const tail = session
    .prepare(
      `SELECT sequence, kind, issuer, value, issued_before, effective_at, expires_at, created_at, withdraws
       FROM revocations WHERE sequence > ?1 ORDER BY sequence LIMIT ?2`,
    )
    .bind(sequence, limit);
  const results = await withDeadline(session.batch([head, tail]), D1_MILLISECONDS, "D1");
  const found = results[0]?.results[0] as HeadColumns | undefined;
  const columns = results[1]?.results as RowColumns[] | undefined;
  if (found === undefined || columns === undefined || found.history === null) throw new Error("D1 has no history");
  return {
    from: { history: found.history, sequence, createdAt: found.created_at },
    rows: columns.map(rowOf),
    complete: columns.length < limit,
    databaseSeconds: found.now,
  };
}

/** A reader's position after it has applied a page. */
export function endOf(page: Pick<LogPage, "from" | "rows">): LogPosition {
  const last = page.rows.at(-1);
  return last === undefined
    ? page.from
    : { history: page.from.history, sequence: last.sequence, createdAt: last.createdAt };
}

/** Whether both are the same position in the same history. */
export function samePosition(left: LogPosition, right: LogPosition): boolean {
  return left.history === right.history && left.sequence === right.sequence && left.createdAt === right.createdAt;
}

function rowOf(columns: RowColumns): RevocationRow {
  return {
    sequence: columns.sequence,
    kind: columns.kind,
    issuer: columns.issuer,
    value: columns.value,
    issuedBefore: columns.issued_before,
    effectiveAt: columns.effective_at,
    expiresAt: columns.expires_at,
    createdAt: columns.created_at,
    withdraws: columns.withdraws !== null,
  };
}
