/**
 * Ending a token by its id, with all that were issued under it.
 *
 * Guarantees: idempotent. However often and however many at once, there is one entry in the list and one row in the audit
 * log, and every answer has the same `sequence`.
 */
import { formatInstant, formatInstantOrNull } from "../instant.ts";
import { done, type Outcome, refused } from "../refusal.ts";
import { auditStatement, type Write } from "../write.ts";
import { findStatement, findToken, type Owner, recordOf, type TokenRecord, type TokenRow } from "./records.ts";
import { endStatements, endsAfter } from "./store.ts";

export type RevokedToken = TokenRecord & { readonly sequence: number };

/** Revokes a token now; `not_found` where there is none that the owner may see. */
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
  if (before.revocation !== null && before.revoked_at !== null && before.revoked_at <= nowSeconds) {
    return done({ ...recordOf(before, nowSeconds), sequence: before.revocation });
  }
  const results = await db.batch<TokenRow>([
    auditStatement(
      db,
      write,
      {
        action: "token.revoke",
        target: id,
        before: { revoked_at: formatInstantOrNull(before.revoked_at) },
        after: { revoked_at: formatInstant(nowSeconds) },
      },
      endsAfter(id, nowSeconds),
    ),
    ...endStatements(db, write, { issuer, id, reason: "revoked by id" }, nowSeconds),
    findStatement(db, id, null),
  ]);
  const row = results.at(-1)?.results[0];
  if (row === undefined || row.revocation === null) throw new Error("a revoked token has no sequence");
  return done({ ...recordOf(row, nowSeconds), sequence: row.revocation });
}
