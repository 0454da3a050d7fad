/** Who asks: what a verified token says, in the form in which the other rooms use it. Immutable and cached. */
import type { Holder } from "../policy/decision.ts";
import type { RevocationSubject } from "../revocation/subject.ts";

export interface Principal extends Holder, RevocationSubject {
  readonly issuer: string;
  readonly subject: string | null;
  /** `client_id`, else `azp`; `null` where the token has neither. */
  readonly client: string | null;
  /** The `jti`, else `sha256:` and the base64url SHA-256 of the signed part (header.payload). */
  readonly tokenId: string;
  /** The `kid` of the key that verified it; for a key without one, its RFC 7638 thumbprint. */
  readonly keyId: string;
  /**
   * The tokens that this one was issued under, the eldest first; only this gateway's tokens have any. One of this gateway by its
   * `jti`, one of another issuer by its issuer, a space and its id.
   */
  readonly ancestors: readonly string[];
  /** The `iat` claim; for a token of this gateway that has one, `auth_time`: the `iat` of the eldest of its ancestors. */
  readonly issuedAtSeconds: number | null;
  /** The `exp` claim; for a token of this gateway not beyond what its scopes' `max_lifetime` allow. */
  readonly expiresAtSeconds: number;
  /** From here on the token must be verified anew: the least of `exp` plus skew, the next sunset, the keys' own bound. */
  readonly goodUntilSeconds: number;
  /** Whether this gateway issued it. */
  readonly own: boolean;
  /** The scopes as the token names them, after `scope_map` and `legacy_scopes`; for issuing under it, and for logs. */
  readonly scopes: readonly string[];
}
