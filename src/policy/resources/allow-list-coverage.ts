/**
 * Whether a token's allow list covers what a call touches: the step `resources` of the contract (§2, §3).
 *
 * Guarantees: a query parameter or header that can be read in several ways is ambiguous for everybody; a request's id
 * that is `*` is covered by nothing; a list that is empty or unreadable covers nothing, not even where nothing is asked.
 * Leaves to the router: canonical values, and a star without the request's trailing slash.
 */
import { namedByConnection } from "../../request/removed-headers.ts";
import { canonicalSegment } from "../../request/segment.ts";
import { type AllowList, isStarId, listCovers } from "./allow-list.ts";
import type { AllowListTemplate, TemplatePart } from "./allow-list-template.ts";
import { queryValue } from "./query-value.ts";

export type Coverage =
  | { readonly kind: "covered" }
  | { readonly kind: "ambiguous" }
  /** `resource` is the template that is not covered, or `*:*` where the route asks for the whole or for any list. */
  | { readonly kind: "not_covered"; readonly resource: string };

/** What a request names. */
export interface Named {
  /** What the pattern's names stand for, in the pattern's order, in canonical spelling; the star last. */
  readonly values: readonly string[];
  /** As it will be forwarded, with its `?`, or empty. */
  readonly query: string;
  readonly header: (name: string) => string | null;
}

/** Stands for no id: the template asks for its whole type. */
const WHOLE_TYPE = "";

const COVERED: Coverage = { kind: "covered" };
const AMBIGUOUS: Coverage = { kind: "ambiguous" };

/** Decides a route's templates (`null`: it needs `*:*`; none: any list will do) for one list and one request. */
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

/** The id that a template asks for in this request; `WHOLE_TYPE`; or `null` where it is ambiguous. */
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
      // As it goes on: what `Connection` names does not.
      const isDropped = namedByConnection(asked.header("connection")).includes(part.name);
      const value = isDropped ? null : asked.header(part.name);
      if (value === null) return WHOLE_TYPE;
      return isPlainHeader(value) ? spelt(value) : null;
    }
  }
}

/** A value as a canonical path segment spells it; `null` where none can. */
function spelt(value: string | null): string | null {
  return value === null || value === WHOLE_TYPE ? value : canonicalSegment(value);
}

/** One value, of visible ASCII and spaces: how other octets are read differs between origins (RFC 9110 §5.5). */
function isPlainHeader(value: string): boolean {
  return /^[\x20-\x2b\x2d-\x7e]*$/.test(value);
}
