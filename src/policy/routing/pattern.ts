/**
 * Patterns: which paths a route has, parsed once at load.
 *
 * A segment of a pattern is a literal, a name for a whole segment, a mixture of both, or a `:name+` for one or more
 * segments; a final `/*` matches the path before it and everything below it. There are no regular expressions, so that
 * two patterns can be compared, and matching takes time linear in the path's length.
 */
import { canonicalPath } from "../../request/path.ts";

export type Segment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "mixed"; readonly pieces: readonly Piece[] }
  | { readonly kind: "name" }
  | { readonly kind: "rest" };

/** A piece of a mixed segment: literal text, or `null` for a name. Names never stand side by side. */
export type Piece = string | null;

export interface Pattern {
  /** Without a trailing slash. */
  readonly text: string;
  readonly segments: readonly Segment[];
  /** In their order in the pattern. */
  readonly names: readonly string[];
  readonly star: boolean;
}

/** Most patterns: literals that are canonical without a closer look, names for whole segments, perhaps a star. */
const PLAIN = /^(?:\/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*|:[A-Za-z_][A-Za-z0-9_]*))+(?:\/\*)?$/;

const NAME: Segment = { kind: "name" };
const NO_NAMES: readonly string[] = [];

/** Parses a pattern, or says what is wrong with it. */
export function parsePattern(written: string): Pattern | { readonly error: string } {
  if (written[0] !== "/") return { error: "a pattern begins with a slash" };
  if (written.includes("//")) return { error: "a pattern has no empty segments" };
  const text = written.length > 1 && written.endsWith("/") ? written.slice(0, -1) : written;
  const parts = text === "/" ? [] : text.slice(1).split("/");
  const star = parts.at(-1) === "*";
  if (star) parts.pop();
  const isPlain = PLAIN.test(text);

  let names = NO_NAMES;
  let error: string | null = null;
  const segments = parts.map((part): Segment => {
    if (isPlain && part[0] !== ":") return { kind: "literal", text: part };
    if (isPlain) {
      names = [...names, part.slice(1)];
      return NAME;
    }
    const parsed = parseSegment(part);
    if ("error" in parsed) {
      error ??= parsed.error;
      return NAME;
    }
    names = [...names, ...parsed.names];
    return parsed.segment;
  });
  if (error !== null) return { error };
  if (names.length > 1 && new Set(names).size !== names.length) return { error: "the names in a pattern differ" };
  return { text, segments, names, star };
}

interface ParsedSegment {
  readonly segment: Segment;
  readonly names: readonly string[];
}

/** Parses one segment of any kind. */
function parseSegment(part: string): ParsedSegment | { readonly error: string } {
  const foreign = foreignNotation(part);
  if (foreign !== null) return { error: foreign };
  if (part.includes("*")) return { error: "a * stands alone, as the last segment" };
  const names: string[] = [];
  const pieces: Piece[] = [];
  let rest = false;
  let at = 0;
  for (const match of part.matchAll(/:([A-Za-z_][A-Za-z0-9_]*)(\+?)/g)) {
    if (match.index > at) pieces.push(part.slice(at, match.index));
    else if (pieces.length > 0) return { error: `two names need literal text between them in "${part}"` };
    pieces.push(null);
    names.push(match[1] ?? "");
    at = match.index + match[0].length;
    if (match[2] === "+") {
      if (match[0] !== part) return { error: `":${match[1]}+" stands alone in its segment` };
      rest = true;
    }
  }
  if (at < part.length) pieces.push(part.slice(at));
  if (rest) return { segment: { kind: "rest" }, names };

  for (const piece of pieces) {
    if (piece === null) continue;
    if (piece.includes(":")) return { error: `a ":" in "${part}" is not followed by a name (a letter or "_" first)` };
    const error = literalError(piece, pieces.length > 1);
    if (error !== null) return { error };
  }
  const [only] = pieces;
  if (pieces.length > 1) return { segment: { kind: "mixed", pieces }, names };
  return { segment: only === null ? NAME : { kind: "literal", text: only ?? "" }, names };
}

/** The error for another notation (`{id}`, `:id?`, regular expressions); parentheses without such marks are literal. */
function foreignNotation(part: string): string | null {
  const braced = /[{<]([^{}<>]*)[}>]/.exec(part);
  if (braced !== null) {
    const name = /^[A-Za-z_][A-Za-z0-9_]*$/.test(braced[1] ?? "") ? braced[1] : "name";
    return `a name is written ":${name}", not "${braced[0]}"`;
  }
  if (/:\w+(?:\?|\(.*[\\^?*])/.test(part)) {
    return `a pattern has no optional parts and no regular expressions, as in "${part}"; a name is ":id" alone`;
  }
  return null;
}

/** The error for a literal that is not in canonical spelling, and so could never match. */
function literalError(literal: string, isPart: boolean): string | null {
  const frame = isPart ? "x" : "";
  const canonical = canonicalPath(`http://h/${frame}${literal}${frame}`, "h");
  if (canonical?.path === `/${frame}${literal}${frame}` && canonical.query === "") return null;
  const spelling =
    canonical !== null && canonical.query === ""
      ? `; write "${canonical.path.slice(1 + frame.length, canonical.path.length - frame.length)}"`
      : "";
  return `"${literal}" is not a canonical path segment${spelling}`;
}

/**
 * Matches a mixed segment against `path[from, to)` and adds its names' values to `values`. Each name takes at least one
 * character and as few as it can: to take the leftmost position for each literal finds a match if there is one.
 */
export function matchMixed(
  pieces: readonly Piece[],
  path: string,
  from: number,
  to: number,
  values: string[],
): boolean {
  const before = values.length;
  let at = from;
  let open = -1;
  for (const [position, piece] of pieces.entries()) {
    if (piece === null) {
      open = at;
      continue;
    }
    const isLast = position === pieces.length - 1;
    let found: number;
    if (open < 0) found = path.startsWith(piece, at) ? at : -1;
    else if (isLast) found = path.endsWith(piece, to) ? to - piece.length : -1;
    // Searches this segment only; else a path of many segments would be searched to its end for each of them.
    else found = at + 1 + path.slice(at + 1, to).indexOf(piece);
    const least = open < 0 ? at : open + 1;
    if (found < least || found + piece.length > to || (open < 0 && isLast && found + piece.length !== to)) {
      values.length = before;
      return false;
    }
    if (open >= 0) values.push(path.slice(open, found));
    open = -1;
    at = found + piece.length;
  }
  if (open >= 0) {
    if (open >= to) {
      values.length = before;
      return false;
    }
    values.push(path.slice(open, to));
  }
  return true;
}

/**
 * Which of two mixed segments is more specific, from the left: literal text before a name; then the longer literal;
 * then the one with more pieces. 0 where they match the same texts.
 */
export function compareMixed(a: readonly Piece[], b: readonly Piece[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const left = a[at];
    const right = b[at];
    if (left === right) continue;
    if (left === undefined) return 1;
    if (right === undefined) return -1;
    if (left === null) return 1;
    if (right === null) return -1;
    return right.length - left.length || (left < right ? -1 : 1);
  }
  return 0;
}

/** The kinds of segments, and the end and star of a pattern, from the most specific to the least. */
const KINDS = ["literal", "mixed", "name", "rest", "end", "star"] as const;

/** Which of two patterns is more specific: the first difference from the left decides. 0 where neither is. */
export function compareSpecificity(a: Pattern, b: Pattern): number {
  for (let at = 0; at <= Math.max(a.segments.length, b.segments.length); at++) {
    const left = a.segments[at];
    const right = b.segments[at];
    const difference = KINDS.indexOf(kindAt(a, left)) - KINDS.indexOf(kindAt(b, right));
    if (difference !== 0) return difference;
    if (left?.kind !== "mixed" || right?.kind !== "mixed") continue;
    const mixed = compareMixed(left.pieces, right.pieces);
    if (mixed !== 0) return mixed;
  }
  return 0;
}

function kindAt(pattern: Pattern, segment: Segment | undefined): (typeof KINDS)[number] {
  return segment?.kind ?? (pattern.star ? "star" : "end");
}

/** Whether another pattern may match the same paths and yet have another place in the trie. */
export function hasOtherWords(pattern: Pattern): boolean {
  return (pattern.star && pattern.segments.at(-1)?.kind === "name") || hasRest(pattern);
}

export function hasRest({ text, segments }: Pattern): boolean {
  return text.includes("+") && segments.some(({ kind }) => kind === "rest");
}

/**
 * One text for all patterns that match the same paths, whatever their names: `/:a+/:b` is `/:a/:b+`, and `/:a/*`, like
 * `/:a+/*`, is `/:a+`.
 */
export function pathSet(pattern: Pattern): string {
  let text = "";
  let names = 0;
  let open = false;
  const flush = (): void => {
    if (names > 0) text += "/:".repeat(names) + (open ? "+" : "");
    names = 0;
    open = false;
  };
  for (const segment of pattern.segments) {
    if (segment.kind === "name" || segment.kind === "rest") {
      names++;
      open ||= segment.kind === "rest";
      continue;
    }
    flush();
    // A literal never holds a raw colon, so a name cannot be taken for one.
    text +=
      segment.kind === "literal" ? `/${segment.text}` : `/${segment.pieces.map((piece) => piece ?? ":").join("")}`;
  }
  if (pattern.star && names > 0) open = true;
  const starred = pattern.star && names === 0;
  flush();
  return starred ? `${text}/*` : text;
}
