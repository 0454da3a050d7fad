/**
 * This gateway's own keys, from the secret `SIGNING_KEYS`: a private JWK Set whose first key signs and all of whose keys verify.
 *
 * Guarantees: only ES256 and Ed25519 keys, each with matching private and public parts and a unique `kid`; the published set
 * contains public members only. Leaves to the deployment that the secret stays secret.
 */
import {
  CompactSign,
  type CryptoKey,
  calculateJwkThumbprint,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from "jose";
import { fixedKeys, type KeySource, type KeyTrouble, MISCONFIGURED_RETRY_SECONDS } from "./key-source.ts";
import { readKeySet } from "./keys.ts";

export interface Signer {
  readonly algorithm: "ES256" | "EdDSA";
  readonly keyId: string;
  readonly key: CryptoKey;
}

interface PublicJwks {
  readonly keys: readonly JWK[];
}

export interface SigningKeys {
  readonly signer: Signer;
  readonly source: KeySource;
  /** For `/.well-known/jwks.json`. */
  readonly publicJwks: PublicJwks;
}

/** What is wrong with `SIGNING_KEYS`; the message names a key by its position, never by its contents. */
export class SigningKeysError extends Error {
  override readonly name = "SigningKeysError";
}

/** Reads the secret `SIGNING_KEYS`. Throws `SigningKeysError` if it is not set or any key in it is unusable. */
export async function loadSigningKeys(secret: unknown): Promise<SigningKeys> {
  if (typeof secret !== "string" || secret.trim() === "") throw new SigningKeysError("SIGNING_KEYS is not set");
  const entries = keysOf(secret);
  const publicKeys: JWK[] = [];
  let signer: Signer | undefined;
  for (const [position, entry] of entries.entries()) {
    const place = `SIGNING_KEYS: key ${position + 1}`;
    const { algorithm, key, publicJwk } = await readSigningKey(entry, place);
    const keyId = String(publicJwk.kid);
    if (publicKeys.some((other) => other.kid === keyId)) throw new SigningKeysError(`${place} has the kid of another`);
    publicKeys.push(publicJwk);
    signer ??= { algorithm, keyId, key };
  }
  const set = readKeySet({ keys: publicKeys });
  if (signer === undefined || set === null || set.length !== entries.length) {
    throw new SigningKeysError("SIGNING_KEYS is not a JWK Set of 1 to 100 keys");
  }
  return { signer, source: fixedKeys(set), publicJwks: { keys: publicKeys } };
}

/**
 * The key source for this gateway's own tokens. Calls `load` at the first token, and again after a failure; without usable
 * keys, tokens get a 503 as in an outage.
 */
export function ownKeys(
  issuer: string,
  load: () => Promise<SigningKeys>,
  report: (trouble: KeyTrouble) => void,
): KeySource {
  let source: KeySource | null = null;
  let complained = false;
  return {
    generation: 0,
    isDue: () => false,
    refresh: () => undefined,
    find: (...asked) => (source === null ? loadFirst(...asked) : source.find(...asked)),
  };

  async function loadFirst(...asked: Parameters<KeySource["find"]>) {
    try {
      ({ source } = await load());
      return await source.find(...asked);
    } catch (error) {
      // Logged only once: anybody can send tokens that name this gateway as their issuer.
      const cause = error instanceof SigningKeysError ? error.message : "SIGNING_KEYS could not be loaded";
      if (!complained) report({ event: "signing_keys_unusable", issuer, cause });
      complained = true;
      return { retryAfterSeconds: MISCONFIGURED_RETRY_SECONDS };
    }
  }
}

/** A new value for `SIGNING_KEYS`: one ES256 key, whose `kid` is its RFC 7638 thumbprint. */
export async function generateSigningKeys(): Promise<string> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  return JSON.stringify({ keys: [{ ...jwk, kid, alg: "ES256", use: "sig" }] });
}

function keysOf(secret: string): readonly unknown[] {
  let document: unknown;
  try {
    document = JSON.parse(secret);
  } catch {
    throw new SigningKeysError("SIGNING_KEYS is not JSON");
  }
  const keys = typeof document === "object" && document !== null && "keys" in document ? document.keys : undefined;
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new SigningKeysError("SIGNING_KEYS is not a JWK Set with at least one key");
  }
  return keys;
}

async function readSigningKey(entry: unknown, place: string) {
  const jwk: JWK = typeof entry === "object" && entry !== null ? entry : {};
  const algorithm = algorithmOf(jwk);
  if (algorithm === null) throw new SigningKeysError(`${place} is neither an EC P-256 key nor an Ed25519 key`);
  if (jwk.alg !== undefined && jwk.alg !== algorithm && !(algorithm === "EdDSA" && jwk.alg === "Ed25519")) {
    throw new SigningKeysError(`${place} has an alg other than ${algorithm}`);
  }
  if (typeof jwk.d !== "string") throw new SigningKeysError(`${place} is not a private key`);
  if (jwk.use !== undefined && jwk.use !== "sig") throw new SigningKeysError(`${place} has a use other than sig`);
  if (jwk.kid !== undefined && (typeof jwk.kid !== "string" || !/^[\x21-\x7e]{1,256}$/.test(jwk.kid))) {
    throw new SigningKeysError(`${place} has a kid that is not 1 to 256 visible ASCII characters`);
  }
  const { kty, crv, x, y, d } = jwk;
  const bare = { kty, crv, x, ...(kty === "EC" && { y }) } as JWK;
  try {
    const key = (await importJWK({ ...bare, d }, algorithm, { extractable: false })) as CryptoKey;
    // A private part that does not match the public one would sign tokens that nobody can verify.
    const proof = await new CompactSign(new Uint8Array()).setProtectedHeader({ alg: algorithm }).sign(key);
    await compactVerify(proof, await importJWK(bare, algorithm));
    const kid = jwk.kid ?? (await calculateJwkThumbprint(bare));
    const publicJwk: JWK = { ...bare, kid, alg: algorithm, use: "sig" };
    return { algorithm, key, publicJwk };
  } catch {
    throw new SigningKeysError(`${place} is not a whole key`);
  }
}

function algorithmOf(jwk: JWK): Signer["algorithm"] | null {
  if (jwk.kty === "EC" && jwk.crv === "P-256") return "ES256";
  return jwk.kty === "OKP" && jwk.crv === "Ed25519" ? "EdDSA" : null;
}
