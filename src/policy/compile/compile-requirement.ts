/** Compiles what a route requires: scopes that exist, by exactly one of `all`, `any`, `authenticated` and `public`. */
import type { Faults, KeyPath } from "../faults.ts";
import type { RawRouteTable } from "../reading/schema-route.ts";
import type { Alternative, Requirement } from "../route.ts";
import { type Catalogue, isReserved, isWildcard, type Scope } from "../scope.ts";
import { noWildcard, unknownScope } from "./compile-scopes.ts";

/** `isTable`: whether the route's value is written as a table, not as a scope or a list of scopes. */
export type RequirementCompiler = (table: RawRouteTable, isTable: boolean, path: KeyPath) => Requirement;

/** A compiler for the requirements of one policy; routes that need the same single scope share one object. */
export function requirementCompiler(catalogue: Catalogue, faults: Faults): RequirementCompiler {
  const ofOneScope = new Map<string, Requirement>();
  /** Messages about scopes that the catalogue lacks, by name; cached, because the search for a near name is slow. */
  const unknown = new Map<string, string>();

  const scopesOf = (names: readonly string[], path: KeyPath): Scope[] =>
    [...new Set(names)].flatMap((name): Scope[] => {
      const scope = catalogue.byName.get(name);
      if (scope !== undefined && !isReserved(name)) return [scope];
      const text = unknown.get(name) ?? refusal(name, catalogue);
      unknown.set(name, text);
      faults.add(path, text);
      return [];
    });

  return (table, isTable, path) => {
    const { all, any } = table;
    const said = (["all", "any", "authenticated", "public"] as const).filter((key) => table[key] !== undefined);
    if (said.length !== 1) {
      const found = said.length === 0 ? "none of them" : said.join(" and ");
      faults.add(path, `needs exactly one of all, any, authenticated and public; found ${found}`);
    }
    if (table.public) return { kind: "public" };
    if (table.authenticated) return { kind: "authenticated" };
    const [only] = any === undefined && all?.length === 1 ? all : [];
    const known = only === undefined ? undefined : ofOneScope.get(only);
    if (known !== undefined) return known;

    const groups = any?.map((entry) => (typeof entry === "string" ? [entry] : entry)) ?? [all ?? []];
    const alternatives = groups.map((names, position): Alternative => {
      const key = any === undefined ? ["all"] : ["any", position];
      const scopes = scopesOf(names, isTable ? [...path, ...key] : path);
      return { scopes, header: scopes.map((scope) => scope.name).join(" ") };
    });
    const requirement: Requirement = { kind: "scopes", alternatives, names: [...new Set(groups.flat())] };
    // An unknown scope is not cached, so that every route that names it gets a fault.
    if (only !== undefined && alternatives[0]?.scopes.length === 1) ofOneScope.set(only, requirement);
    return requirement;
  };
}

function refusal(name: string, catalogue: Catalogue): string {
  if (isReserved(name)) return `"${name}" is the gateway's own and not for routes`;
  if (isWildcard(name)) return noWildcard(name, "a route");
  // The keys `public` and `authenticated`, written as if they were scopes.
  if (name === "public" || name === "authenticated") {
    return `${unknownScope(name, [])}, or did you mean { ${name} = true }?`;
  }
  return unknownScope(name, catalogue.byName.keys());
}
