/**
 * Rotation: issues a new token with the grants of an old one, which is revoked with its children after an overlap.
 *
 * Guarantees: of two concurrent calls only one rotates, and a token that has ended, or whose revocation is scheduled, is not
 * rotated. Without `scopegate:admin` the new token is limited by the caller's token as well as by the old one, exactly as
 * if it were issued under the caller's: otherwise a narrow token could be turned into a wider one of the same subject; and
 * the caller cannot rotate an ancestor of its own token.
 */
import * as v from "valibot";
import type { ConditionTable } from "../../policy/conditions/conditions.ts";
import { durationSchema, parseDuration } from "../../policy/duration.ts";
import { readAllowList } from "../../policy/resources/allow-list.ts";
import { newTokenId } from "../../token/issue.ts";
import { batched } from "../in-time.ts";
import { formatInstant } from "../instant.ts";
import { done, type Outcome, refused } from "../refusal.ts";
import { auditStatement, sql, type Write } from "../write.ts";
import { type Asked, childGrant, DEEPEST_ROTATED, type Grant, type Issuer, longestLifetime } from "./grant.ts";
import { grantedOf, type Issuance, type IssuedToken, sign } from "./issue.ts";
import { findStatement, findToken, type Owner, recordOf, type TokenRow } from "./records.ts";
import { endStatements, insertStatements, noAncestorEnded } from "./store.ts";

export const rotateSchema = v.strictObject({
  overlap: v.optional(
    v.pipe(durationSchema, v.description('How long the old token, and its children, go on: "1h". Absent: not at all.')),
  ),
});

export type RotateBody = v.InferOutput<typeof rotateSchema>;

/** Rotates a token, or refuses: the owner may not see it, it has ended, or it exceeds what the caller holds. */
export async function rotate(
  issuance: Issuance,
  write: Write,
  caller: Issuer & { readonly isAdmin: boolean },
  rotation: { readonly id: string; readonly owner: Owner; readonly overlap: string | undefined },
): Promise<Outcome<IssuedToken>> {
  const { policy, db } = issuance;
  const { nowSeconds } = write;
  const old = await findToken(db, rotation.id, rotation.owner);
  if (old === null) return refused("not_found", [{ field: "id", message: "is not the id of a token" }]);
  const granted = grantAnew(issuance, caller, old, nowSeconds);
  if (!granted.ok) return granted;

  const endsAt = nowSeconds + (parseDuration(rotation.overlap ?? "0s") ?? 0);
  const id = newTokenId();
  const token = { id, name: old.name, grant: granted.value, replaces: old.id };
  const signed = await sign(issuance, id, granted.value);
  if (!signed.ok) return signed;

  const inForce = sql(
    "EXISTS (SELECT 1 FROM tokens WHERE id = ? AND revoked_at IS NULL AND expires_at > ?)",
    old.id,
    nowSeconds,
  );
  const noneEnded = noAncestorEnded(granted.value, nowSeconds);
  const results = await batched<TokenRow>(db, [
    auditStatement(
      db,
      write,
      {
        action: "token.rotate",
        target: old.id,
        before: { revoked_at: null },
        after: { revoked_at: formatInstant(endsAt), replaced_by: { id, ...grantedOf(old.name, granted.value) } },
      },
      sql(`${inForce.text} AND ${noneEnded.text}`, ...inForce.values, ...noneEnded.values),
    ),
    ...endStatements(db, write, { issuer: policy.gateway.publicUrl, id: old.id, reason: "rotated" }, endsAt),
    ...insertStatements(db, write, policy.gateway.publicUrl, token),
    findStatement(db, id, null),
  ]);
  const row = results.at(-1)?.results[0];
  if (row !== undefined) return done({ ...recordOf(row, nowSeconds), token: signed.value });
  return refused("conflict", [{ field: "id", message: "has expired, was revoked or was rotated" }]);
}

/** The old token's grants with its original lifetime, counted from now; without `scopegate:admin`, limited by the caller's. */
function grantAnew(
  { policy }: Issuance,
  caller: Issuer & { readonly isAdmin: boolean },
  old: TokenRow,
  nowSeconds: number,
): Outcome<Grant> {
  const scopes = JSON.parse(old.scopes) as string[];
  const conditions = JSON.parse(old.conditions) as ConditionTable[];
  const ancestors = JSON.parse(old.ancestors) as string[];
  const allowList = old.allow_list === null ? null : (JSON.parse(old.allow_list) as string[]);
  const lifetime = Math.min(old.expires_at - old.issued_at, longestLifetime(policy, scopes, nowSeconds).seconds);
  const same: Grant = {
    subject: old.subject,
    client: old.client,
    scopes,
    allowList,
    conditions,
    issuedAtSeconds: nowSeconds,
    authenticatedAtSeconds: ancestors.length === 0 ? nowSeconds : old.authenticated_at,
    expiresAtSeconds: nowSeconds + lifetime,
    parent: old.parent,
    ancestors,
  };
  if (caller.isAdmin) return done(same);
  // The caller is revoked with the old token: a successor under the caller would be too, one not under it would escape.
  if (caller.own && caller.ancestors.includes(old.id)) {
    return refused("grant_exceeds_issuer", [
      { field: "token", message: "the caller's descends from the one to rotate" },
    ]);
  }

  const list = allowList === null ? { kind: "all" as const } : readAllowList(allowList);
  if (list.kind !== "all" && list.kind !== "listed") throw new Error("a record has an allow list that is none");
  const asked: Asked = { scopes, allowList: list, conditions, subject: old.subject };
  const bounded = childGrant(policy, caller, asked, nowSeconds, { anyDepth: true });
  if (!bounded.ok) return bounded;
  const { value: bound } = bounded;
  // The old token may be the caller's own: its revocation must not include the new one.
  const elders = [...new Set([...ancestors, ...bound.ancestors])].filter((name) => name !== old.id);
  if (elders.length > DEEPEST_ROTATED) {
    return refused("grant_exceeds_issuer", [{ field: "token", message: "descends from too many others" }]);
  }
  return done({
    ...same,
    conditions: distinct([...conditions, ...bound.conditions]),
    authenticatedAtSeconds: Math.min(old.authenticated_at, bound.authenticatedAtSeconds),
    expiresAtSeconds: Math.min(same.expiresAtSeconds, bound.latestSeconds),
    ancestors: elders,
  });
}

/** Each table once: the old token often has the caller's tables already. */
function distinct(tables: readonly ConditionTable[]): ConditionTable[] {
  return [...new Map(tables.map((table) => [JSON.stringify(table), table])).values()];
}
