/**
 * Issuing: turns a well-formed request into a signed token and its record.
 *
 * Guarantees: nothing is signed before the grant was checked, and no token is returned without its record and its row in
 * the audit log, which are one batch. The token's text is in the response and nowhere else.
 */
import type { Policy } from "../../policy/policy.ts";
import { issueToken, newTokenId } from "../../token/issue.ts";
import type { Signer } from "../../token/signing-keys.ts";
import { batched, found } from "../in-time.ts";
import { formatInstant } from "../instant.ts";
import { done, invalid, type Outcome, refused } from "../refusal.ts";
import { auditStatement, sql, type Write } from "../write.ts";
import { childGrant, type Grant, type Issuer, rootGrant } from "./grant.ts";
import {
  claimStatements,
  type EarlierCall,
  earlierStatement,
  type IdempotencyKey,
  isClaimed,
  releaseStatement,
} from "./idempotency.ts";
import { findStatement, findToken, recordOf, type TokenRecord, type TokenRow } from "./records.ts";
import type { IssueRequest } from "./request.ts";
import { insertStatements, noAncestorEnded } from "./store.ts";

/** What issuing needs: the policy, the database of the records, and the signing key. */
export interface Issuance {
  readonly policy: Policy;
  readonly db: D1Database;
  readonly signer: Signer;
}

export type IssuedToken = TokenRecord & { readonly token: string };

/** Every gateway refuses a longer token (contract §3), and its holder would only see `credentials_malformed`. */
const LONGEST_TOKEN = 16 * 1024;

/** Issues a token as requested, or refuses. `idempotency`: `null` if the call has no key. */
export async function issue(
  issuance: Issuance,
  write: Write,
  caller: Issuer & { readonly isAdmin: boolean },
  request: IssueRequest,
  idempotency: IdempotencyKey | null,
): Promise<Outcome<IssuedToken>> {
  const { policy, db } = issuance;
  const { nowSeconds } = write;
  const granted = caller.isAdmin
    ? rootGrant(policy, caller, request, nowSeconds)
    : childGrant(policy, caller, request, nowSeconds);
  if (!granted.ok) return granted;
  const id = newTokenId();
  const signed = await sign(issuance, id, granted.value);
  if (!signed.ok) return signed;

  const token = { id, name: request.name, grant: granted.value, replaces: null };
  const claimed = idempotency === null ? sql("TRUE") : isClaimed(idempotency, id);
  const noneEnded = noAncestorEnded(granted.value, nowSeconds);
  const condition = sql(`${claimed.text} AND ${noneEnded.text}`, ...claimed.values, ...noneEnded.values);
  const results = await batched<TokenRow>(db, [
    ...(idempotency === null ? [] : claimStatements(db, idempotency, id, nowSeconds)),
    auditStatement(
      db,
      write,
      { action: "token.issue", target: id, after: grantedOf(token.name, granted.value) },
      condition,
    ),
    ...insertStatements(db, write, policy.gateway.publicUrl, token),
    ...(idempotency === null ? [] : [releaseStatement(db, write, id)]),
    findStatement(db, id, null),
  ]);
  const row = results.at(-1)?.results[0];
  if (row !== undefined) return done({ ...recordOf(row, nowSeconds), token: signed.value });
  const earlier = idempotency === null ? null : await found(earlierStatement(db, idempotency).first<EarlierCall>());
  if (idempotency === null || earlier === null) {
    return refused("conflict", [{ field: "token", message: "a token that the caller's descends from has ended" }]);
  }
  return asBefore(db, earlier, idempotency, nowSeconds);
}

/** Signs a token for a grant; refuses one that would be too long to use. Does not check the grant. */
export async function sign({ policy, signer }: Issuance, id: string, grant: Grant): Promise<Outcome<string>> {
  const token = await issueToken(signer, {
    issuer: policy.gateway.publicUrl,
    audience: policy.tokens.audience,
    subject: grant.subject,
    clientId: grant.client,
    tokenId: id,
    issuedAtSeconds: grant.issuedAtSeconds,
    expiresAtSeconds: grant.expiresAtSeconds,
    // A token that rotated itself may have no ancestors, but keeps the beginning of its age.
    ...((grant.ancestors.length > 0 || grant.authenticatedAtSeconds < grant.issuedAtSeconds) && {
      authenticatedAtSeconds: grant.authenticatedAtSeconds,
    }),
    scopes: grant.scopes,
    allowList: grant.allowList,
    conditions: grant.conditions,
    ancestors: grant.ancestors,
  });
  if (token.length <= LONGEST_TOKEN) return done(token);
  return invalid(
    "body",
    `makes a token of ${token.length} characters; no request may carry more than ${LONGEST_TOKEN}`,
  );
}

/** A grant as the audit log stores it. */
export function grantedOf(name: string, grant: Grant) {
  return {
    name,
    subject: grant.subject,
    scopes: grant.scopes,
    allow_list: grant.allowList,
    conditions: grant.conditions,
    expires_at: formatInstant(grant.expiresAtSeconds),
    parent: grant.parent,
  };
}

/** The refusal of a key's second use: with the record that the first call made, or because the request differs. */
async function asBefore(
  db: D1Database,
  earlier: EarlierCall,
  use: IdempotencyKey,
  nowSeconds: number,
): Promise<Outcome<never>> {
  const field = "Idempotency-Key";
  if (earlier.fingerprint !== use.fingerprint) {
    return refused("conflict", [{ field, message: "was used for another request within a day" }]);
  }
  const row = await findToken(db, earlier.token, null);
  const message = `made the token ${earlier.token} already; its text was shown once and is not kept`;
  return refused("conflict", [{ field, message }], row === null ? undefined : recordOf(row, nowSeconds));
}
