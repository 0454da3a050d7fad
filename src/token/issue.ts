/**
 * Signs this gateway's own tokens: JWTs according to RFC 9068 (contract §5).
 *
 * Guarantees: the claims that RFC 9068 §2.2 requires are present; an allow list or condition is omitted only if there is none.
 * Leaves to the caller whether the grant may be given: scopes, lists, lifetimes and conditions are signed unchecked.
 */
import { sign } from "./sign.ts";
import type { Signer } from "./signing-keys.ts";

export interface TokenContents {
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  readonly clientId: string;
  readonly tokenId: string;
  readonly issuedAtSeconds: number;
  /** For a token issued under another or by its own rotation: when its age begins. Absent: at `issuedAtSeconds`. */
  readonly authenticatedAtSeconds?: number;
  readonly expiresAtSeconds: number;
  readonly scopes: readonly string[];
  /** Normalised targets; `null`: no list, which means `*:*`. Never empty. */
  readonly allowList: readonly string[] | null;
  /** Condition tables in the policy's syntax; all of them must hold. */
  readonly conditions: readonly object[];
  /** The tokens that this one is issued under, the eldest first, named as in `Principal.ancestors`. */
  readonly ancestors: readonly string[];
}

/** Signs a token. Throws `RangeError` on an empty allow list: a token with one may touch nothing. */
export async function issueToken(signer: Signer, contents: TokenContents): Promise<string> {
  const { allowList, conditions, ancestors } = contents;
  if (allowList !== null && allowList.length === 0) throw new RangeError("an empty allow list cannot be issued");
  const claims = {
    iss: contents.issuer,
    aud: contents.audience,
    sub: contents.subject,
    client_id: contents.clientId,
    iat: Math.floor(contents.issuedAtSeconds),
    ...(contents.authenticatedAtSeconds !== undefined && { auth_time: Math.floor(contents.authenticatedAtSeconds) }),
    exp: Math.floor(contents.expiresAtSeconds),
    jti: contents.tokenId,
    scope: contents.scopes.join(" "),
    ...(allowList !== null && { allow_list: allowList }),
    ...(conditions.length > 0 && { conditions }),
    ...(ancestors.length > 0 && { ancestors }),
  };
  return sign(signer, "at+jwt", JSON.stringify(claims));
}

/** A new token id: a random UUID, of 122 random bits. */
export function newTokenId(): string {
  return crypto.randomUUID();
}
