/**
 * The statements that write token records and end them; each batch begins with its row of the audit log (`write.ts`).
 *
 * Guarantees: a revocation ends the token and all that descend from it, in the records as in the list that is enforced.
 * A token that is issued under one that was just ended is not written.
 */

import { type Sql, sql, statement, type Write, written } from "../write.ts";
import type { Grant } from "./grant.ts";

/** A token to write down. */
export interface NewToken {
  readonly id: string;
  readonly name: string;
  readonly grant: Grant;
  /** The id of the token that it takes the place of. */
  readonly replaces: string | null;
}

/** Entries of the list stay this long past the last token that they could meet: more than any clock skew. */
const MARGIN_SECONDS = 86_400;

/** No token among its ancestors has ended. Those that this gateway has no record of are left to the list. */
export function noAncestorEnded(grant: Grant, nowSeconds: number): Sql {
  return sql(
    "NOT EXISTS (SELECT 1 FROM tokens WHERE id IN (SELECT value FROM json_each(?)) AND revoked_at <= ?)",
    JSON.stringify(grant.ancestors),
    nowSeconds,
  );
}

/**
 * Writes the record, if the write took place. Where an ancestor is about to end, it ends with it (`schema.sql`); where its
 * subject is cut off at this gateway, it has ended before its first use. `issuer`: this gateway's own.
 */
export function insertStatements(db: D1Database, write: Write, issuer: string, token: NewToken): D1PreparedStatement[] {
  return [recordStatement(db, write, token), cutOffStatement(db, issuer, token.id)];
}

/** Entries that expire are not told by records, as where an entry comes after the token. */
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

/** The entries that have ended a token by its own id. Those of its subject or of an ancestor may be withdrawn by themselves. */
const OWN_ENTRIES = `SELECT entry.sequence FROM tokens JOIN token_revocations AS ending ON ending.token = tokens.number
  JOIN revocations AS entry ON entry.sequence = ending.sequence
  WHERE tokens.id = ? AND ending.at <= ? AND entry.kind = 'token' AND entry.issuer = ? AND entry.value = tokens.id
    AND NOT EXISTS (SELECT 1 FROM revocations AS later WHERE later.withdraws = entry.sequence)
  ORDER BY ending.at, entry.sequence LIMIT 1`;

/** No entry of its own has ended the token by then. */
export function notEndedByItself(token: { readonly issuer: string; readonly id: string }, atSeconds: number): Sql {
  return sql(`NOT EXISTS (${OWN_ENTRIES})`, token.id, atSeconds, token.issuer);
}

/** The sequence of the first entry that has ended the token by its own id. */
export function ownEntryStatement(
  db: D1Database,
  token: { readonly issuer: string; readonly id: string },
  atSeconds: number,
): D1PreparedStatement {
  return statement(db, sql(OWN_ENTRIES, token.id, atSeconds, token.issuer));
}

/** Ends a token of this gateway and its tree at `atSeconds`, if the write took place. */
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

/** Who wrote an entry of the list. */
export function actorName({ actor }: Write): string {
  return `${actor.issuer} ${actor.subject ?? actor.tokenId}`;
}
