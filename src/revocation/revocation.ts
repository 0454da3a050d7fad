/**
 * One entry of the revocation list, as D1 stores it and as the index applies it. Times are whole seconds since the epoch.
 *
 * An entry matches the tokens of `issuer` whose id, subject, client or key (by `kind`) is `value`; for the kind `issuer`, all
 * tokens of that issuer. It is in force from `effectiveAt` until `expiresAt`.
 */
export const REVOCATION_KINDS = ["token", "subject", "client", "issuer", "key"] as const;

export type RevocationKind = (typeof REVOCATION_KINDS)[number];

export interface Revocation {
  readonly kind: RevocationKind;
  readonly issuer: string;
  /** A `jti` (or `sha256:…`, see `token-name.ts`), a `sub`, a client or a `kid`; for the kind `issuer`, the issuer itself. */
  readonly value: string;
  /** Matches only tokens with an earlier `iat`, and those without `iat`. `null`: matches whatever their `iat` is. */
  readonly issuedBefore: number | null;
  readonly effectiveAt: number;
  /** `null`: never expires. */
  readonly expiresAt: number | null;
}

/** A row of the log. A row that withdraws an entry repeats that entry's fields. */
export interface RevocationRow extends Revocation {
  readonly sequence: number;
  readonly createdAt: number;
  readonly withdraws: boolean;
}
