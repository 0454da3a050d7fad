/**
 * The path of a request in its one canonical spelling, or nothing: a path that two servers could read differently is
 * refused, never repaired (contract §2 "Paths"; RFC 3986 §6.2.2).
 *
 * Guarantees, for every path returned: the URL parser does not change it, so that the path matched is the path
 * forwarded; it is its own canonical spelling; no segment is empty (except the last) or could be read as a dot segment.
 * Leaves to the gateway whether the route allows an encoded slash, to the router whether another case reaches another
 * route.
 *
 * Trade-off: reserved characters stay as they came, raw or escaped (`a+b` and `a%2Bb` are two paths, RFC 3986 §2.2).
 * A plain path costs one scan and one slice; every other path takes the slow way, which is still one scan.
 */
import { pathStart } from "./authority.ts";

export interface CanonicalPath {
  /** Begins with `/`. One trailing slash stays as it came. */
  readonly path: string;
  /** Empty, or from the `?` to the end, without a fragment. */
  readonly query: string;
  /** Whether the path holds `%2F` or `%5C`, which only a route with `encoded_slash` may have. */
  readonly encodedSlash: boolean;
}

const PLAIN = 0;
const SLASH = 1;
const END = 2;
const ESCAPE = 3;
/** Raw, but percent-encoded in a path by the URL parser. */
const ENCODED = 4;
const REFUSED = 5;

const ASCII = 128;
const CLASS = new Uint8Array(ASCII).fill(REFUSED);
for (let code = 0x21; code < 0x7f; code++) CLASS[code] = PLAIN;
for (const char of ' "<>^`{}') CLASS[char.charCodeAt(0)] = ENCODED;
for (const char of ";\\") CLASS[char.charCodeAt(0)] = REFUSED;
for (const char of "?#") CLASS[char.charCodeAt(0)] = END;
CLASS[0x25] = ESCAPE;
CLASS[0x2f] = SLASH;

const UNRESERVED = new Uint8Array(ASCII);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
  UNRESERVED[char.charCodeAt(0)] = 1;

const SPACE = 0x20;
const PERCENT = 0x25;
const DOT = 0x2e;
const SOLIDUS = 0x2f;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;

/**
 * The canonical path of a request; `null` where it has none (400 `ambiguous_path`).
 *
 * @param url `request.url` as the runtime gives it: bare workerd concatenates `http://`, the Host header and the raw
 *   request target; wrangler and Cloudflare's edge pass a parsed URL.
 * @param host The Host header; `null` where there is none, as in a call through a service binding.
 */
export function canonicalPath(url: string, host: string | null): CanonicalPath | null {
  const from = pathStart(url, host);
  if (from < 0) return null;
  const length = url.length;
  let at = from;
  while (at < length) {
    const code = url.charCodeAt(at);
    const kind = code < ASCII ? CLASS[code] : REFUSED;
    if (kind === SLASH) {
      const next = at + 1 < length ? url.charCodeAt(at + 1) : 0;
      if (next === SOLIDUS || (next === DOT && isDotSegment(url, at + 1))) return null;
    } else if (kind !== PLAIN) {
      if (kind === END) break;
      return kind === REFUSED ? null : rewritten(url, from);
    }
    at++;
  }
  return { path: url.slice(from, at), query: queryAt(url, at), encodedSlash: false };
}

/** Whether the segment at `at`, which begins with a dot, is `.` or `..`. */
function isDotSegment(url: string, at: number): boolean {
  const end = url.charCodeAt(at + 1) === DOT ? at + 2 : at + 1;
  if (end >= url.length) return true;
  const kind = CLASS[url.charCodeAt(end)];
  return kind === SLASH || kind === END;
}

function queryAt(url: string, at: number): string {
  if (at >= url.length || url.charCodeAt(at) === 0x23) return "";
  const fragment = url.indexOf("#", at);
  return fragment < 0 ? url.slice(at) : url.slice(at, fragment);
}

/** The slow way: a path with escapes, or with characters that the URL parser would escape. */
function rewritten(url: string, from: number): CanonicalPath | null {
  const length = url.length;
  let path = "";
  /** The index in `url` from which nothing has been copied to `path` yet. */
  let pending = from;
  let encodedSlash = false;
  /** Counts over the text since the last separator, raw or encoded. */
  let dots = 0;
  let spaces = 0;
  let others = 0;
  let at = from;
  for (; at < length; at++) {
    const code = url.charCodeAt(at);
    const kind = code < ASCII ? CLASS[code] : REFUSED;
    if (kind === PLAIN) {
      if (code === DOT) dots++;
      else others++;
      continue;
    }
    if (kind === END) break;
    if (kind === REFUSED) return null;
    if (kind === SLASH) {
      if (meansAnother(dots, spaces, others)) return null;
      if (at + 1 < length && url.charCodeAt(at + 1) === SOLIDUS) return null;
      dots = spaces = others = 0;
      continue;
    }
    if (kind === ENCODED) {
      path += url.slice(pending, at) + escapeOf(code);
      pending = at + 1;
      if (code === SPACE) spaces++;
      else others++;
      continue;
    }
    const octet = octetAt(url, at);
    if (octet < 0) return null;
    if (octet >= 0x80) {
      const end = characterEnd(url, at, octet);
      if (end < 0) return null;
      path += url.slice(pending, at) + url.slice(at, end).toUpperCase();
      pending = end;
      at = end - 1;
      others++;
      continue;
    }
    if (octet < SPACE || octet === 0x7f || octet === PERCENT || octet === SEMICOLON) return null;
    path += url.slice(pending, at);
    pending = at + 3;
    at += 2;
    if (UNRESERVED[octet] === 1) {
      path += String.fromCharCode(octet);
      if (octet === DOT) dots++;
      else others++;
      continue;
    }
    path += escapeOf(octet);
    if (octet === SPACE) {
      spaces++;
    } else if (octet === SOLIDUS || octet === BACKSLASH) {
      if (meansAnother(dots, spaces, others)) return null;
      dots = spaces = others = 0;
      encodedSlash = true;
    } else {
      others++;
    }
  }
  if (meansAnother(dots, spaces, others)) return null;
  return { path: path + url.slice(pending, at), query: queryAt(url, at), encodedSlash };
}

/** Whether a segment is a dot segment, or only spaces and dots, which a file system may take for a dot segment. */
export function meansAnother(dots: number, spaces: number, others: number): boolean {
  return others === 0 && (spaces > 0 || dots === 1 || dots === 2);
}

/** `%XX` of one octet, upper-case. */
export function escapeOf(octet: number): string {
  return octet < 0x10 ? `%0${octet.toString(16).toUpperCase()}` : `%${octet.toString(16).toUpperCase()}`;
}

/** The octet of the escape at `at`; -1 where that is not two hexadecimal digits after the `%`. */
function octetAt(url: string, at: number): number {
  const high = hexDigit(url.charCodeAt(at + 1));
  const low = hexDigit(url.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** The index after the last escape of the character at `at`; -1 where it is not UTF-8 (RFC 3629 §4) or a C1 control. */
function characterEnd(url: string, at: number, lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return -1;
  const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  // The second octet's bounds exclude overlong forms, surrogates, code points over U+10FFFF, and U+0080 to U+009F.
  const least = lead === 0xe0 || lead === 0xc2 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  for (let k = 1; k <= more; k++) {
    if (url.charCodeAt(at + 3 * k) !== PERCENT) return -1;
    const octet = octetAt(url, at + 3 * k);
    if (octet < (k === 1 ? least : 0x80) || octet > (k === 1 ? most : 0xbf)) return -1;
  }
  return at + 3 + 3 * more;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
