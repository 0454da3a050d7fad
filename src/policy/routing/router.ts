/**
 * Which route has this method and path: the most specific pattern that has the method, whatever the order of the file
 * (contract §2, "Routes"). Takes only canonical paths; never decodes them to match.
 *
 * Also refuses a path that, as the origin may read it (`fold.ts`), would match another route: an origin that takes
 * /Admin for /admin would serve one under the rules of the other. Paths and patterns are both folded, so that a route
 * written with capitals can be reached. Where two routes differ only in case, the lower-case spelling reaches the
 * lower-case route, and no other spelling reaches either; where neither is in lower case, only the first by key can be
 * reached.
 *
 * The gateway's own routes have a separate trie: no pattern of the operator matches at or below `admin_path` or
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
  /** `read`: the path as an origin may read it, which would match another route. */
  | { readonly kind: "ambiguous"; readonly read: string };

export interface Router {
  /** Finds the route of a canonical path. Values are slices of the path, in the pattern's order, the star's last. */
  readonly find: (method: string, path: string) => Found;
  /** All routes whose pattern matches, whatever their methods; for explanations. */
  readonly matching: (path: string) => readonly Route[];
  /** The operator's routes, in the order of the file. */
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
  /** Called for two routes with the same method and the same set of paths. */
  readonly onConflict: (first: Route, second: Route, method: string) => void;
}

/** Takes the operator's routes one by one, and keeps the pattern of none except where the trie must compare it. */
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

/** The trie of the operator's routes. Calls `onConflict` for routes that conflict. */
function operatorsTrie(
  operators: Iterable<RoutePattern>,
  fold: Fold,
  onConflict: RouterOptions["onConflict"],
): OperatorsTrie {
  const root = emptyNode();
  const routes: Route[] = [];
  let isFolded = false;
  /** By method and path set: the routes of the few patterns for which `hasOtherWords` holds. */
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
 * Adds routes that folding does not change first, so that of routes which differ only in case they keep the place in
 * the trie; among the others the key decides, never the order of the file.
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

/** Routes with their patterns, parsed again: they have been parsed without an error before. */
export function patternsOf(routes: readonly Route[]): RoutePattern[] {
  return routes.flatMap((route) => {
    const pattern = parsePattern(route.pattern);
    return "error" in pattern ? [] : [{ route, pattern }];
  });
}
