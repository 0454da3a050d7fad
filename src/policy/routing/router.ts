/**
 * Which route has this method and path: the most specific pattern that has the method, whatever the order of the file
 * (contract §2, "Routes"). Takes only canonical paths; never decodes.
 *
 * Besides, refuses a path that falls on another route as the origin may read it (`fold.ts`): one that does not tell
 * /Admin from /admin would serve the one under the rule of the other. Both sides are folded, so that a route that is itself
 * written with capitals can be reached; where two routes differ in nothing but their case, the lower-case spelling reaches
 * the lower-case one and no other spelling reaches either. Where none of them is in lower case, the first by its key can be
 * reached, and only that.
 *
 * The gateway's own paths lie in a trie of their own: no pattern of the operator's reaches below `admin_path` or
 * `/.well-known`.
 */

import type { Route } from "../route.ts";
import { isUnder, WELL_KNOWN } from "./built-in-routes.ts";
import { type Fold, foldCase, foldEscapes, foldedPattern, foldsPattern } from "./fold.ts";
import { hasOtherWords, type Pattern, parsePattern, pathSet } from "./pattern.ts";
import { addToTrie, allowedMethods, emptyNode, findInTrie, type RouteMatch, type TrieNode } from "./trie.ts";

export type Found =
  | RouteMatch
  | { readonly kind: "not_found" }
  | { readonly kind: "method_not_allowed"; readonly allow: readonly string[] }
  /** `read`: the spelling in which an origin may read the path, which falls on another route. */
  | { readonly kind: "ambiguous"; readonly read: string };

export interface Router {
  /** Finds the route of a canonical path. Values are slices of the path, in the pattern's order, the star's last. */
  readonly find: (method: string, path: string) => Found;
  /** The keys of all routes whose pattern matches, whatever their method; for explanations. */
  readonly matching: (path: string) => readonly Route[];
  /** The operator's, in the order in which they came. */
  readonly routes: readonly Route[];
}

export interface RoutePattern {
  readonly route: Route;
  readonly pattern: Pattern;
}

const NOT_FOUND: Found = { kind: "not_found" };

export interface RouterOptions {
  readonly adminPath: string;
  readonly caseSensitivePaths: boolean;
  /** Called for two routes that say the same method and the same set of paths. */
  readonly onConflict: (first: Route, second: Route, method: string) => void;
}

/** Takes the operator's routes one by one and keeps none of their patterns but where one is compared. */
export function createRouter(
  operators: Iterable<RoutePattern>,
  builtIn: readonly RoutePattern[],
  options: RouterOptions,
): Router {
  const own = emptyNode();
  for (const { route, pattern } of builtIn) addToTrie(own, pattern, route);
  const fold = options.caseSensitivePaths ? foldEscapes : foldCase;
  const { root, routes, isFolded } = operatorsTrie(operators, fold, options.onConflict);
  // A policy without capitals and escapes is its own folded form.
  const folded = isFolded ? foldedTrie(routes, fold) : root;

  const isReserved = (path: string): boolean => isUnder(path, options.adminPath) || isUnder(path, WELL_KNOWN);

  const find = (method: string, path: string): Found => {
    if (isReserved(path)) return findInTrie(own, method, path) ?? missing(own, path);
    const match = findInTrie(root, method, path);
    if (match === null) return missing(root, path);
    const read = fold(path);
    if (read !== path || isFolded) {
      if (isReserved(read)) return { kind: "ambiguous", read };
      const other = findInTrie(folded, method, read);
      if (other !== null && other.route !== match.route) return { kind: "ambiguous", read };
    }
    return match;
  };
  const matching = (path: string): Route[] => {
    const found = new Set<Route>();
    for (const leaf of leavesOf(isReserved(path) ? own : root, path)) found.add(leaf);
    return [...found];
  };
  return { find, matching, routes };
}

interface OperatorsTrie {
  readonly root: TrieNode;
  readonly routes: readonly Route[];
  /** Whether folding changes any of their patterns. */
  readonly isFolded: boolean;
}

/** The trie of the operator's routes, whose conflicts are told. */
function operatorsTrie(
  operators: Iterable<RoutePattern>,
  fold: Fold,
  onConflict: RouterOptions["onConflict"],
): OperatorsTrie {
  const root = emptyNode();
  const routes: Route[] = [];
  let isFolded = false;
  /** By method and paths: of the few patterns that can say in other words what another says. */
  const seen = new Map<string, Route>();
  for (const { route, pattern } of operators) {
    routes.push(route);
    isFolded ||= foldsPattern(fold, pattern);
    if (!hasOtherWords(pattern)) {
      addToTrie(root, pattern, route, onConflict);
      continue;
    }
    const set = pathSet(pattern);
    for (const method of route.methods) {
      const first = seen.get(`${method} ${set}`);
      if (first === undefined) seen.set(`${method} ${set}`, route);
      else onConflict(first, route, method);
    }
    addToTrie(root, pattern, route);
  }
  return { root, routes, isFolded };
}

function missing(root: TrieNode, path: string): Found {
  const allow = allowedMethods(root, path);
  return allow.length === 0 ? NOT_FOUND : { kind: "method_not_allowed", allow };
}

function leavesOf(root: TrieNode, path: string): Route[] {
  const routes: Route[] = [];
  allowedMethods(root, path, (route) => routes.push(route));
  return routes;
}

/**
 * Folded spellings first, so that where two routes differ only in case, theirs is the place in the trie; among others
 * the key decides, never the order of the file.
 */
function foldedTrie(routes: readonly Route[], fold: Fold): TrieNode {
  const root = emptyNode();
  const changed: RoutePattern[] = [];
  for (const { route, pattern } of patternsOf(routes)) {
    if (foldsPattern(fold, pattern)) changed.push({ route, pattern: foldedPattern(fold, pattern) });
    else addToTrie(root, pattern, route);
  }
  changed.sort((a, b) => (a.route.key < b.route.key ? -1 : 1));
  for (const { route, pattern } of changed) addToTrie(root, pattern, route);
  return root;
}

/** Routes with their patterns, which have been parsed before. */
export function patternsOf(routes: readonly Route[]): RoutePattern[] {
  return routes.flatMap((route) => {
    const pattern = parsePattern(route.pattern);
    return "error" in pattern ? [] : [{ route, pattern }];
  });
}
