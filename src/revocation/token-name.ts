/**
 * The name by which a token is revoked: its issuer and its `jti`, or without a `jti` the SHA-256 of its signed part. Nothing
 * else of the token is kept. Guarantees that a token has the same name however its signature or base64 is encoded.
 *
 * Leaves to the verifier: accepting only strict encodings, and naming a token without `jti` by the same function
 * (`signedPartName`). Accepted: nothing is verified here, so a forged token can be named too; revoking that name revokes
 * the genuine token with the same `jti`, which is what somebody who submits a token wants.
 */

export interface TokenName {
  /** `null`: the value does not name an issuer. */
  readonly issuer: string | null;
  readonly tokenId: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The id of a token without a `jti`: `sha256:` and the base64url SHA-256 of `header.payload`. */
export async function signedPartName(signedPart: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(signedPart));
  return `sha256:${base64url(new Uint8Array(digest))}`;
}

/**
 * The name of a token, given as a whole JWT (with or without `Bearer`) or as its `jti`. Reads a JWT without verifying it;
 * takes any other text as a `jti` of an unknown issuer. `null`: the value is a JOSE object without readable claims (an
 * encrypted token, a broken payload), contains what looks like a token or a part of one, or is empty.
 */
export async function tokenName(value: string): Promise<TokenName | null> {
  const text = value.trim().replace(/^Bearer(?: +|$)/i, "");
  if (text === "") return null;
  const parts = text.split(".");
  const header = decoded(parts[0] ?? "");
  if (parts.length < 2 || header === null || !Object.hasOwn(header.claims, "alg")) {
    return BEGINNING_OF_TOKEN.test(text) || holdsToken(text) ? null : { issuer: null, tokenId: text };
  }
  const payload = decoded(parts[1] ?? "");
  if (parts.length !== 3 || payload === null) return null;

  const { iss, jti } = payload.claims;
  const issuer = typeof iss === "string" ? iss : null;
  if (typeof jti === "string" && jti !== "") return { issuer, tokenId: jti };
  // Encoded again, because the verifier accepts, and hashes, only the strict encoding of these bytes.
  return { issuer, tokenId: await signedPartName(`${base64url(header.bytes)}.${base64url(payload.bytes)}`) };
}

/** `eyJ` encodes the `{"` with which the header of nearly every JWT begins. */
const BEGINNING_OF_TOKEN = /eyJ[\w-]{8}/;
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]/;
/** What may be a header, with white space behind its `{` too: two more parts follow it. */
const BEFORE_TWO_PARTS = /(?<![\w-])[\w-]+(?=\.[\w-]+\.[\w-])/g;

/** Whether a text contains a whole JWT, which must never be stored as a name. */
export function holdsToken(text: string): boolean {
  if (TOKEN.test(text)) return true;
  return (text.match(BEFORE_TWO_PARTS) ?? []).some((part) => decoded(part) !== null);
}

function decoded(part: string): { bytes: Uint8Array; claims: Record<string, unknown> } | null {
  try {
    const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof claims !== "object" || claims === null || Array.isArray(claims)) return null;
    return { bytes, claims: claims as Record<string, unknown> };
  } catch {
    return null;
  }
}

function base64url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
