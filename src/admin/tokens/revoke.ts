/**
 * Revokes a token by its id, with all tokens that were issued under it.
 *
 * Guarantees: idempotent. However often and concurrently it is called, there is one entry in the list and one row in the
 * audit log, and every answer has the same `sequence`. The entry is for the token's own id: a token that is already revoked
 * by an entry for its subject or an ancestor gets one too, and stays revoked when the other entry is withdrawn.
 */
import { batched } from "../in-time.ts";
import { formatInstant, formatInstantOrNull } from "../instant.ts";
import { done, type Outcome, refused } from "../refusal.ts";
import { auditStatement, type Write } from "../write.ts";
import { findStatement, findToken, type Owner, recordOf, type TokenRecord, type TokenRow } from "./records.ts";
import { endStatements, notEndedByItself, ownEntryStatement } from "./store.ts";

export type RevokedToken = TokenRecord & { readonly sequence: number };

/** Revokes a token now; refuses with `not_found` if there is none that the owner may see. */
export async function revoke(
  db: D1Database,
  issuer: string,
  write: Write,
  id: string,
  owner: Owner,
): Promise<Outcome<RevokedToken>> {
  const { nowSeconds } = write;
  const before = await findToken(db, id, owner);
  if (before === null) return refused("not_found", [{ field: "id", message: "is not the id of a token" }]);
  const token = { issuer, id };
  const results = await batched<TokenRow & { readonly sequence: number }>(db, [
    auditStatement(
      db,
      write,
      {
        action: "token.revoke",
        target: id,
        before: { revoked_at: formatInstantOrNull(before.revoked_at) },
        after: { revoked_at: formatInstant(Math.min(before.revoked_at ?? nowSeconds, nowSeconds)) },
      },
      notEndedByItself(token, nowSeconds),
    ),
    ...endStatements(db, write, { ...token, reason: "revoked by id" }, nowSeconds),
    findStatement(db, id, null),
    ownEntryStatement(db, token, nowSeconds),
  ]);
  const row = results.at(-2)?.results[0];
  const entry = results.at(-1)?.results[0];
  if (row === undefined || entry === undefined) throw new Error("a revoked token has no entry");
  return done({ ...recordOf(row, nowSeconds), sequence: entry.sequence });
}
