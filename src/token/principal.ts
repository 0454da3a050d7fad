/** The caller, as a verified token describes it, in the form that the other rooms use. Immutable and cached. */
import type { Holder } from "../policy/decision.ts";
import type { RevocationSubject } from "../revocation/subject.ts";

export interface Principal extends Holder, RevocationSubject {
  readonly issuer: string;
  readonly subject: string | null;
  /** `client_id`, else `azp`; `null` where the token has neither. */
  readonly client: string | null;
  /** The `jti`, else `sha256:` and the base64url SHA-256 of the signed part (header.payload). */
  readonly tokenId: string;
  /** The `kid` of the key that verified the token, else the key's RFC 7638 thumbprint; `secret:` and a name for a secret. */
  readonly keyId: string;
  /**
   * The tokens that this one was issued under, the eldest first; empty for other issuers' tokens. An ancestor of this gateway is
   * named by its `jti`, one of another issuer by its issuer, a space and its id.
   */
  readonly ancestors: readonly string[];
  /** `iat`; for a token of this gateway with an earlier `auth_time` (inherited from an ancestor or by rotation), that. */
  readonly issuedAtSeconds: number | null;
  /** The `exp` claim; for a token of this gateway, at most `iat` plus the least `max_lifetime` of its scopes. */
  readonly expiresAtSeconds: number;
  /** From then on the token must be verified again: the least of its end plus skew, the next sunset and the keys' bound. */
  readonly goodUntilSeconds: number;
  /** Whether this gateway issued it. */
  readonly own: boolean;
  /** The scopes of the token after `scope_map` and `legacy_scopes`; for issuing tokens under this one, and for logs. */
  readonly scopes: readonly string[];
}
