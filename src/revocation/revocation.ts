/**
 * One entry of the revocation list, as D1 keeps it and as the index applies it. Times are whole seconds since the epoch.
 *
 * An entry meets a token of its issuer whose id, subject, client or key is `value`, or any of them for the kind `issuer`.
 * It counts from `effectiveAt` until `expiresAt`.
 */
export const REVOCATION_KINDS = ["token", "subject", "client", "issuer", "key"] as const;

export type RevocationKind = (typeof REVOCATION_KINDS)[number];

export interface Revocation {
  readonly kind: RevocationKind;
  readonly issuer: string;
  /** A token's `jti` (or `sha256:…`, see `token-name.ts`), a `sub`, a client, a `kid`; for the kind `issuer`, the issuer again. */
  readonly value: string;
  /** Meets only tokens with an earlier `iat`, and those without one. `null`: whatever their `iat`. */
  readonly issuedBefore: number | null;
  readonly effectiveAt: number;
  /** `null`: never. */
  readonly expiresAt: number | null;
}

/** A row of the log. One that withdraws another repeats that one's fields. */
export interface RevocationRow extends Revocation {
  readonly sequence: number;
  readonly createdAt: number;
  readonly withdraws: boolean;
}
