/**
 * Parses a token's text strictly before any cryptography (RFC 7515 §3.1, §5.2; RFC 8725 §3).
 *
 * Guarantees: exactly three parts of strict base64url (no padding, white space or non-zero unused bits); a header and a
 * payload that are JSON objects in UTF-8 without duplicate members at any depth; a header that requires no feature which this
 * gateway lacks. A token never supplies its own key: a header with `jwk` is refused, and `jku`, `x5u` and `x5c` are ignored
 * (Cloud Foundry's UAA sends `jku`).
 * Leaves to `verify.ts`: everything that the contents mean. Nothing here proves who wrote the token.
 *
 * Parsed headers are cached by their text, because all tokens that one key signs have the same header.
 */
import { base64url } from "jose";

export interface Jws {
  readonly header: JwsHeader;
  readonly payload: Readonly<Record<string, unknown>>;
  /** `header.payload` as it was signed. */
  readonly signedPart: string;
}

export interface JwsHeader {
  readonly alg: string;
  readonly kid: string | null;
  /** Lower-case, without `application/`; `null` where the header has none. */
  readonly typ: string | null;
}

const MAX_TOKEN_LENGTH = 16 * 1024;
const MAX_HEADER_LENGTH = 4 * 1024;
const MAX_KID_LENGTH = 256;
const MAX_DEPTH = 32;
const MAX_REMEMBERED_HEADERS = 256;

/** Header parameters that change how a JWS is processed, announce compression or encryption, or carry a key. */
const REFUSED_PARAMETERS = ["crit", "b64", "zip", "enc", "jwk"];

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const remembered = new Map<string, JwsHeader>();

/** Reads a JWS in compact serialization, of at most 16 KiB; `null` where it is anything else. Does not verify it. */
export function parseJws(token: string): Jws | null {
  const parts = splitJws(token);
  const payload = parts === null ? null : jsonObject(parts.encodedPayload);
  if (parts === null || payload === null) return null;
  return { header: parts.header, payload, signedPart: parts.signedPart };
}

/** Like `parseJws`, but for a payload of any kind: leaves it encoded and checks only the header's contents. */
export function splitJws(
  token: string,
): { readonly header: JwsHeader; readonly encodedPayload: string; readonly signedPart: string } | null {
  if (token.length > MAX_TOKEN_LENGTH || !COMPACT.test(token)) return null;
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  if (!isWhole(token, 0, first) || !isWhole(token, first + 1, second)) return null;
  if (!isWhole(token, second + 1, token.length)) return null;
  const encodedPayload = token.slice(first + 1, second);
  const header = headerOf(token.slice(0, first));
  return header === null ? null : { header, encodedPayload, signedPart: token.slice(0, second) };
}

/** A `typ` in one spelling: lower-case, and without the optional prefix `application/` (RFC 7515 §4.1.9). */
export function normalizeTyp(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith("application/") && lower.indexOf("/", 12) === -1 ? lower.slice(12) : lower;
}

function headerOf(encoded: string): JwsHeader | null {
  const known = remembered.get(encoded);
  if (known !== undefined) return known;
  if (encoded.length > MAX_HEADER_LENGTH) return null;
  const members = jsonObject(encoded);
  if (members === null) return null;
  const header = readHeader(members);
  if (header === null) return null;
  if (remembered.size >= MAX_REMEMBERED_HEADERS) remembered.clear();
  remembered.set(encoded, header);
  return header;
}

function readHeader(members: Record<string, unknown>): JwsHeader | null {
  for (const name of REFUSED_PARAMETERS) if (Object.hasOwn(members, name)) return null;
  const alg = stringMember(members, "alg");
  const kid = stringMember(members, "kid");
  const typ = stringMember(members, "typ");
  if (!alg || kid === undefined || typ === undefined) return null;
  if (kid !== null && kid.length > MAX_KID_LENGTH) return null;
  return { alg, kid, typ: typ === null ? null : normalizeTyp(typ) };
}

/** A string member; `null` where it is absent, `undefined` where it is not a string. */
function stringMember(members: Record<string, unknown>, name: string): string | null | undefined {
  if (!Object.hasOwn(members, name)) return null;
  const value = members[name];
  return typeof value === "string" ? value : undefined;
}

/** The JSON object in `encoded`, whose base64url `splitJws` has checked; `null` where it is not one, or repeats a member. */
function jsonObject(encoded: string): Record<string, unknown> | null {
  try {
    const text = utf8.decode(base64url.decode(encoded));
    const members = countMembers(text);
    if (members === null) return null;
    const value: unknown = JSON.parse(text);
    // `JSON.parse` keeps one of several equal members, so the text then has more members than the value.
    return isObject(value) && keysIn(value) === members ? value : null;
  } catch {
    return null;
  }
}

/** RFC 7515 §7.1. */
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/;

/**
 * Whether a part encodes whole bytes and its unused bits are zero (RFC 4648 §3.5), so that the same bytes have only one
 * encoding.
 */
function isWhole(token: string, start: number, end: number): boolean {
  switch ((end - start) & 3) {
    case 0:
      return true;
    case 2:
      return "AQgw".includes(token.charAt(end - 1));
    case 3:
      return "AEIMQUYcgkosw048".includes(token.charAt(end - 1));
    default:
      return false;
  }
}

/** The number of members of all objects in a JSON text; `null` where it is nested too deeply. */
function countMembers(text: string): number | null {
  let members = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at);
        if (at === -1) return null;
        break;
      case 0x3a: // :
        members++;
        break;
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > MAX_DEPTH) return null;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
    }
  }
  return members;
}

/** The position of the closing quote of the string that begins at `start`; -1 if it is not closed. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if ((backslashes & 1) === 0) return end;
  }
  return -1;
}

function keysIn(value: object): number {
  let keys = 0;
  if (Array.isArray(value)) {
    for (const element of value) if (typeof element === "object" && element !== null) keys += keysIn(element);
    return keys;
  }
  for (const member of Object.values(value)) {
    keys++;
    if (typeof member === "object" && member !== null) keys += keysIn(member);
  }
  return keys;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
