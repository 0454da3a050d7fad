/**
 * How an origin may read a canonical path besides as it is spelt: without telling cases apart, and with the escapes decoded of
 * what a segment may also hold as it is. Two spellings that fold to one may be one resource behind the gateway.
 */
import type { Pattern } from "./pattern.ts";

/** A path, or a literal of a pattern, as an origin may read it. Folding twice is folding once. */
export type Fold = (path: string) => string;

/** By an origin that does not tell cases apart, beyond ASCII too. */
export const foldCase: Fold = (path) => {
  const lower = path.toLowerCase();
  if (!path.includes("%")) return lower;
  return lower.replace(ESCAPES, (escapes) => raw(decodeURIComponent(escapes).toUpperCase().toLowerCase()));
};

/** By one that does. `%40` is still `@` to it (RFC 3986 §3.3): most servers decode before they look for a route. */
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

/** The pattern with its literals folded; the same object where they are. */
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
