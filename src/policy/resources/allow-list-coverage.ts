/**
 * Whether a token's allow list covers what a call touches: the step `resources` of the contract (§2, §3).
 *
 * Guarantees: a query parameter or header that can be read in several ways is ambiguous, whatever the token's list; the
 * id `*` in a request is covered by nothing; an empty or unreadable list allows nothing, not even `resource = []`.
 * Leaves to the router that values are canonical, and that the star's value has no trailing slash.
 */
import { namedByConnection } from "../../request/removed-headers.ts";
import { canonicalSegment } from "../../request/segment.ts";
import { type AllowList, isStarId, listCovers } from "./allow-list.ts";
import type { AllowListTemplate, TemplatePart } from "./allow-list-template.ts";
import { queryValue } from "./query-value.ts";

export type Coverage =
  | { readonly kind: "covered" }
  | { readonly kind: "ambiguous" }
  /** `resource`: the template not covered; `*:*` where the route needs that, or where the list covers nothing. */
  | { readonly kind: "not_covered"; readonly resource: string };

/** The parts of a request from which templates take ids. */
export interface Named {
  /** The values of the pattern's names, in the pattern's order, in canonical spelling; the star's last. */
  readonly values: readonly string[];
  /** The query as it will be forwarded: with its `?`, or empty. */
  readonly query: string;
  readonly header: (name: string) => string | null;
}

/** In place of an id: the template asks for its whole type. */
const WHOLE_TYPE = "";

const COVERED: Coverage = { kind: "covered" };
const AMBIGUOUS: Coverage = { kind: "ambiguous" };

/** Decides a route's templates (`null`: it needs `*:*`; `[]`: any list that covers something) for one request. */
export function coverage(templates: readonly AllowListTemplate[] | null, list: AllowList, asked: Named): Coverage {
  if (templates !== null) {
    for (const template of templates) {
      if (template.readsOutsidePath && idOf(template, asked) === null) return AMBIGUOUS;
    }
  }
  if (list.kind === "empty" || list.kind === "unreadable") return { kind: "not_covered", resource: "*:*" };
  if (templates === null) return list.kind === "listed" ? { kind: "not_covered", resource: "*:*" } : COVERED;
  for (const template of templates) {
    if (!isCovered(template, list, asked)) return { kind: "not_covered", resource: template.text };
  }
  return COVERED;
}

function isCovered(template: AllowListTemplate, list: AllowList, asked: Named): boolean {
  const id = idOf(template, asked);
  if (id === null || isStarId(id)) return false;
  if (list.kind !== "listed") return listCovers(list, "*:*");
  if (list.types.has(template.type)) return true;
  return id !== WHOLE_TYPE && list.targets.has(`${template.type}:${id}`);
}

/** The id that a template asks for in this request, or `WHOLE_TYPE`; `null` where that is ambiguous. */
function idOf(template: AllowListTemplate, asked: Named): string | null {
  const { parts } = template;
  if (parts === null) return WHOLE_TYPE;
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return partValue(only, asked);

  let id = "";
  let wholeType = false;
  let slashInside = false;
  for (const part of parts) {
    const value = partValue(part, asked);
    if (value === null) return null;
    if (value === WHOLE_TYPE) wholeType = true;
    if (part.kind !== "literal") {
      if (slashInside) wholeType = true;
      slashInside = value.includes("/");
    }
    id += value;
  }
  return wholeType ? WHOLE_TYPE : id;
}

function partValue(part: TemplatePart, asked: Named): string | null {
  switch (part.kind) {
    case "literal":
      return part.text;
    case "value": {
      const value = asked.values[part.index];
      if (value === undefined) throw new Error("the router found fewer values than the template names");
      return value;
    }
    case "query":
      return spelt(queryValue(asked.query, part.name));
    case "header": {
      if (part.aliases.some((alias) => asked.header(alias) !== null)) return null;
      // The value as forwarded: a header that `Connection` names is removed.
      const isDropped = namedByConnection(asked.header("connection")).includes(part.name);
      const value = isDropped ? null : asked.header(part.name);
      if (value === null) return WHOLE_TYPE;
      return isPlainHeader(value) ? spelt(value) : null;
    }
  }
}

/** A value in the spelling of a canonical path segment; `null` where it has none. */
function spelt(value: string | null): string | null {
  return value === null || value === WHOLE_TYPE ? value : canonicalSegment(value);
}

/** Whether this is one value (no comma) in printable ASCII: origins read other octets differently (RFC 9110 §5.5). */
function isPlainHeader(value: string): boolean {
  return /^[\x20-\x2b\x2d-\x7e]*$/.test(value);
}
