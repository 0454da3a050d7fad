/**
 * Revoking and withdrawing through the API; the list itself is `revocation/records.ts`.
 *
 * Guarantees: one entry or up to 5,000, all of them or none, each with its row in the audit log in the same batch. Of a
 * token that is handed in whole, its issuer and its name are kept, nothing else. The records of the tokens that an entry
 * meets by their id, an ancestor or their subject follow it in the same batch.
 * Accepted: an entry that expires, and one for a client, a key or an issuer, is enforced and not told by the records.
 */
import * as v from "valibot";
import type { FieldError } from "../denial.ts";
import type { Policy } from "../policy/policy.ts";
import type { Receipts } from "../revocation/receipts.ts";
import {
  addRevocations,
  getRevocation,
  listRevocations as listRecords,
  MOST_ENTRIES,
  type NewRevocation,
  type RevocationRecord,
  sequencesOf,
  withdrawRevocation,
} from "../revocation/records.ts";
import { REVOCATION_KINDS } from "../revocation/revocation.ts";
import { tokenName } from "../revocation/token-name.ts";
import { fieldName } from "./body.ts";
import { formatCursor, type Position } from "./cursor.ts";
import { formatInstant, formatInstantOrNull, parseInstant } from "./instant.ts";
import { done, type Outcome, refused } from "./refusal.ts";
import { ancestorName } from "./tokens/grant.ts";
import type { Page } from "./tokens/records.ts";
import { actorName } from "./tokens/store.ts";
import { auditStatement, sql, statement, type Write, written } from "./write.ts";

const LONGEST_NAME = 512;

const instant = v.pipe(
  v.string(),
  v.check((text) => parseInstant(text) !== null, 'must be an RFC 3339 time, as "2026-11-22T08:00:00Z"'),
);
const text = (longest: number) =>
  v.pipe(
    v.string(),
    v.nonEmpty("must not be empty"),
    v.maxLength(longest, `must have at most ${longest} characters`),
    v.check((value) => value.isWellFormed(), "must be well-formed Unicode"),
  );

const revocationSchema = v.strictObject({
  kind: v.pipe(v.picklist(REVOCATION_KINDS), v.description("What the value names.")),
  issuer: v.optional(v.pipe(text(LONGEST_NAME), v.description("Whose tokens. Absent: this gateway's own."))),
  value: v.pipe(
    text(16 * 1024),
    v.description(
      "A sub, a client, a kid, an issuer; of a token its jti, or the token, of which only the name is kept.",
    ),
  ),
  issued_before: v.optional(v.pipe(instant, v.description("Only tokens with an earlier iat, and those without one."))),
  expires_at: v.optional(v.pipe(instant, v.description("From then on the entry no longer counts."))),
  reason: v.pipe(text(500), v.description("Why, for those who read the list.")),
});

export const revocationsSchema = v.union([
  revocationSchema,
  v.pipe(
    v.array(revocationSchema),
    v.nonEmpty("must not be empty"),
    v.maxLength(MOST_ENTRIES, `must have at most ${MOST_ENTRIES} entries`),
  ),
]);

export type RevocationsBody = v.InferInput<typeof revocationsSchema>;
type RevocationBody = v.InferOutput<typeof revocationSchema>;

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
  /** What may be a mistake: an issuer that the policy does not know. */
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
  const results = await db.batch([
    ...adds,
    ...auditAll(db, write, entries),
    ...followStatements(db, policy, entries, write.nowSeconds),
  ]);
  const sequences = sequencesOf(results.slice(0, adds.length));
  return done(
    entries.map((entry, index) => {
      const item = itemOf({
        ...entry,
        issuer: entry.kind === "issuer" ? entry.value : entry.issuer,
        sequence: sequences[index] ?? Number.NaN,
        effectiveAt: write.nowSeconds,
        createdAt: write.nowSeconds,
        createdBy,
      });
      return isKnown(policy, item.issuer) ? item : { ...item, warning: "the policy does not know this issuer" };
    }),
  );
}

/** Withdraws an entry; `not_found` where there is none, and where it was withdrawn before. */
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
  const results = await db.batch([
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
  const { items, cursor } = await listRecords(db, after?.length === 1 ? after[0] : null, limit);
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

/** A checked entry; `null` after telling its faults. */
async function entryOf(
  body: RevocationBody,
  policy: Policy,
  nowSeconds: number,
  fault: (field: string, message: string) => void,
): Promise<NewRevocation | null> {
  const own = policy.gateway.publicUrl;
  let isGood = true;
  const bad = (field: string, message: string): void => {
    isGood = false;
    fault(field, message);
  };
  let { value } = body;
  let issuer = body.issuer ?? own;
  if (body.kind === "token") {
    const name = await tokenName(value);
    if (name === null) bad("value", "is neither a jti nor a token that can be read");
    else if (name.issuer !== null && body.issuer !== undefined && name.issuer !== body.issuer) {
      bad("issuer", "is not the issuer of the token");
    }
    value = name?.tokenId ?? "";
    issuer = body.issuer ?? name?.issuer ?? own;
  } else if (body.kind === "issuer") {
    if (body.issuer !== undefined && body.issuer !== value) bad("issuer", "is not the value; leave it out");
    issuer = value;
  }
  if (value.length > LONGEST_NAME || issuer.length > LONGEST_NAME) {
    bad("value", `must be a name of at most ${LONGEST_NAME} characters, or a token that has one`);
  }
  const expiresAt = ceiling(body.expires_at);
  if (expiresAt !== null && expiresAt <= nowSeconds) bad("expires_at", "must lie ahead");
  if (!isGood) return null;
  return { kind: body.kind, issuer, value, issuedBefore: ceiling(body.issued_before), expiresAt, reason: body.reason };
}

/** A whole second, rather too late than too early: both times end what they bound. */
function ceiling(instantText: string | undefined): number | null {
  const seconds = instantText === undefined ? null : parseInstant(instantText);
  return seconds === null ? null : Math.ceil(seconds);
}

/** D1 takes values of up to two megabytes. */
const ROWS_A_STATEMENT = 250;

/** A row of the audit log for each entry, in a batch behind the statements that add them. */
function auditAll(db: D1Database, write: Write, entries: readonly NewRevocation[]): D1PreparedStatement[] {
  const statements: D1PreparedStatement[] = [];
  for (let from = 0; from < entries.length; from += ROWS_A_STATEMENT) {
    const rows = entries.slice(from, from + ROWS_A_STATEMENT).map((entry, index) => [
      from + index,
      {
        kind: entry.kind,
        issuer: entry.issuer,
        value: entry.value,
        issued_before: formatInstantOrNull(entry.issuedBefore),
        expires_at: formatInstantOrNull(entry.expiresAt),
        reason: entry.reason,
      },
    ]);
    statements.push(
      statement(
        db,
        sql(
          `INSERT INTO audit (write, at, actor_issuer, actor_subject, actor_token, action, target, after, address, request_id)
           SELECT ? || ':' || (value ->> 0), ?, ?, ?, ?, 'revocation.add',
             CAST(CAST((SELECT max(sequence) FROM revocations) - ? + 1 + (value ->> 0) AS INTEGER) AS TEXT), value -> 1, ?, ?
           FROM json_each(?) ORDER BY key`,
          write.id,
          write.nowSeconds,
          write.actor.issuer,
          write.actor.subject,
          write.actor.tokenId,
          entries.length,
          write.address,
          write.requestId,
          JSON.stringify(rows),
        ),
      ),
    );
  }
  return statements;
}

/** Lets the records of the tokens that the entries meet follow them. */
function followStatements(
  db: D1Database,
  policy: Policy,
  entries: readonly NewRevocation[],
  nowSeconds: number,
): D1PreparedStatement[] {
  const own = policy.gateway.publicUrl;
  const lasting = entries.map((entry, index) => ({ entry, index })).filter(({ entry }) => entry.expiresAt === null);
  const rowsOf = (kind: NewRevocation["kind"], name: (entry: NewRevocation) => string | null) =>
    lasting.flatMap(({ entry, index }) => {
      const named = entry.kind === kind ? name(entry) : null;
      return named === null ? [] : [[named, index, entry.issuedBefore]];
    });
  const ownValue = (entry: NewRevocation) => (entry.issuer === own ? entry.value : null);
  const asAncestor = ({ issuer, value }: NewRevocation) =>
    ancestorName({ issuer, tokenId: value, own: issuer === own });

  const follow = (rows: unknown[][], match: string): D1PreparedStatement[] => {
    const statements: D1PreparedStatement[] = [];
    for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
      statements.push(
        statement(
          db,
          sql(
            `INSERT OR IGNORE INTO token_revocations (token, sequence, at)
             SELECT tokens.number, (SELECT max(sequence) FROM revocations) - ? + 1 + (entry.value ->> 1), ?
             FROM json_each(?) AS entry ${match}
             WHERE entry.value ->> 2 IS NULL OR tokens.authenticated_at < entry.value ->> 2`,
            entries.length,
            nowSeconds,
            JSON.stringify(rows.slice(from, from + ROWS_A_STATEMENT)),
          ),
        ),
      );
    }
    return statements;
  };
  return [
    ...follow(rowsOf("token", ownValue), "CROSS JOIN tokens ON tokens.id = entry.value ->> 0"),
    ...follow(
      rowsOf("token", asAncestor),
      `CROSS JOIN token_ancestors AS line ON line.ancestor = entry.value ->> 0
       CROSS JOIN tokens ON tokens.number = line.token`,
    ),
    ...follow(rowsOf("subject", ownValue), "CROSS JOIN tokens ON tokens.subject = entry.value ->> 0"),
  ];
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

function isKnown(policy: Policy, issuer: string): boolean {
  return issuer === policy.gateway.publicUrl || policy.issuers.some((known) => known.issuer === issuer);
}
