/**
 * How an origin may read a canonical path otherwise than it is spelt: ignoring case, and decoding the escapes of
 * characters that a segment may also hold raw. Two spellings that fold to one may be the same resource at the origin.
 */
import type { Pattern } from "./pattern.ts";

/** A path, or a literal of a pattern, as an origin may read it. Idempotent. */
export type Fold = (path: string) => string;

/** As a case-insensitive origin reads it, which ignores the case of non-ASCII letters too. */
export const foldCase: Fold = (path) => {
  const lower = path.toLowerCase();
  if (!path.includes("%")) return lower;
  return lower.replace(ESCAPES, (escapes) => raw(decodeURIComponent(escapes).toUpperCase().toLowerCase()));
};

/** As a case-sensitive origin reads it. Most servers decode before they route: `%40` is `@` to them (RFC 3986 §3.3). */
export const foldEscapes: Fold = (path) =>
  path.includes("%") ? path.replace(ESCAPES, (escapes) => raw(decodeURIComponent(escapes))) : path;

const ESCAPES = /(?:%[0-9A-F]{2})+/gi;

function raw(text: string): string {
  return encodeURIComponent(text).replace(/%(?:24|26|2B|2C|3A|3D|40)/g, decodeURIComponent);
}

/** Whether folding the pattern's literals changes it. */
export function foldsPattern(fold: Fold, pattern: Pattern): boolean {
  return /[A-Z%]/.test(pattern.text) && foldedPattern(fold, pattern) !== pattern;
}

/** The pattern with its literals folded; the same object where folding changes none. */
export function foldedPattern(fold: Fold, pattern: Pattern): Pattern {
  let changed = false;
  const folded = (text: string): string => {
    const read = fold(text);
    if (read !== text) changed = true;
    return read;
  };
  const segments = pattern.segments.map((segment) => {
    if (segment.kind === "literal") return { ...segment, text: folded(segment.text) };
    if (segment.kind !== "mixed") return segment;
    return { ...segment, pieces: segment.pieces.map((piece) => (piece === null ? null : folded(piece))) };
  });
  return changed ? { ...pattern, segments } : pattern;
}
