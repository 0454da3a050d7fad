/**
 * Public keys as an issuer publishes them (RFC 7517), and which of them may verify a token.
 *
 * Guarantees: a key verifies only with an algorithm that fits its type, its curve and its own `alg`, `use` and `key_ops`; a
 * symmetric, private or weak key is never used. A set with too many keys, or that is no JWK Set, is refused as a whole; an
 * unusable key in a set is ignored, as RFC 7517 §5 asks.
 * Leaves to jose the import and the mathematics (whether a point lies on its curve), to `verify.ts` which algorithms an issuer
 * may use.
 */
import { base64url, type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from "jose";
import { isStrongRsa } from "./rsa-strength.ts";

/** A key that may verify signatures, with its imported `CryptoKey`s by algorithm. */
export interface VerificationKey {
  readonly kid: string | null;
  /** A canonical text of the key: equal texts mean equal keys. */
  readonly text: string;
  /** As `canonicalAlgorithm` names them. */
  readonly algorithms: ReadonlySet<string>;
  readonly material: JWK;
  readonly imported: Map<string, ImportedKey>;
}

export interface ImportedKey {
  readonly key: CryptoKey;
  /** The `kid`, else the RFC 7638 thumbprint. */
  readonly keyId: string;
}

export type KeySet = readonly VerificationKey[];

const MAX_KEYS = 100;
const MAX_KID_LENGTH = 256;
/** How many keys are tried for a token without `kid`, or where several keys have the same `kid`. */
const MAX_CANDIDATES = 4;

const RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const EC_ALGORITHMS = new Map([
  ["P-256", "ES256"],
  ["P-384", "ES384"],
  ["P-521", "ES512"],
]);

/** Ed25519 has two names for one algorithm (RFC 9864 §2.2); both are `EdDSA` here. */
export function canonicalAlgorithm(algorithm: string): string {
  return algorithm === "Ed25519" ? "EdDSA" : algorithm;
}

/** Reads a JWK Set; `null` where the document is not one, or has more than 100 keys. */
export function readKeySet(document: unknown): KeySet | null {
  if (!isObject(document) || !Object.hasOwn(document, "keys")) return null;
  const { keys } = document;
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) return null;
  const set: VerificationKey[] = [];
  for (const entry of keys) {
    const key = readKey(entry);
    if (key !== null) set.push(key);
  }
  return set;
}

/** The keys that may have signed a token with this `kid` (`null`: it has none) and algorithm; at most four. */
export function candidates(set: KeySet, kid: string | null, algorithm: string): readonly VerificationKey[] {
  const name = canonicalAlgorithm(algorithm);
  const found: VerificationKey[] = [];
  for (const key of set) {
    if ((kid === null || key.kid === kid) && key.algorithms.has(name)) found.push(key);
    if (found.length === MAX_CANDIDATES) break;
  }
  return found;
}

/** The key imported for one algorithm; `null` where it cannot be imported (its point is not on the curve). */
export async function importKey(key: VerificationKey, algorithm: string): Promise<ImportedKey | null> {
  const name = canonicalAlgorithm(algorithm);
  const known = key.imported.get(name);
  if (known !== undefined) return known;
  try {
    const material = await importJWK(key.material, name);
    if (material instanceof Uint8Array) return null;
    const imported: ImportedKey = {
      key: material,
      keyId: key.kid ?? (await calculateJwkThumbprint(key.material)),
    };
    key.imported.set(name, imported);
    return imported;
  } catch {
    return null;
  }
}

/** The set `next`, with the key objects of `before` for equal keys, so that these need no new import. */
export function keepImported(before: KeySet, next: KeySet): KeySet {
  const known = new Map(before.map((key) => [key.text, key]));
  return next.map((key) => known.get(key.text) ?? key);
}

/** Whether every key of `before` is in `next`. */
export function keepsAll(before: KeySet, next: KeySet): boolean {
  const texts = new Set(next.map((key) => key.text));
  return before.every((key) => texts.has(key.text));
}

function readKey(entry: unknown): VerificationKey | null {
  if (!isObject(entry)) return null;
  const member = (name: string): unknown => (Object.hasOwn(entry, name) ? entry[name] : undefined);
  const kid = member("kid");
  if (kid !== undefined && (typeof kid !== "string" || kid.length > MAX_KID_LENGTH)) return null;
  const use = member("use");
  if (use !== undefined && use !== "sig") return null;
  const operations = member("key_ops");
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return null;
  // A published private or symmetric key lets anybody sign.
  if (member("d") !== undefined || member("k") !== undefined) return null;

  const found = publicKey(member);
  if (found === null) return null;
  const alg = member("alg");
  if (alg !== undefined && typeof alg !== "string") return null;
  const algorithms =
    alg === undefined ? found.algorithms : found.algorithms.filter((name) => name === canonicalAlgorithm(alg));
  if (algorithms.length === 0) return null;
  return {
    kid: kid ?? null,
    text: JSON.stringify([kid ?? null, algorithms, found.material]),
    algorithms: new Set(algorithms),
    material: found.material,
    imported: new Map(),
  };
}

type Member = (name: string) => unknown;

function publicKey(member: Member): { readonly material: JWK; readonly algorithms: readonly string[] } | null {
  switch (member("kty")) {
    case "RSA": {
      const modulus = integerOf(member("n"));
      const exponent = integerOf(member("e"));
      if (modulus === null || exponent === null || !isStrongRsa(modulus, exponent)) return null;
      const material = { kty: "RSA", n: base64url.encode(modulus), e: base64url.encode(exponent) };
      return { material, algorithms: RSA_ALGORITHMS };
    }
    case "EC": {
      const [crv, x, y] = [member("crv"), member("x"), member("y")];
      if (typeof crv !== "string" || typeof x !== "string" || typeof y !== "string") return null;
      const algorithm = EC_ALGORITHMS.get(crv);
      return algorithm === undefined ? null : { material: { kty: "EC", crv, x, y }, algorithms: [algorithm] };
    }
    case "OKP": {
      const x = member("x");
      if (member("crv") !== "Ed25519" || typeof x !== "string") return null;
      return { material: { kty: "OKP", crv: "Ed25519", x }, algorithms: ["EdDSA"] };
    }
    default:
      return null;
  }
}

/** The bytes of a Base64urlUInt. Strips leading zero bytes, which RFC 7518 §6.3.1 forbids and some issuers send. */
function integerOf(value: unknown): Uint8Array | null {
  if (typeof value !== "string" || !/^[A-Za-z0-9_-]+$/.test(value)) return null;
  try {
    const bytes = base64url.decode(value);
    const start = bytes.findIndex((byte) => byte !== 0);
    return start === -1 ? null : bytes.slice(start);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
