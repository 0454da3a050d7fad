/**
 * The canonical spelling of values that are compared with parts of a path but come from elsewhere: query parameters,
 * headers, and the ids of allow lists (contract §2 "Resources").
 *
 * Guarantees that a returned text could stand in a canonical path unchanged. Leaves the length to the caller of
 * `canonicalSegment`, and `*`, which is an id like any other here.
 */
import { canonicalPath, escapeOf, meansAnother } from "./path.ts";

const MOST_ID_CHARACTERS = 256;

/** RFC 3986 §3.3 pchar, without `;` and escapes. */
const RAW = new Uint8Array(128);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@") {
  RAW[char.charCodeAt(0)] = 1;
}

/**
 * A decoded text as one canonical path segment: `/` and `\` as `%2F` and `%5C`, what is beyond ASCII as UTF-8.
 * `null` where it has no canonical spelling: empty, a control character, `%`, `;`, a lone surrogate, a dot segment.
 */
export function canonicalSegment(value: string): string | null {
  if (value === "") return null;
  let segment = "";
  let pending = 0;
  let dots = 0;
  let spaces = 0;
  let others = 0;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code < 128 && RAW[code] === 1) {
      if (code === 0x2e) dots++;
      else others++;
      continue;
    }
    const point = value.codePointAt(at) ?? 0;
    if (hasNoSpelling(point)) return null;
    segment += value.slice(pending, at) + escapesOf(point);
    if (point > 0xffff) at++;
    pending = at + 1;
    if (point === 0x20) {
      spaces++;
    } else if (point === 0x2f || point === 0x5c) {
      if (meansAnother(dots, spaces, others)) return null;
      dots = spaces = others = 0;
    } else {
      others++;
    }
  }
  if (meansAnother(dots, spaces, others)) return null;
  return segment + value.slice(pending);
}

/** Ids that are canonical without a closer look, as most are. */
const PLAIN_ID = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/;

/** Whether an allow list may hold this id: 1 to 256 characters, canonical segments with single slashes between them. */
export function isCanonicalId(id: string): boolean {
  if (id === "" || id.length > MOST_ID_CHARACTERS || id.endsWith("/")) return false;
  return PLAIN_ID.test(id) || canonicalPath(`http://h/${id}`, null)?.path === `/${id}`;
}

/** Whether a code point has no canonical spelling: controls (C0, DEL, C1), `%`, `;`, and halves of surrogate pairs. */
function hasNoSpelling(point: number): boolean {
  return (
    point < 0x20 ||
    point === 0x25 ||
    point === 0x3b ||
    (point >= 0x7f && point < 0xa0) ||
    (point >= 0xd800 && point < 0xe000)
  );
}

/** A character as the escapes of its UTF-8 octets (RFC 3629 §3). */
function escapesOf(point: number): string {
  if (point < 0x80) return escapeOf(point);
  if (point < 0x800) return escapeOf(0xc0 | (point >> 6)) + continuation(point);
  if (point < 0x10000) return escapeOf(0xe0 | (point >> 12)) + continuation(point >> 6) + continuation(point);
  return escapeOf(0xf0 | (point >> 18)) + continuation(point >> 12) + continuation(point >> 6) + continuation(point);
}

function continuation(bits: number): string {
  return escapeOf(0x80 | (bits & 0x3f));
}
