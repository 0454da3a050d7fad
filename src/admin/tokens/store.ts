/**
 * The statements that insert token records and revoke tokens; an audit row precedes them in their batch (`write.ts`).
 *
 * Guarantees: a revocation ends the token and all its descendants, in the records as well as in the enforced list. No record
 * is written for a token whose ancestor was revoked in the meantime.
 */

import { type Sql, sql, statement, type Write, written } from "../write.ts";
import type { Grant } from "./grant.ts";

/** A token to record. */
export interface NewToken {
  readonly id: string;
  readonly name: string;
  readonly grant: Grant;
  /** The id of the token that it replaces. */
  readonly replaces: string | null;
}

/** Entries expire this long after the last token that they match: more than any clock skew. */
const MARGIN_SECONDS = 86_400;

/** The condition that no ancestor is revoked. Ancestors without a record here are left to the revocation list. */
export function noAncestorEnded(grant: Grant, nowSeconds: number): Sql {
  return sql(
    "NOT EXISTS (SELECT 1 FROM tokens WHERE id IN (SELECT value FROM json_each(?)) AND revoked_at <= ?)",
    JSON.stringify(grant.ancestors),
    nowSeconds,
  );
}

/**
 * Inserts the record, if the audit row was written. If the revocation of an ancestor is scheduled, it includes the new token
 * (`schema.sql`); if its subject is revoked at this gateway, it is revoked from the start. `issuer`: this gateway's own.
 */
export function insertStatements(db: D1Database, write: Write, issuer: string, token: NewToken): D1PreparedStatement[] {
  return [recordStatement(db, write, token), cutOffStatement(db, issuer, token.id)];
}

/** Ignores entries that expire, as `followStatements` does: records never show them. */
function cutOffStatement(db: D1Database, issuer: string, id: string): D1PreparedStatement {
  return statement(
    db,
    sql(
      `INSERT OR IGNORE INTO token_revocations (token, sequence, at)
       SELECT tokens.number, entry.sequence, entry.effective_at FROM tokens CROSS JOIN revocations AS entry
       WHERE tokens.id = ? AND entry.kind = 'subject' AND entry.value = tokens.subject AND entry.issuer = ?
         AND entry.withdraws IS NULL AND entry.expires_at IS NULL
         AND (entry.issued_before IS NULL OR entry.issued_before > tokens.authenticated_at)
         AND NOT EXISTS (SELECT 1 FROM revocations AS later WHERE later.withdraws = entry.sequence)`,
      id,
      issuer,
    ),
  );
}

function recordStatement(db: D1Database, write: Write, token: NewToken): D1PreparedStatement {
  const { grant } = token;
  return statement(
    db,
    sql(
      `INSERT INTO tokens (id, name, subject, client, scopes, allow_list, conditions, issued_at, authenticated_at, expires_at,
         created_by_issuer, created_by_subject, parent, ancestors, replaces)
       SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE`,
      token.id,
      token.name,
      grant.subject,
      grant.client,
      JSON.stringify(grant.scopes),
      grant.allowList === null ? null : JSON.stringify(grant.allowList),
      JSON.stringify(grant.conditions),
      grant.issuedAtSeconds,
      grant.authenticatedAtSeconds,
      grant.expiresAtSeconds,
      write.actor.issuer,
      write.actor.subject,
      grant.parent,
      JSON.stringify(grant.ancestors),
      token.replaces,
    ),
    written(write),
  );
}

/** The first entry that revokes a token by its own id. Entries for its subject or an ancestor can be withdrawn separately. */
const OWN_ENTRIES = `SELECT entry.sequence FROM tokens JOIN token_revocations AS ending ON ending.token = tokens.number
  JOIN revocations AS entry ON entry.sequence = ending.sequence
  WHERE tokens.id = ? AND ending.at <= ? AND entry.kind = 'token' AND entry.issuer = ? AND entry.value = tokens.id
    AND NOT EXISTS (SELECT 1 FROM revocations AS later WHERE later.withdraws = entry.sequence)
  ORDER BY ending.at, entry.sequence LIMIT 1`;

/** The condition that no entry for the token's own id has revoked it by `atSeconds`. */
export function notEndedByItself(token: { readonly issuer: string; readonly id: string }, atSeconds: number): Sql {
  return sql(`NOT EXISTS (${OWN_ENTRIES})`, token.id, atSeconds, token.issuer);
}

/** Selects the sequence of the first entry that has revoked the token by its own id by `atSeconds`. */
export function ownEntryStatement(
  db: D1Database,
  token: { readonly issuer: string; readonly id: string },
  atSeconds: number,
): D1PreparedStatement {
  return statement(db, sql(OWN_ENTRIES, token.id, atSeconds, token.issuer));
}

/** Revokes a token of this gateway and its descendants from `atSeconds` on, if the audit row was written. */
export function endStatements(
  db: D1Database,
  write: Write,
  token: { readonly issuer: string; readonly id: string; readonly reason: string },
  atSeconds: number,
): D1PreparedStatement[] {
  const { id } = token;
  const tree = sql("(id = ? OR number IN (SELECT token FROM token_ancestors WHERE ancestor = ?))", id, id);
  return [
    statement(
      db,
      sql(
        `INSERT INTO revocations (kind, issuer, value, issued_before, effective_at, expires_at, reason, created_at, created_by)
         SELECT 'token', ?, ?, NULL, ?, max(expires_at) + ?, ?, ?, ? FROM tokens WHERE`,
        token.issuer,
        id,
        atSeconds,
        MARGIN_SECONDS,
        token.reason,
        write.nowSeconds,
        actorName(write),
      ),
      tree,
      sql("HAVING"),
      written(write),
    ),
    statement(
      db,
      sql(
        `INSERT INTO token_revocations (token, sequence, at)
         SELECT number, (SELECT max(sequence) FROM revocations), ? FROM tokens WHERE`,
        atSeconds,
      ),
      tree,
      sql("AND"),
      written(write),
    ),
  ];
}

/** The `created_by` of an entry: the issuer, a space and the subject, or without one the token id. */
export function actorName({ actor }: Write): string {
  return `${actor.issuer} ${actor.subject ?? actor.tokenId}`;
}
