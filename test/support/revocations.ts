/** Revocations of tokens in a test's own D1, and the tokens that they meet. */
import { fingerprint } from "../../src/revocation/fingerprint.ts";
import { addRevocations, type NewRevocation, sequencesOf } from "../../src/revocation/records.ts";

export const issuer = "https://api.example.com";

/** What the revocation list asks of a token with this id. */
export function tokenOf(id: string) {
  return {
    issuer,
    subject: "s",
    client: "c",
    keyId: "k",
    issuedAtSeconds: 1,
    elderIssuers: [],
    fingerprints: [fingerprint(issuer, id)],
  };
}

/** Revokes tokens by their ids, at a second; the sequence of the last. */
export async function revokeTokens(db: D1Database, ids: readonly string[], nowSeconds: number): Promise<number> {
  const entries = ids.map(
    (value): NewRevocation => ({ kind: "token", issuer, value, issuedBefore: null, expiresAt: null, reason: "test" }),
  );
  return sequencesOf(await db.batch(addRevocations(db, entries, { createdBy: "test", nowSeconds }))).at(-1) ?? 0;
}
