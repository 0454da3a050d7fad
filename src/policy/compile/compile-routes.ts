/** The routes: key, pattern, requirement, resources, conditions. */

import { compileConditions } from "../conditions/conditions.ts";
import type { Faults, KeyPath } from "../faults.ts";
import type { Alternative, Requirement } from "../policy.ts";
import { type AllowListTemplate, parseTemplate } from "../resources/allow-list-template.ts";
import { isUnder, WELL_KNOWN } from "../routing/built-in-routes.ts";
import { type Pattern, parsePattern } from "../routing/pattern.ts";
import type { RoutePattern } from "../routing/router.ts";
import type { RawRoute, RawRouteTable } from "../schema-route.ts";
import { type Catalogue, isReserved, type Scope } from "../scope.ts";
import { unknownScope } from "./compile-scopes.ts";

/** What many routes of a large policy say alike is read once, and shared. */
interface Shared {
  /** By the methods of a key, as they stand there. */
  readonly methods: Map<string, readonly string[]>;
  /** Of one scope that the catalogue has, by its name. */
  readonly requirements: Map<string, Requirement>;
  /** Of one template over the names of a pattern, by both. */
  readonly resources: Map<string, readonly AllowListTemplate[]>;
  /** What is said of a scope that the catalogue lacks: the search for what was meant takes its time. */
  readonly unknown: Map<string, string>;
}

/** One after the other: a large policy's patterns need not all be in memory. */
export function* compileRoutes(
  routes: Iterable<readonly [key: string, written: RawRoute]>,
  adminPath: string,
  catalogue: Catalogue,
  faults: Faults,
): Generator<RoutePattern> {
  const shared: Shared = { methods: new Map(), requirements: new Map(), resources: new Map(), unknown: new Map() };
  for (const [key, written] of routes) {
    const path = ["routes", key];
    const parsed = parseKey(key, adminPath, shared);
    if ("error" in parsed) {
      faults.add(path, parsed.error);
      continue;
    }
    const table = tableOf(written);
    const isTable = table === written;
    const requirement = compileRequirement(table, isTable, path, catalogue, shared, faults);
    if (requirement.kind === "public" && table.max_token_age !== undefined) {
      faults.add([...path, "max_token_age"], "a public route looks at no token");
    }
    yield {
      pattern: parsed.pattern,
      route: {
        key,
        target: "origin",
        methods: parsed.methods,
        pattern: parsed.pattern.text,
        requirement,
        resources: compileResources(table, parsed.pattern, requirement, path, shared, faults),
        conditions: compileConditions(table),
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

function parseKey(key: string, adminPath: string, { methods: known }: Shared): ParsedKey | { readonly error: string } {
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
  const pattern = parsePattern(key.slice(space + 1));
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

function tableOf(written: RawRoute): RawRouteTable {
  if (typeof written === "string") return { all: [written] };
  return Array.isArray(written) ? { all: written } : written;
}

function compileRequirement(
  table: RawRouteTable,
  isTable: boolean,
  path: KeyPath,
  catalogue: Catalogue,
  shared: Shared,
  faults: Faults,
): Requirement {
  const { all, any } = table;
  const only = all?.length === 1 && any === undefined && !table.authenticated && !table.public ? all[0] : undefined;
  const known = only === undefined ? undefined : shared.requirements.get(only);
  if (known !== undefined) return known;

  const said = (["all", "any", "authenticated", "public"] as const).filter((key) => table[key] !== undefined);
  if (said.length !== 1) {
    const found = said.length === 0 ? "none of them" : said.join(" and ");
    faults.add(path, `needs exactly one of all, any, authenticated and public; found ${found}`);
  }
  if (table.public) return { kind: "public" };
  if (table.authenticated) return { kind: "authenticated" };
  const groups = any?.map((entry) => (typeof entry === "string" ? [entry] : entry)) ?? [all ?? []];
  const alternatives = groups.map((names, position): Alternative => {
    const place = [
      ...path,
      ...(isTable ? [any === undefined ? "all" : "any"] : []),
      ...(any === undefined ? [] : [position]),
    ];
    const scopes = [...new Set(names)].flatMap((name): Scope[] => {
      const scope = catalogue.byName.get(name);
      if (scope !== undefined && !isReserved(name)) return [scope];
      const text =
        shared.unknown.get(name) ??
        (isReserved(name)
          ? `"${name}" is the gateway's own and not for routes`
          : unknownScope(name, catalogue.byName.keys()));
      shared.unknown.set(name, text);
      faults.add(place, text);
      return [];
    });
    return { scopes, header: scopes.map((scope) => scope.name).join(" ") };
  });
  const requirement: Requirement = { kind: "scopes", alternatives, names: [...new Set(groups.flat())] };
  // One that is unknown is told at each route that has it.
  if (only !== undefined && alternatives[0]?.scopes.length === 1) shared.requirements.set(only, requirement);
  return requirement;
}

function compileResources(
  table: RawRouteTable,
  pattern: Pattern,
  requirement: Requirement,
  path: KeyPath,
  shared: Shared,
  faults: Faults,
): readonly AllowListTemplate[] | null {
  if (table.resource === undefined) return null;
  if (requirement.kind === "public") {
    faults.add([...path, "resource"], "a public route looks at no token");
    return null;
  }
  const written = typeof table.resource === "string" ? [table.resource] : table.resource;
  const [only = ""] = written;
  // Names hold no line break, so that one text stands for one template over one list of names.
  const name = written.length === 1 ? `${pattern.names.join(" ")}${pattern.star ? " *" : ""}\n${only}` : null;
  const known = name === null ? undefined : shared.resources.get(name);
  if (known !== undefined) return known;
  const templates = written.flatMap((text) => {
    const template = parseTemplate(text, pattern.names, pattern.star);
    if (!("error" in template)) return [template];
    faults.add([...path, "resource"], template.error);
    return [];
  });
  if (name !== null && templates.length === 1) shared.resources.set(name, templates);
  return templates;
}
