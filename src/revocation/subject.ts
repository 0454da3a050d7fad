/**
 * The properties of a token that revocation entries can match. Computed once per token, at verification, so that the
 * revocation check is synchronous.
 */
export interface RevocationSubject {
  readonly issuer: string;
  readonly subject: string | null;
  readonly client: string | null;
  readonly keyId: string;
  readonly issuedAtSeconds: number | null;
  /** The other issuers of its ancestors: entries there for its subject or client, or for the whole issuer, match it too. */
  readonly elderIssuers: readonly string[];
  /** The fingerprints (of issuer and token id) of the token itself and of each of its ancestors; see `fingerprint.ts`. */
  readonly fingerprints: readonly Fingerprint[];
}

/** 64 bits, as two unsigned 32-bit halves. */
export interface Fingerprint {
  readonly high: number;
  readonly low: number;
}
