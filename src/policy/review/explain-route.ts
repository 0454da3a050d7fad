/** Why one route was chosen for a path, and why each other route whose pattern matches the path was not. */

import type { Policy } from "../policy.ts";
import type { Route } from "../route.ts";
import { compareSpecificity } from "../routing/pattern.ts";
import { patternsOf } from "../routing/router.ts";
import { answers } from "./cover.ts";

export interface Candidate {
  readonly route: string;
  readonly won: boolean;
  readonly why: string;
}

/** All routes whose pattern matches the path, the most specific first. `winner` is the one that the router found. */
export function candidatesOf(policy: Policy, method: string, path: string, winner: Route | null): Candidate[] {
  const matching = patternsOf(policy.router.matching(path)).sort((a, b) => compareSpecificity(a.pattern, b.pattern));
  return matching.map(({ route }) => {
    if (route === winner) return { route: route.key, won: true, why: whyItWon(method, matching.length, route) };
    if (!answers(route, method)) return { route: route.key, won: false, why: `does not have ${method}` };
    return {
      route: route.key,
      won: false,
      why: winner === null ? "is refused for the path's spelling" : difference(winner, route),
    };
  });
}

function whyItWon(method: string, count: number, route: Route): string {
  const asGet = method === "HEAD" && !route.methods.includes("HEAD") && route.methods.includes("GET");
  const why = count === 1 ? "is the only pattern that has the path" : `is the most specific pattern that has ${method}`;
  return asGet ? `${why}; its GET answers HEAD` : why;
}

/** The first difference, from the left, that makes `loser` less specific than `winner`. */
function difference(winner: Route, loser: Route): string {
  const left = segmentsOf(winner);
  const right = segmentsOf(loser);
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    if (withoutNames(left[at]) === withoutNames(right[at])) continue;
    return `is less specific: its segment ${at + 1} is ${quoted(right[at])}, not ${quoted(left[at])}`;
  }
  if (loser.methods.includes("*")) return "names no method, and a named method goes before *";
  return "does not name HEAD, and a named HEAD goes before GET";
}

function segmentsOf({ pattern }: Route): readonly string[] {
  return pattern === "/" ? [] : pattern.slice(1).split("/");
}

/** Removes names from a segment: segments that differ only in names match the same texts. */
function withoutNames(segment: string | undefined): string | undefined {
  return segment?.replace(/:[A-Za-z_][A-Za-z0-9_]*/g, ":");
}

function quoted(segment: string | undefined): string {
  return segment === undefined ? "nothing" : `"${segment}"`;
}
