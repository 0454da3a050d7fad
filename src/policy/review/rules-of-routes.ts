/** The rules of `scopegate check` about routes and their requirements. */
import type { Route } from "../route.ts";
import { type Pattern, parsePattern } from "../routing/pattern.ts";
import { answers, coversPattern, lets, shareMethod } from "./cover.ts";
import { oddMethod, WRITES } from "./method.ts";
import { whyUnreached } from "./reach.ts";
import { atRoute, listOf, type Rule } from "./rule.ts";

export const RULES_OF_ROUTES: readonly Rule[] = [
  {
    id: "SG103",
    severity: "warning",
    title: "A route that writes and needs no scope",
    why: "anybody, or anybody with a token of any kind, can change what lies behind it",
    mend: "let it need a scope that says what it changes",
    *find(policy) {
      for (const route of policy.routes) {
        if (route.requirement.kind === "scopes" || !WRITES.some((method) => answers(route, method))) continue;
        const who = route.requirement.kind === "public" ? "is public" : "asks for any token";
        yield atRoute(route, `"${route.key}" writes and ${who}`);
      }
    },
  },
  {
    id: "SG104",
    severity: "warning",
    title: "A wide route that asks for less than a narrower one under it",
    why: "a sibling of the narrow route that is forgotten, or misspelt, falls through to the wide one",
    mend: "let the wide route ask for as much, make it narrower, or map every call by itself",
    *find(policy) {
      const routes = policy.routes.map((route) => ({ route, pattern: patternOf(route) }));
      for (const wide of routes) {
        if (!isWide(wide.pattern) && !wide.route.methods.includes("*")) continue;
        const under = routes.filter(
          (narrow) =>
            narrow !== wide &&
            narrow.route.requirement.kind !== "public" &&
            coversPattern(wide.pattern, narrow.pattern) &&
            isNarrower(narrow, wide) &&
            shareMethod(wide.route, narrow.route) &&
            !lets(wide.route.requirement, narrow.route.requirement, policy.catalogue),
        );
        if (under.length === 0) continue;
        const keys = listOf(under.map(({ route }) => `"${route.key}"`));
        yield atRoute(wide.route, `"${wide.route.key}" lets in whom ${keys} would refuse`);
      }
    },
  },
  {
    id: "SG105",
    severity: "warning",
    title: "A path that can be written and not be read",
    why: "the read is forgotten, or another route that was not meant for it answers it",
    mend: "map its GET, or silence this for a path that only takes commands",
    *find(policy) {
      const readers = policy.routes.filter((route) => answers(route, "GET")).map(patternOf);
      for (const route of policy.routes) {
        if (answers(route, "GET") || !WRITES.some((method) => answers(route, method))) continue;
        const pattern = patternOf(route);
        if (readers.some((reader) => coversPattern(reader, pattern))) continue;
        yield atRoute(route, `"${route.key}" writes and no route reads ${route.pattern}`);
      }
    },
  },
  {
    id: "SG106",
    severity: "warning",
    title: "A wildcard route without a resource",
    why: "it needs an allow list of *:*, so tokens that are cut to some resources can never use it",
    mend: 'name what the star stands for (resource = "file:{*}"), or say that it touches none (resource = [])',
    *find(policy) {
      for (const route of policy.routes) {
        if (route.requirement.kind === "public" || route.resources !== null || !isWide(patternOf(route))) continue;
        yield atRoute(route, `"${route.key}" has a wildcard and names no resource`);
      }
    },
  },
  {
    id: "SG113",
    severity: "warning",
    title: "A method that nobody sends",
    why: "the route answers no call, and those that were meant for it are refused or fall on another",
    mend: 'write the methods as they are sent, several with commas ("GET,PUT")',
    *find(policy) {
      for (const route of policy.routes) {
        for (const method of route.methods) {
          const odd = oddMethod(method);
          if (odd !== null) yield atRoute(route, `"${route.key}": ${odd}`);
        }
      }
    },
  },
  {
    id: "SG114",
    severity: "warning",
    title: "A resource that takes a name to the letter",
    why: "every call asks for one and the same target, so no allow list can tell the resources apart",
    mend: 'write the name in braces (resource = "charge:{charge}")',
    *find(policy) {
      for (const route of policy.routes) {
        for (const { text, type } of route.resources ?? []) {
          const id = text.slice(type.length + 1);
          const meant = bracedNames(id, patternOf(route).names);
          if (!id.startsWith(":") && meant === id) continue;
          const hint = meant === id ? "" : `; did you mean "${type}:${meant}"?`;
          yield atRoute(route, `"${route.key}" takes "${text}" to the letter${hint}`);
        }
      }
    },
  },
  {
    id: "SG115",
    severity: "warning",
    title: "A route that no request can reach",
    why: "its calls are refused with ambiguous_path, whatever their token",
    mend: "remove it; or say encoded_slash = true on it, or case_sensitive_paths = true if the origin tells cases apart",
    *find(policy) {
      for (const route of policy.routes) {
        const why = whyUnreached(policy, route, patternOf(route));
        if (why !== null) yield atRoute(route, why);
      }
    },
  },
];

function patternOf(route: Route): Pattern {
  const pattern = parsePattern(route.pattern);
  if ("error" in pattern) throw new Error(`a loaded policy has the pattern ${route.pattern}: ${pattern.error}`);
  return pattern;
}

/** An id in which each `:name` that begins a segment and is a name of the pattern is written as `{name}`. */
function bracedNames(id: string, names: readonly string[]): string {
  return id.replace(/(^|\/):(\w+)/g, (written, before: string, name: string) =>
    names.includes(name) ? `${before}{${name}}` : written,
  );
}

function isWide(pattern: Pattern): boolean {
  return pattern.star || pattern.segments.some((segment) => segment.kind === "rest");
}

/** Given that `wide` covers `narrow`: whether `narrow` matches fewer paths, or the same paths for fewer methods. */
function isNarrower(narrow: { route: Route; pattern: Pattern }, wide: { route: Route; pattern: Pattern }): boolean {
  if (!coversPattern(narrow.pattern, wide.pattern)) return true;
  return wide.route.methods.includes("*") && !narrow.route.methods.includes("*");
}
