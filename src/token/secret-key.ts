/**
 * The shared secret of an issuer that signs with HS256, from the binding that the policy names.
 *
 * A secret that is missing, or shorter than the hash (RFC 7518 §3.2: 32 bytes), verifies nothing: the issuer's tokens get a
 * 503, as in an outage, because they may well be valid, and the log tells the operator why.
 */
import { type FoundKeys, type KeySource, type KeyTrouble, noKeys } from "./key-source.ts";
import type { VerificationKey } from "./keys.ts";

const ALGORITHM = "HS256";
const MIN_BYTES = 32;

/** The key source for `secret`, the value of the binding `name`. The key's id is `secret:` and the binding's name. */
export function secretKey(
  issuer: string,
  name: string,
  secret: unknown,
  report: (trouble: KeyTrouble) => void,
): KeySource {
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : null;
  if (bytes === null || bytes.length < MIN_BYTES) {
    const cause = `${name} ${bytes === null ? "is not set" : `is shorter than ${MIN_BYTES} bytes`}`;
    return noKeys(() => report({ event: "secret_unusable", issuer, cause }));
  }
  const key: VerificationKey = {
    kid: null,
    text: name,
    algorithms: new Set([ALGORITHM]),
    material: { kty: "oct" },
    imported: new Map(),
  };
  const found: FoundKeys = { keys: [key], generation: 0, goodUntilSeconds: Number.POSITIVE_INFINITY };
  const none: FoundKeys = { ...found, keys: [] };

  // Imported here because jose would import the bytes again for every token.
  async function importOnce(): Promise<FoundKeys> {
    const hmac = { name: "HMAC", hash: "SHA-256" };
    const imported = await crypto.subtle.importKey("raw", bytes as Uint8Array, hmac, false, ["verify"]);
    key.imported.set(ALGORITHM, { key: imported, keyId: `secret:${name}` });
    return found;
  }

  return {
    generation: 0,
    isDue: () => false,
    refresh: () => undefined,
    // The issuer has only one secret, so a token's `kid` is ignored.
    find: (_kid, algorithm) => {
      if (algorithm !== ALGORITHM) return none;
      return key.imported.size > 0 ? found : importOnce();
    },
  };
}
