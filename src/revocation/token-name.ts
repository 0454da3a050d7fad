/**
 * The name by which a token is revoked, and nothing else of it: its issuer and its `jti`, or where it has none the SHA-256
 * of its signed part. Guarantees that a token has the same name however its signature is spelled, and whoever pasted it.
 *
 * Leaves to the verifier: that what it accepts is spelled strictly, and that it calls a token what this file calls it
 * (`signedPartName`). The trade-off: nothing is verified here, so a forged token can be named too; revoking that name
 * meets the true token with the same `jti`, which is what somebody who hands in a token wants.
 */

export interface TokenName {
  /** `null`: the value said nothing of an issuer. */
  readonly issuer: string | null;
  readonly tokenId: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a token without a `jti` is called: `sha256:` and the base64url SHA-256 of `header.payload`. */
export async function signedPartName(signedPart: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(signedPart));
  return `sha256:${base64url(new Uint8Array(digest))}`;
}

/**
 * The name of the token that `value` is, or whose `jti` it is. A whole JWT (with or without `Bearer`) is read without
 * being verified; any other text is a `jti` itself, of no known issuer. `null`: it is a JOSE object that has no readable
 * claims (an encrypted token, a broken payload), it holds what looks like one or a part of one, or nothing at all.
 */
export async function tokenName(value: string): Promise<TokenName | null> {
  const text = value.trim().replace(/^Bearer(?: +|$)/i, "");
  if (text === "") return null;
  const parts = text.split(".");
  const header = decoded(parts[0] ?? "");
  if (parts.length < 2 || header === null || !Object.hasOwn(header.claims, "alg")) {
    return BEGINNING_OF_TOKEN.test(text) ? null : { issuer: null, tokenId: text };
  }
  const payload = decoded(parts[1] ?? "");
  if (parts.length !== 3 || payload === null) return null;

  const { iss, jti } = payload.claims;
  const issuer = typeof iss === "string" ? iss : null;
  if (typeof jti === "string" && jti !== "") return { issuer, tokenId: jti };
  // The verifier accepts one spelling of these bytes: that is the one whose hash counts.
  return { issuer, tokenId: await signedPartName(`${base64url(header.bytes)}.${base64url(payload.bytes)}`) };
}

/** JSON in base64url begins with `eyJ`. */
const BEGINNING_OF_TOKEN = /eyJ[\w-]{8}/;
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]/;

/** Whether a text holds a whole JWT, which must not be kept as the name of anything. */
export function holdsToken(text: string): boolean {
  return TOKEN.test(text);
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
