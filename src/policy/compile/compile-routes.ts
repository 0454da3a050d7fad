/** Compiles the routes: key, pattern, requirement, resources, conditions. */

import { isRemoved, type RemovedHeaders } from "../../request/removed-headers.ts";
import { type Conditions, compileConditions } from "../conditions/conditions.ts";
import type { Faults, KeyPath } from "../faults.ts";
import type { WrittenRoutes } from "../reading/document.ts";
import type { RawRoute, RawRouteTable } from "../reading/schema-route.ts";
import { type AllowListTemplate, parseTemplate } from "../resources/allow-list-template.ts";
import type { Requirement } from "../route.ts";
import { isUnder, WELL_KNOWN } from "../routing/built-in-routes.ts";
import { type Pattern, parsePattern } from "../routing/pattern.ts";
import type { RoutePattern } from "../routing/router.ts";
import type { Catalogue } from "../scope.ts";
import { type RequirementCompiler, requirementCompiler } from "./compile-requirement.ts";

/** A route value, compiled once for all routes that have it. */
interface Said {
  readonly written: RawRoute;
  readonly table: RawRouteTable;
  readonly requirement: Requirement;
  readonly conditions: Conditions | null;
  /** The templates for the last pattern's names (`name`), reused where the next pattern has the same names. */
  resources: { readonly name: string; readonly templates: readonly AllowListTemplate[] } | null;
}

/** Yields routes one by one, so that a large policy's patterns are not all in memory. Compiles a shared value once. */
export function* compileRoutes(
  { places, values }: WrittenRoutes<RawRoute>,
  { adminPath, removed }: { readonly adminPath: string; readonly removed: RemovedHeaders },
  catalogue: Catalogue,
  faults: Faults,
): Generator<RoutePattern> {
  const said: (Said | undefined)[] = values.map(() => undefined);
  const requirementOf = requirementCompiler(catalogue, faults);
  const knownMethods = new Map<string, readonly string[]>();
  for (const [key, place] of places) {
    const parsed = parseKey(key, adminPath, knownMethods);
    if ("error" in parsed) {
      faults.add(["routes", key], parsed.error);
      continue;
    }
    const faultsBefore = faults.list.length;
    const value = said[place] ?? compileValue(values[place] as RawRoute, ["routes", key], requirementOf, faults);
    const resources = compileResources(value, key, parsed.pattern, removed, faults);
    // A value with faults is not kept, so that they are reported at every route that has it.
    if (faults.list.length === faultsBefore) said[place] = value;
    const { table, requirement, conditions, written } = value;
    yield {
      pattern: parsed.pattern,
      route: {
        key,
        target: "origin",
        methods: parsed.methods,
        pattern: parsed.pattern.text,
        requirement,
        resources,
        conditions,
        strictRevocation: table.revocation === "strict",
        encodedSlash: table.encoded_slash ?? false,
        unboundedConnection: table.connection === "unbounded",
        written,
      },
    };
  }
}

interface ParsedKey {
  readonly methods: readonly string[];
  readonly pattern: Pattern;
}

function parseKey(
  key: string,
  adminPath: string,
  known: Map<string, readonly string[]>,
): ParsedKey | { readonly error: string } {
  const space = key.indexOf(" ");
  if (space < 0) return { error: 'a route\'s key is "METHODS PATTERN", as "GET /v1/charges"' };
  const words = key.slice(0, space);
  let methods = known.get(words);
  if (methods === undefined) {
    const parsed = parseMethods(words);
    if ("error" in parsed) return parsed;
    methods = parsed;
    known.set(words, methods);
  }
  const written = key.slice(space + 1);
  if (/^\s/.test(written)) return { error: "one space between the methods and the pattern" };
  if (/\s$/.test(written)) return { error: "no space after the pattern" };
  const pattern = parsePattern(written);
  if ("error" in pattern) return pattern;
  if (isUnder(pattern.text, adminPath)) return { error: `no route lies under ${adminPath}` };
  if (isUnder(pattern.text, WELL_KNOWN)) return { error: `no route lies under ${WELL_KNOWN}` };
  return { methods, pattern };
}

function parseMethods(words: string): readonly string[] | { readonly error: string } {
  const methods = words.split(",");
  for (const method of methods) {
    if (method === "*" && methods.length > 1) return { error: "* stands for every method and stands alone" };
    if (method !== "*" && !/^[A-Z][A-Z0-9!#$%&'+.^_`|~-]*$/.test(method)) {
      return { error: `"${method}" is not a method; write it in upper case, several with commas and no space` };
    }
  }
  return new Set(methods).size === methods.length ? methods : { error: "names a method twice" };
}

function compileValue(written: RawRoute, path: KeyPath, requirementOf: RequirementCompiler, faults: Faults): Said {
  const isTable = typeof written === "object" && !Array.isArray(written);
  const table = isTable ? written : { all: typeof written === "string" ? [written] : written };
  const requirement = requirementOf(table, isTable, path);
  if (requirement.kind === "public") {
    for (const key of ["max_token_age", "resource"] as const) {
      if (table[key] !== undefined) faults.add([...path, key], "a public route looks at no token");
    }
  }
  return { written, table, requirement, conditions: compileConditions(table), resources: null };
}

function compileResources(
  value: Said,
  key: string,
  pattern: Pattern,
  removed: RemovedHeaders,
  faults: Faults,
): readonly AllowListTemplate[] | null {
  const { resource } = value.table;
  if (resource === undefined || value.requirement.kind === "public") return null;
  const names = pattern.names.join(" ");
  const name = pattern.star ? `${names} *` : names;
  if (value.resources?.name === name) return value.resources.templates;
  const templates = (typeof resource === "string" ? [resource] : resource).flatMap((text) => {
    const template = templateOf(text, pattern, removed);
    if (!("error" in template)) return [template];
    faults.add(["routes", key, "resource"], template.error);
    return [];
  });
  value.resources = { name, templates };
  return templates;
}

/** Compiles a template. Refuses one that reads a header which the gateway removes before the origin sees it. */
function templateOf(
  text: string,
  { names, star }: Pattern,
  removed: RemovedHeaders,
): AllowListTemplate | { readonly error: string } {
  const template = parseTemplate(text, names, star);
  if ("error" in template) return template;
  for (const part of template.parts ?? []) {
    if (part.kind === "header" && isRemoved(part.name, removed)) {
      return { error: `{header.${part.name}} is a header that the origin never gets from a client` };
    }
  }
  return template;
}
