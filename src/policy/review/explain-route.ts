/** Why a route won a path: every other route whose pattern has the path too, and what sets it back. */

import type { Policy, Route } from "../policy.ts";
import { parsePattern, type Segment } from "../routing/pattern.ts";
import { answers } from "./cover.ts";

export interface Candidate {
  readonly route: string;
  readonly won: boolean;
  readonly why: string;
}

/** All routes whose pattern has the path, the most specific first. `winner` is what the router found. */
export function candidatesOf(policy: Policy, method: string, path: string, winner: Route | null): Candidate[] {
  const matching = policy.router.matching(path);
  const place = winner === null ? -1 : matching.indexOf(winner);
  return matching.map((route, position) => {
    if (route === winner) return { route: route.key, won: true, why: whyItWon(method, matching.length, route) };
    const hasMethod = answers(route, method);
    if (winner === null || position < place || !hasMethod) {
      return { route: route.key, won: false, why: hasMethod ? "is refused for its case" : `does not have ${method}` };
    }
    return { route: route.key, won: false, why: difference(winner, route) };
  });
}

function whyItWon(method: string, count: number, route: Route): string {
  const asGet = method === "HEAD" && !route.methods.includes("HEAD") && route.methods.includes("GET");
  const why = count === 1 ? "is the only pattern that has the path" : `is the most specific pattern that has ${method}`;
  return asGet ? `${why}; its GET answers HEAD` : why;
}

/** What makes `loser` less specific than `winner`, from the left. */
function difference(winner: Route, loser: Route): string {
  const left = segmentsOf(winner);
  const right = segmentsOf(loser);
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const mine = textOf(left[at]);
    const theirs = textOf(right[at]);
    if (rankOf(left[at]) === rankOf(right[at]) && (mine === theirs || rankOf(left[at]) === NAME_RANK)) continue;
    return `is less specific: its segment ${at + 1} is ${theirs}, not ${mine}`;
  }
  return "names no method, and a named method goes before *";
}

const NAME_RANK = 2;
type Place = Segment | { readonly kind: "star" };

function segmentsOf(route: Route): { readonly place: Place; readonly text: string }[] {
  const pattern = parsePattern(route.pattern);
  if ("error" in pattern) return [];
  const texts = pattern.text === "/" ? [] : pattern.text.slice(1).split("/");
  return texts.map((text, at) => ({ place: pattern.segments[at] ?? { kind: "star" as const }, text }));
}

function textOf(segment: { readonly text: string } | undefined): string {
  return segment === undefined ? "nothing" : `"${segment.text}"`;
}

function rankOf(segment: { readonly place: Place } | undefined): number {
  if (segment === undefined) return -1;
  return ["literal", "mixed", "name", "rest", "star"].indexOf(segment.place.kind);
}
