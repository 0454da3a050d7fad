/**
 * What a token is known by when it is asked whether it has been revoked. Computed once per token, at verification,
 * so that asking is synchronous.
 */
export interface RevocationSubject {
  readonly issuer: string;
  readonly subject: string | null;
  readonly client: string | null;
  readonly keyId: string;
  readonly issuedAtSeconds: number | null;
  /** The other issuers under whose tokens it was issued: an entry for its subject or client there, or for all of that issuer, meets it too. */
  readonly elderIssuers: readonly string[];
  /** Fingerprints of issuer and token id, of the token itself and of each of its ancestors; see `fingerprint.ts`. */
  readonly fingerprints: readonly Fingerprint[];
}

/** 64 bits, as two unsigned 32-bit halves. */
export interface Fingerprint {
  readonly high: number;
  readonly low: number;
}
