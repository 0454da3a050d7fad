/**
 * Templates: what a route says it touches, as targets with placeholders for values of the request (contract §2).
 *
 * `charge:{charge}`, `charge:*`, `file:{*}`, `project:{query.project}`, `tenant:{header.x-tenant}`, and mixtures such as
 * `repo:{owner}/{name}`.
 *
 * Guarantees: where a template gives two requests the same id, the values in their placeholders are the same. So there
 * is a slash between any two placeholders, and only the last one's value may itself hold slashes; where another's does,
 * the target is the whole type (see `allow-list-coverage.ts`).
 */
import { isCanonicalId } from "../../request/segment.ts";
import { closest } from "../near.ts";
import { isStarId, isTargetType } from "./allow-list.ts";

export interface AllowListTemplate {
  /** As written in the policy. */
  readonly text: string;
  /** `*` where the template is `*:*`. */
  readonly type: string;
  /** `null`: the whole type. */
  readonly parts: readonly TemplatePart[] | null;
  /** Whether it reads the query or a header, which may be ambiguous. */
  readonly readsOutsidePath: boolean;
}

export type TemplatePart =
  | { readonly kind: "literal"; readonly text: string }
  /** `index`: into the values that the router found; the star's is the last. */
  | { readonly kind: "value"; readonly index: number }
  | { readonly kind: "query"; readonly name: string }
  /** `aliases`: other spellings of the name, with `_` for `-` or the reverse, that an origin may take for it. */
  | { readonly kind: "header"; readonly name: string; readonly aliases: readonly string[] };

const QUERY_NAME = /^[A-Za-z0-9$_.~-]+$/;
/** A field name (RFC 9110 §5.1), without the marks that no header in use has. */
const HEADER_NAME = /^[A-Za-z0-9_-]+$/;
/** A name with n hyphens or underscores has 2^n spellings, each looked up on every request. */
const MOST_SEPARATORS = 5;

/** Compiles a template for a pattern with these names, in the pattern's order. The error says what is wrong with it. */
export function parseTemplate(
  text: string,
  names: readonly string[],
  hasStar: boolean,
): AllowListTemplate | { readonly error: string } {
  if (text === "*:*") return { text, type: "*", parts: null, readsOutsidePath: false };
  const colon = text.indexOf(":");
  if (colon < 0) return { error: 'expected a target such as "charge:{charge}" or "charge:*"' };
  const type = text.slice(0, colon);
  const id = text.slice(colon + 1);
  if (!isTargetType(type)) return { error: 'the type of a target is 1 to 256 letters, digits or "-._~"' };
  if (id === "*") return { text, type, parts: null, readsOutsidePath: false };

  const parts: TemplatePart[] = [];
  let sample = "";
  // The pieces alternate: text between placeholders, then a placeholder's content.
  for (const [position, piece] of id.split(/\{([^{}]*)\}/).entries()) {
    const isPlaceholder = position % 2 === 1;
    sample += isPlaceholder ? "x" : piece;
    if (!isPlaceholder) {
      if (piece !== "") parts.push({ kind: "literal", text: piece });
      continue;
    }
    const part = parsePlaceholder(piece, names, hasStar);
    if ("error" in part) return part;
    if (position > 1 && !isApart(parts.at(-1))) {
      return { error: `two placeholders need a "/" between them, or different requests would ask for the same target` };
    }
    parts.push(part);
  }
  if (!isCanonicalId(sample) || isStarId(sample)) {
    return { error: "the id of a target is spelt as in a canonical path, with placeholders such as {charge}" };
  }
  return { text, type, parts, readsOutsidePath: parts.some(({ kind }) => kind === "query" || kind === "header") };
}

/** Whether the part between two placeholders keeps their values apart. */
function isApart(between: TemplatePart | undefined): boolean {
  return between?.kind === "literal" && between.text.includes("/");
}

function parsePlaceholder(
  inner: string,
  names: readonly string[],
  hasStar: boolean,
): TemplatePart | { readonly error: string } {
  const index = names.indexOf(inner);
  if (index >= 0) return { kind: "value", index };
  if (inner === "*") {
    return hasStar ? { kind: "value", index: names.length } : { error: "{*} needs a pattern that ends in /*" };
  }
  if (inner.startsWith("query.")) return parseQuery(inner.slice("query.".length));
  if (inner.startsWith("header.")) return parseHeader(inner.slice("header.".length));
  const near = closest(inner, names);
  const hint = near === null ? "" : `; did you mean {${near}}?`;
  return { error: `{${inner}} is no name of the pattern, nor {*}, {query.name} or {header.name}${hint}` };
}

function parseQuery(name: string): TemplatePart | { readonly error: string } {
  if (!QUERY_NAME.test(name)) return { error: 'a query parameter here has a name of letters, digits or "$_.~-"' };
  return { kind: "query", name };
}

function parseHeader(name: string): TemplatePart | { readonly error: string } {
  if (!HEADER_NAME.test(name)) return { error: 'a header here has a name of letters, digits, "-" or "_"' };
  const words = name.toLowerCase().split(/[-_]/);
  if (words.length - 1 > MOST_SEPARATORS) return { error: `a header here has at most ${MOST_SEPARATORS} hyphens` };
  const [first = "", ...others] = words;
  let spellings = [first];
  for (const word of others) spellings = spellings.flatMap((start) => [`${start}-${word}`, `${start}_${word}`]);
  const plain = name.toLowerCase();
  return { kind: "header", name: plain, aliases: spellings.filter((spelling) => spelling !== plain) };
}
