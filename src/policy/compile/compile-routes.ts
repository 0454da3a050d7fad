/** The routes: key, pattern, requirement, resources, conditions. */

import { compileConditions } from "../conditions/conditions.ts";
import type { Faults, KeyPath } from "../faults.ts";
import type { Alternative, Requirement } from "../policy.ts";
import { type AllowListTemplate, parseTemplate } from "../resources/allow-list-template.ts";
import { WELL_KNOWN } from "../routing/built-in-routes.ts";
import { type Pattern, parsePattern } from "../routing/pattern.ts";
import type { RoutePattern } from "../routing/router.ts";
import type { RawPolicy, RawRoute, RawRouteTable } from "../schema.ts";
import { type Catalogue, isReserved, type Scope } from "../scope.ts";
import { unknownScope } from "./compile-scopes.ts";

/** What many routes of a large policy say alike is compiled once, and shared. */
interface Shared {
  /** Of one list of scopes that the catalogue has, by the list. */
  readonly requirements: Map<string, Requirement>;
  /** Of one template over the names of a pattern, by both. */
  readonly resources: Map<string, readonly AllowListTemplate[]>;
}

export function compileRoutes(raw: RawPolicy, catalogue: Catalogue, faults: Faults): RoutePattern[] {
  const routes: RoutePattern[] = [];
  const shared: Shared = { requirements: new Map(), resources: new Map() };
  for (const [key, written] of Object.entries(raw.routes)) {
    const path = ["routes", key];
    const parsed = parseKey(key, raw.gateway.admin_path);
    if ("error" in parsed) {
      faults.add(path, parsed.error);
      continue;
    }
    const table = tableOf(written);
    const requirement = compileRequirement(
      table,
      typeof written === "object" && !Array.isArray(written),
      path,
      catalogue,
      shared,
      faults,
    );
    routes.push({
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
    });
    if (requirement.kind === "public" && table.max_token_age !== undefined) {
      faults.add([...path, "max_token_age"], "a public route looks at no token");
    }
  }
  return routes;
}

function parseKey(key: string, adminPath: string): { methods: string[]; pattern: Pattern } | { error: string } {
  const space = key.indexOf(" ");
  if (space < 0) return { error: 'a route\'s key is "METHODS PATTERN", as "GET /v1/charges"' };
  const methods = key.slice(0, space).split(",");
  for (const method of methods) {
    if (method === "*" && methods.length > 1) return { error: "* stands for every method and stands alone" };
    if (method !== "*" && !/^[A-Z][A-Z0-9!#$%&'+.^_`|~-]*$/.test(method)) {
      return { error: `"${method}" is not a method; write it in upper case, several with commas and no space` };
    }
  }
  if (methods.length > 1 && new Set(methods).size !== methods.length) return { error: "names a method twice" };
  const pattern = parsePattern(key.slice(space + 1));
  if ("error" in pattern) return pattern;
  if (isUnder(pattern.text, adminPath)) return { error: `no route lies under ${adminPath}` };
  if (isUnder(pattern.text, WELL_KNOWN)) return { error: `no route lies under ${WELL_KNOWN}` };
  return { methods, pattern };
}

function isUnder(text: string, reserved: string): boolean {
  return text.startsWith(reserved) && (text.length === reserved.length || text[reserved.length] === "/");
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
  const said = (["all", "any", "authenticated", "public"] as const).filter((key) => table[key] !== undefined);
  if (said.length !== 1) {
    const found = said.length === 0 ? "none of them" : said.join(" and ");
    faults.add(path, `needs exactly one of all, any, authenticated and public; found ${found}`);
  }
  if (table.public) return { kind: "public" };
  if (table.authenticated) return { kind: "authenticated" };

  const list = table.any === undefined ? (table.all ?? []).join(" ") : null;
  const known = list === null ? undefined : shared.requirements.get(list);
  if (known !== undefined) return known;
  const groups = table.any?.map((entry) => (typeof entry === "string" ? [entry] : entry)) ?? [table.all ?? []];
  const alternatives = groups.map((names, position): Alternative => {
    const place = [
      ...path,
      ...(isTable ? [table.any === undefined ? "all" : "any"] : []),
      ...(table.any === undefined ? [] : [position]),
    ];
    const scopes = [...new Set(names)].flatMap((name): Scope[] => {
      const scope = catalogue.byName.get(name);
      if (scope !== undefined && !isReserved(name)) return [scope];
      faults.add(
        place,
        isReserved(name)
          ? `"${name}" is the gateway's own and not for routes`
          : unknownScope(name, catalogue.byName.keys()),
      );
      return [];
    });
    return { scopes, header: scopes.map((scope) => scope.name).join(" ") };
  });
  const requirement: Requirement = { kind: "scopes", alternatives, names: [...new Set(groups.flat())] };
  // A list with a scope that is unknown is told at each route that has it.
  if (list !== null && alternatives[0]?.scopes.length === requirement.names.length) {
    shared.requirements.set(list, requirement);
  }
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
  const name = JSON.stringify([written, pattern.names, pattern.star]);
  const known = shared.resources.get(name);
  if (known !== undefined) return known;
  const templates = written.flatMap((text) => {
    const template = parseTemplate(text, pattern.names, pattern.star);
    if (!("error" in template)) return [template];
    faults.add([...path, "resource"], template.error);
    return [];
  });
  if (templates.length === written.length) shared.resources.set(name, templates);
  return templates;
}
