/**
 * The admin API's reads and writes of the revocation log. Writes are returned as statements, so that the caller can put the
 * audit row into the same batch; nothing here writes by itself.
 *
 * Guarantees: rows are only added; a batch of thousands is one transaction; an entry is withdrawn at most once.
 * Leaves to the caller: validation of the request, authorization, the audit row, and naming tokens (`token-name.ts`).
 * A caller that sets `expiresAt` from a token's `exp` must add the clock skew, or the token outlives its entry.
 */
import { withDeadline } from "../deadline.ts";
import type { Revocation, RevocationKind } from "./revocation.ts";
import { D1_MILLISECONDS } from "./revocation-log.ts";

export const MOST_ENTRIES = 5_000;

/** An entry to add. `effectiveAt` absent or `null`: at once. The kind `issuer` takes the issuer from `value`, not `issuer`. */
export interface NewRevocation extends Omit<Revocation, "effectiveAt"> {
  readonly effectiveAt?: number | null;
  readonly reason: string;
}

export interface Author {
  readonly createdBy: string;
  readonly nowSeconds: number;
}

/** An entry on record that has not been withdrawn. Times are seconds since the epoch. */
export interface RevocationRecord extends Revocation {
  readonly sequence: number;
  readonly reason: string;
  readonly createdAt: number;
  readonly createdBy: string;
}

/** A D1 value has at most two megabytes; an entry of the admin API is far below four kilobytes. */
const ENTRIES_A_STATEMENT = 250;

const COLUMNS = "kind, issuer, value, issued_before, effective_at, expires_at, reason, created_at, created_by";

/**
 * The statements that add the entries, in their order. `sequencesOf` reads the new sequences from the batch's results; a
 * later statement of the batch finds the last of them as `(SELECT max(sequence) FROM revocations)`. Throws a RangeError
 * for more than `MOST_ENTRIES`.
 */
export function addRevocations(
  db: D1Database,
  entries: readonly NewRevocation[],
  author: Author,
): D1PreparedStatement[] {
  if (entries.length > MOST_ENTRIES) throw new RangeError(`at most ${MOST_ENTRIES} revocations at once`);
  const statements: D1PreparedStatement[] = [];
  for (let from = 0; from < entries.length; from += ENTRIES_A_STATEMENT) {
    const rows = entries
      .slice(from, from + ENTRIES_A_STATEMENT)
      .map(({ kind, issuer, value, issuedBefore, effectiveAt, expiresAt, reason }) => [
        kind,
        kind === "issuer" ? value : issuer,
        value,
        issuedBefore,
        effectiveAt ?? author.nowSeconds,
        expiresAt,
        reason,
      ]);
    statements.push(
      db
        .prepare(
          `INSERT INTO revocations (${COLUMNS})
           SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, ?2, ?3
           FROM json_each(?1) ORDER BY key RETURNING sequence`,
        )
        .bind(JSON.stringify(rows), author.nowSeconds, author.createdBy),
    );
  }
  return statements;
}

/** The new sequences, in the order of the entries; takes the results of the `addRevocations` statements. */
export function sequencesOf(results: readonly D1Result<unknown>[]): number[] {
  const rows = results.flatMap((result) => result.results as { sequence: number }[]);
  return rows.map((row) => row.sequence).sort((left, right) => left - right);
}

/**
 * The statement that withdraws the entry of that sequence. If its result has no row, there was nothing to withdraw (no such
 * entry, or already withdrawn); `changes()` is then 0 in the next statement of the batch.
 */
export function withdrawRevocation(
  db: D1Database,
  sequence: number,
  reason: string,
  author: Author,
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO revocations (${COLUMNS}, withdraws)
       SELECT kind, issuer, value, issued_before, effective_at, expires_at, ?2, ?3, ?4, sequence FROM revocations AS entry
       WHERE sequence = ?1 AND withdraws IS NULL
         AND NOT EXISTS (SELECT 1 FROM revocations AS later WHERE later.withdraws = entry.sequence)
       RETURNING sequence`,
    )
    .bind(sequence, reason, author.nowSeconds, author.createdBy);
}

/** The entries that are not withdrawn, the newest first; `cursor` is the last page's, `null` for the first and after the last. */
export async function listRevocations(
  db: D1Database,
  cursor: number | null,
  limit: number,
): Promise<{ items: RevocationRecord[]; cursor: number | null }> {
  const found = await select(db, "sequence < ?1", [cursor ?? Number.MAX_SAFE_INTEGER, limit + 1]);
  const items = found.slice(0, limit);
  return { items, cursor: found.length > limit ? (items.at(-1)?.sequence ?? null) : null };
}

/** The entry of that sequence, unless it was withdrawn. */
export async function getRevocation(db: D1Database, sequence: number): Promise<RevocationRecord | null> {
  const [record] = await select(db, "sequence = ?1", [sequence, 1]);
  return record ?? null;
}

interface Columns {
  sequence: number;
  kind: RevocationKind;
  issuer: string;
  value: string;
  issued_before: number | null;
  effective_at: number;
  expires_at: number | null;
  reason: string;
  created_at: number;
  created_by: string;
}

async function select(db: D1Database, where: string, values: [number, number]): Promise<RevocationRecord[]> {
  const query = db
    .withSession("first-primary")
    .prepare(
      `SELECT sequence, ${COLUMNS} FROM revocations AS entry WHERE ${where} AND withdraws IS NULL
         AND NOT EXISTS (SELECT 1 FROM revocations AS later WHERE later.withdraws = entry.sequence)
       ORDER BY sequence DESC LIMIT ?2`,
    )
    .bind(...values);
  const { results } = await withDeadline(query.all<Columns>(), D1_MILLISECONDS, "D1");
  return results.map((columns) => ({
    sequence: columns.sequence,
    kind: columns.kind,
    issuer: columns.issuer,
    value: columns.value,
    issuedBefore: columns.issued_before,
    effectiveAt: columns.effective_at,
    expiresAt: columns.expires_at,
    reason: columns.reason,
    createdAt: columns.created_at,
    createdBy: columns.created_by,
  }));
}
