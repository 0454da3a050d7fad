/**
 * Which routes could answer in place of another: whether one pattern matches every path of another, and whether one
 * requirement allows callers whom another would refuse. For the checks only; decides no request.
 *
 * Errs on the side of "no": compares segment by segment, and misses covers that this does not show.
 */

import type { Alternative, Requirement, Route } from "../route.ts";
import { compareMixed, matchMixed, type Pattern, type Segment } from "../routing/pattern.ts";
import type { Catalogue } from "../scope.ts";

/** Whether every path of `narrow` is a path of `wide`. */
export function coversPattern(wide: Pattern, narrow: Pattern): boolean {
  return coversFrom(wide, 0, narrow, 0, narrow.star);
}

/** `star`: whether paths of `narrow` may continue below its last segment. */
function coversFrom(wide: Pattern, i: number, narrow: Pattern, j: number, star: boolean): boolean {
  const left = wide.segments[i];
  const right = narrow.segments[j];
  if (left === undefined) return wide.star || (right === undefined && !star);
  if (right === undefined) return false;
  if (left.kind !== "rest") return coversSegment(left, right) && coversFrom(wide, i + 1, narrow, j + 1, star);
  for (let next = j + 1; next <= narrow.segments.length; next++) {
    if (coversFrom(wide, i + 1, narrow, next, star)) return true;
  }
  return star && coversFrom(wide, i + 1, narrow, narrow.segments.length, false);
}

function coversSegment(wide: Segment, narrow: Segment): boolean {
  if (narrow.kind === "rest") return false;
  if (wide.kind === "name") return true;
  if (wide.kind === "literal") return narrow.kind === "literal" && narrow.text === wide.text;
  if (wide.kind !== "mixed") return false;
  if (narrow.kind === "literal") return matchMixed(wide.pieces, narrow.text, 0, narrow.text.length, []);
  return narrow.kind === "mixed" && compareMixed(wide.pieces, narrow.pieces) === 0;
}

/** Whether `route` answers `method` on the paths of its pattern. */
export function answers(route: Route, method: string): boolean {
  if (route.methods.includes("*") || route.methods.includes(method)) return true;
  return method === "HEAD" && route.methods.includes("GET");
}

/** Whether some method reaches both routes. */
export function shareMethod(first: Route, second: Route): boolean {
  if (first.methods.includes("*")) return true;
  return second.methods.includes("*") || second.methods.some((method) => answers(first, method));
}

/** Whether every caller that `from` allows, `to` allows too. Compares scopes only, not resources or conditions. */
export function lets(from: Requirement, to: Requirement, catalogue: Catalogue): boolean {
  if (to.kind === "public") return true;
  if (from.kind === "public") return false;
  if (to.kind === "authenticated") return true;
  if (from.kind === "authenticated") return false;
  return from.alternatives.every((held) => {
    const names = closure(catalogue, held);
    return to.alternatives.some((needed) => needed.scopes.every((scope) => names.has(scope.name)));
  });
}

/** The names of some scopes and of all that they imply. */
export function closure(catalogue: Catalogue, { scopes }: Pick<Alternative, "scopes">): ReadonlySet<string> {
  const names = new Set<string>();
  const queue = [...scopes];
  for (let scope = queue.pop(); scope !== undefined; scope = queue.pop()) {
    if (names.has(scope.name)) continue;
    names.add(scope.name);
    queue.push(...(catalogue.implied[scope.index] ?? []));
  }
  return names;
}
