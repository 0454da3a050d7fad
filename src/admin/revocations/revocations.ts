/**
 * Revoking and withdrawing through the API; the list itself is `revocation/records.ts`.
 *
 * Guarantees: one entry or up to 5,000, all of them or none, each with its row in the audit log in the same batch. Of a
 * token that is submitted whole, only its issuer and its name are kept. The same batch updates the records of the tokens
 * that an entry matches by their id, an ancestor or their subject.
 * Accepted: an entry that expires, or is for a client, a key or an issuer, is enforced but not shown in the tokens' records.
 */
import type { FieldError } from "../../denial.ts";
import type { Policy } from "../../policy/policy.ts";
import type { Receipts } from "../../revocation/receipts.ts";
import {
  addRevocations,
  getRevocation,
  listRevocations as listRecords,
  type NewRevocation,
  type RevocationRecord,
  sequencesOf,
  withdrawRevocation,
} from "../../revocation/records.ts";
import { fieldName } from "../body.ts";
import { formatCursor, numberIn, type Position } from "../cursor.ts";
import { batched } from "../in-time.ts";
import { formatInstant, formatInstantOrNull } from "../instant.ts";
import { done, type Outcome, refused } from "../refusal.ts";
import type { Page } from "../tokens/records.ts";
import { actorName } from "../tokens/store.ts";
import { auditStatement, sql, statement, type Write, written } from "../write.ts";
import { entryOf, type RevocationsBody, warningOf } from "./request.ts";
import { auditAll, followStatements } from "./statements.ts";

export interface RevocationItem {
  readonly sequence: number;
  readonly kind: RevocationRecord["kind"];
  readonly issuer: string;
  readonly value: string;
  readonly issued_before: string | null;
  readonly effective_at: string;
  readonly expires_at: string | null;
  readonly reason: string;
  readonly created_at: string;
  readonly created_by: string;
  /** A possible mistake: the policy does not know the issuer, or the entry revokes all tokens of this gateway. */
  readonly warning?: string;
}

export const REVOCATION_LIST = "revocations";

/** Adds the entries of a body that has the shape of `revocationsSchema`, in its order. */
export async function addToList(
  db: D1Database,
  policy: Policy,
  write: Write,
  body: RevocationsBody,
): Promise<Outcome<RevocationItem[]>> {
  const asked = Array.isArray(body) ? body : [body];
  const errors: FieldError[] = [];
  const entries: NewRevocation[] = [];
  for (const [index, one] of asked.entries()) {
    const around = Array.isArray(body) ? [index] : [];
    const entry = await entryOf(one, policy, write.nowSeconds, (field, message) => {
      errors.push({ field: fieldName([...around, field]), message });
    });
    if (entry !== null) entries.push(entry);
  }
  if (errors.length > 0) return refused("request_invalid", errors.slice(0, 100));

  const createdBy = actorName(write);
  const adds = addRevocations(db, entries, { createdBy, nowSeconds: write.nowSeconds });
  const results = await batched(db, [
    ...adds,
    ...auditAll(db, write, entries),
    ...followStatements(db, policy, entries, write.nowSeconds),
  ]);
  const sequences = sequencesOf(results.slice(0, adds.length));
  return done(
    entries.map((entry, index) => {
      const item = itemOf({
        ...entry,
        sequence: sequences[index] ?? Number.NaN,
        effectiveAt: write.nowSeconds,
        createdAt: write.nowSeconds,
        createdBy,
      });
      const warning = warningOf(entry, policy, write.nowSeconds);
      return warning === null ? item : { ...item, warning };
    }),
  );
}

/** Withdraws an entry; refuses with `not_found` if there is none or it was withdrawn before. */
export async function withdraw(db: D1Database, write: Write, sequence: number): Promise<Outcome<RevocationItem>> {
  const entry = await getRevocation(db, sequence);
  if (entry === null) return noSuchEntry();
  const item = itemOf(entry);
  const inForce = sql(
    `EXISTS (SELECT 1 FROM revocations WHERE sequence = ? AND withdraws IS NULL)
     AND NOT EXISTS (SELECT 1 FROM revocations WHERE withdraws = ?)`,
    sequence,
    sequence,
  );
  const results = await batched(db, [
    auditStatement(db, write, { action: "revocation.withdraw", target: String(sequence), before: item }, inForce),
    withdrawRevocation(db, sequence, "withdrawn", { createdBy: actorName(write), nowSeconds: write.nowSeconds }),
    statement(db, sql("DELETE FROM token_revocations WHERE sequence = ? AND", sequence), written(write)),
  ]);
  return (results[1]?.results.length ?? 0) === 0 ? noSuchEntry() : done(item);
}

/** One page of the entries that are not withdrawn, the newest first. */
export async function listRevocations(
  db: D1Database,
  after: Position | null,
  limit: number,
): Promise<Page<RevocationItem>> {
  const { items, cursor } = await listRecords(db, numberIn(after), limit);
  const page = { items: items.map(itemOf) };
  return cursor === null ? page : { ...page, cursor: formatCursor(REVOCATION_LIST, [cursor]) };
}

/** An entry with its receipts. */
export async function findRevocation(
  db: D1Database,
  sequence: number,
  readReceipts: (db: D1Database, sequence: number) => Promise<Receipts | null>,
) {
  const [entry, receipts] = await Promise.all([getRevocation(db, sequence), readReceipts(db, sequence)]);
  if (entry === null || receipts === null) return null;
  return {
    ...itemOf(entry),
    locations: receipts.locations.map((location) => ({
      location: location.location,
      sequence: location.sequence,
      applied: location.applied,
      as_of: formatInstant(location.asOf),
      reported_at: formatInstant(location.reportedAt),
    })),
    seen_last_five_minutes: receipts.seenLastFiveMinutes,
    applied_last_five_minutes: receipts.appliedLastFiveMinutes,
    oldest_lag_seconds: receipts.oldestLagSeconds,
  };
}

export function noSuchEntry() {
  return refused("not_found", [{ field: "sequence", message: "is not the sequence of an entry in force" }]);
}

function itemOf(record: RevocationRecord): RevocationItem {
  return {
    sequence: record.sequence,
    kind: record.kind,
    issuer: record.issuer,
    value: record.value,
    issued_before: formatInstantOrNull(record.issuedBefore),
    effective_at: formatInstant(record.effectiveAt),
    expires_at: formatInstantOrNull(record.expiresAt),
    reason: record.reason,
    created_at: formatInstant(record.createdAt),
    created_by: record.createdBy,
  };
}
