/**
 * Finds the key that signed a token (RFC 7515 §5.2 step 8). Web Crypto does the cryptography, with keys that jose imported;
 * this file passes it the algorithm and tries the few keys that may have signed.
 *
 * jose's own `compactVerify` would parse the whole token a second time: that took a third of a new token's cost, the
 * signature check excluded.
 *
 * Leaves to the caller: that the token was parsed strictly (`jws.ts`) and that its issuer may use its algorithm.
 */
import { base64url } from "jose";
import { canonicalAlgorithm, type ImportedKey, importKey, type VerificationKey } from "./keys.ts";

/** Web Crypto's parameters; the hash of RSA and HMAC is part of the imported key (RFC 7518 §3, RFC 8037 §3.1). */
const PARAMETERS = new Map<string, AlgorithmParameters>([
  ["HS256", { name: "HMAC" }],
  ["RS256", { name: "RSASSA-PKCS1-v1_5" }],
  ["RS384", { name: "RSASSA-PKCS1-v1_5" }],
  ["RS512", { name: "RSASSA-PKCS1-v1_5" }],
  ["PS256", { name: "RSA-PSS", saltLength: 32 }],
  ["PS384", { name: "RSA-PSS", saltLength: 48 }],
  ["PS512", { name: "RSA-PSS", saltLength: 64 }],
  ["ES256", { name: "ECDSA", hash: "SHA-256" }],
  ["ES384", { name: "ECDSA", hash: "SHA-384" }],
  ["ES512", { name: "ECDSA", hash: "SHA-512" }],
  ["EdDSA", { name: "Ed25519" }],
]);

interface AlgorithmParameters {
  readonly name: string;
  readonly hash?: string;
  readonly saltLength?: number;
}

const encoder = new TextEncoder();

/** The first of the keys that verifies the signature; `null` where none does. */
export async function signerOf(
  token: string,
  alg: string,
  keys: readonly VerificationKey[],
): Promise<ImportedKey | null> {
  const algorithm = canonicalAlgorithm(alg);
  const parameters = PARAMETERS.get(algorithm);
  if (parameters === undefined) return null;
  const end = token.lastIndexOf(".");
  const signed = encoder.encode(token.slice(0, end));
  for (const key of keys) {
    const imported = key.imported.get(algorithm) ?? (await importKey(key, algorithm));
    if (imported === null) continue;
    try {
      const signature = base64url.decode(token.slice(end + 1));
      if (await crypto.subtle.verify(parameters, imported.key, signature, signed)) return imported;
    } catch {
      // Another key with the same `kid` may have signed.
    }
  }
  return null;
}
