/** Which scopes a route needs: names that exist, in exactly one of the ways to say so. */
import type { Faults, KeyPath } from "../faults.ts";
import type { RawRouteTable } from "../reading/schema-route.ts";
import type { Alternative, Requirement } from "../route.ts";
import { type Catalogue, isReserved, isWildcard, type Scope } from "../scope.ts";
import { noWildcard, unknownScope } from "./compile-scopes.ts";

/** `isTable`: whether the route was written as one, and not as its scopes alone. */
export type RequirementCompiler = (table: RawRouteTable, isTable: boolean, path: KeyPath) => Requirement;

/** Compiles the requirements of one policy; what asks for one and the same scope is one object. */
export function requirementCompiler(catalogue: Catalogue, faults: Faults): RequirementCompiler {
  const ofOneScope = new Map<string, Requirement>();
  /** What is said of a scope that the catalogue lacks: the search for what was meant takes its time. */
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
    // One that is unknown is told at each route that has it.
    if (only !== undefined && alternatives[0]?.scopes.length === 1) ofOneScope.set(only, requirement);
    return requirement;
  };
}

function refusal(name: string, catalogue: Catalogue): string {
  if (isReserved(name)) return `"${name}" is the gateway's own and not for routes`;
  if (isWildcard(name)) return noWildcard(name, "a route");
  // The two requirements that are no scopes, where somebody wrote them as one.
  if (name === "public" || name === "authenticated") {
    return `${unknownScope(name, [])}, or did you mean { ${name} = true }?`;
  }
  return unknownScope(name, catalogue.byName.keys());
}
