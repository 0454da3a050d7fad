/**
 * The routes as a trie over path segments. A look-up takes the most specific branch first (literal, mixed segment,
 * `:name`, `:name+`, `/*`) and backtracks where it does not lead to the method, so that the first match is the most
 * specific pattern that has the method. Only for a `:name+`, which may take any number of segments, does it try every
 * number and compare the matches. Each node is tried at most once for each segment of the path.
 */

import type { Route } from "../route.ts";
import { compareMixed, compareSpecificity, hasRest, matchMixed, type Pattern, type Piece } from "./pattern.ts";

export interface RouteMatch {
  readonly kind: "found";
  readonly route: Route;
  readonly values: readonly string[];
}

export interface TrieNode {
  /** `null` where there are none, as in most nodes of a large policy. */
  literals: Map<string, TrieNode> | null;
  /** The most specific first. */
  mixed: readonly { readonly pieces: readonly Piece[]; readonly node: TrieNode }[];
  name: TrieNode | null;
  /** The node below a `:name+`. */
  rest: TrieNode | null;
  /** The patterns that end here. */
  end: Leaf | null;
  /** The patterns that end here in a star. */
  star: Leaf | null;
}

interface Leaf {
  /** The first route's pattern; the others differ only in names. `null` unless it has a `:name+` and is compared. */
  readonly pattern: Pattern | null;
  /** An array, because there are few: a linear search is faster than a map and takes far less memory. */
  methods: readonly MethodMatch[];
  any: RouteMatch | null;
}

interface MethodMatch extends RouteMatch {
  readonly method: string;
}

/** The state of one look-up. */
interface Search {
  readonly path: string;
  readonly method: string;
  /** The end of the path, without a trailing slash. */
  readonly end: number;
  readonly values: string[];
  /** By `:name+` node: the index from which it was followed already; keeps nested ones from multiplying the work. */
  followed: Map<TrieNode, number> | null;
  /** The pattern of the last match of `walk`. */
  pattern: Pattern | null;
  /** Set where every matching leaf is wanted, not only the first. */
  readonly visit: ((leaf: Leaf) => void) | null;
}

const NO_VALUES: readonly string[] = [];
const NO_MIXED: TrieNode["mixed"] = [];
const NO_METHODS: Leaf["methods"] = [];

export function emptyNode(): TrieNode {
  return { literals: null, mixed: NO_MIXED, name: null, rest: null, end: null, star: null };
}

/** Adds a route. Of two with the same place and method, the first stays, and `onConflict` is called. */
export function addToTrie(
  root: TrieNode,
  pattern: Pattern,
  route: Route,
  onConflict?: (first: Route, second: Route, method: string) => void,
): void {
  let node = root;
  for (const segment of pattern.segments) {
    if (segment.kind === "literal") {
      node.literals ??= new Map();
      let next = node.literals.get(segment.text);
      if (next === undefined) {
        next = emptyNode();
        node.literals.set(segment.text, next);
      }
      node = next;
    } else if (segment.kind === "mixed") node = mixedChild(node, segment.pieces);
    else {
      node[segment.kind] ??= emptyNode();
      node = node[segment.kind] as TrieNode;
    }
  }
  const place = pattern.star ? "star" : "end";
  node[place] ??= { pattern: hasRest(pattern) ? pattern : null, methods: NO_METHODS, any: null };
  const leaf: Leaf = node[place];
  for (const method of route.methods) {
    const match: MethodMatch = { kind: "found", route, values: NO_VALUES, method };
    const first = method === "*" ? leaf.any : named(leaf, method);
    if (first) onConflict?.(first.route, route, method);
    else if (method === "*") leaf.any = match;
    else leaf.methods = [...leaf.methods, match];
  }
}

/** The most specific route that has the method, or `null`. */
export function findInTrie(root: TrieNode, method: string, path: string): RouteMatch | null {
  const search: Search = { path, method, end: endOf(path), values: [], followed: null, pattern: null, visit: null };
  const match = walk(root, 1, search);
  if (match === null || search.values.length === 0) return match;
  return { kind: "found", route: match.route, values: search.values };
}

/** The methods of all patterns that match the path, sorted; `HEAD` wherever `GET` is. */
export function allowedMethods(root: TrieNode, path: string, visitRoute?: (route: Route) => void): string[] {
  const methods = new Set<string>();
  const visit = (leaf: Leaf): void => {
    for (const { method, route } of leaf.methods) {
      methods.add(method);
      if (method === "GET") methods.add("HEAD");
      visitRoute?.(route);
    }
    if (leaf.any !== null) visitRoute?.(leaf.any.route);
  };
  walk(root, 1, { path, method: "", end: endOf(path), values: [], followed: null, pattern: null, visit });
  return [...methods].sort();
}

function endOf(path: string): number {
  return path.length > 1 && path.endsWith("/") ? path.length - 1 : path.length;
}

/** `start`: the index of the next segment; at the end of the path or beyond, there is none. */
function walk(node: TrieNode, start: number, search: Search): RouteMatch | null {
  if (start >= search.end) {
    const ends = (node.end && answer(node.end, search)) ?? null;
    if (ends !== null) return ends;
    return node.star === null ? null : starAnswer(node.star, "", search);
  }
  const { path, values } = search;
  const slash = path.indexOf("/", start);
  const end = slash < 0 || slash > search.end ? search.end : slash;
  const before = values.length;

  if (node.literals !== null) {
    const literal = node.literals.get(path.slice(start, end));
    const match = literal === undefined ? null : walk(literal, end + 1, search);
    if (match !== null) return match;
  }
  for (const { pieces, node: child } of node.mixed) {
    if (!matchMixed(pieces, path, start, end, values)) continue;
    const match = walk(child, end + 1, search);
    if (match !== null) return match;
    values.length = before;
  }
  if (node.name !== null) {
    values.push(path.slice(start, end));
    const match = walk(node.name, end + 1, search);
    if (match !== null) return match;
    values.length = before;
  }
  if (node.rest !== null) {
    const match = walkRest(node.rest, start, end, search);
    if (match !== null) return match;
    values.length = before;
  }
  return node.star === null ? null : starAnswer(node.star, path.slice(start, search.end), search);
}

/**
 * Tries one segment for `:name+`, then two, and so on, and takes the most specific match; of equally specific ones the
 * first, since a name takes as little as it can. Where this node was followed before, for a shorter value of an outer
 * `:name+`, the search stops, since it went to the path's end then: so nested `:name+` do not multiply the work.
 */
function walkRest(node: TrieNode, start: number, firstEnd: number, search: Search): RouteMatch | null {
  search.followed ??= new Map();
  const followedFrom = search.followed.get(node) ?? Number.POSITIVE_INFINITY;
  if (firstEnd < followedFrom) search.followed.set(node, firstEnd);
  const { values } = search;
  const before = values.length;
  let best: RouteMatch | null = null;
  let bestPattern: Pattern | null = null;
  let bestValues: string[] = [];
  for (let end = firstEnd; end < followedFrom; ) {
    values.push(search.path.slice(start, end));
    const match = walk(node, end + 1, search);
    if (
      match !== null &&
      (bestPattern === null || compareSpecificity(search.pattern ?? bestPattern, bestPattern) < 0)
    ) {
      best = match;
      bestPattern = search.pattern;
      bestValues = values.slice(before);
    }
    values.length = before;
    if (end >= search.end) break;
    const slash = search.path.indexOf("/", end + 1);
    end = slash < 0 || slash > search.end ? search.end : slash;
  }
  values.push(...bestValues);
  search.pattern = bestPattern;
  return best;
}

function starAnswer(leaf: Leaf, value: string, search: Search): RouteMatch | null {
  const match = answer(leaf, search);
  if (match !== null) search.values.push(value);
  return match;
}

/** A named method is preferred to `*`; `GET` answers `HEAD` where `HEAD` itself is not named. */
function answer(leaf: Leaf, search: Search): RouteMatch | null {
  if (search.visit !== null) {
    search.visit(leaf);
    return null;
  }
  search.pattern = leaf.pattern;
  const match = named(leaf, search.method) ?? (search.method === "HEAD" ? named(leaf, "GET") : null);
  return match ?? leaf.any;
}

function named(leaf: Leaf, method: string): RouteMatch | null {
  for (const match of leaf.methods) if (match.method === method) return match;
  return null;
}

function mixedChild(node: TrieNode, pieces: readonly Piece[]): TrieNode {
  const known = node.mixed.find((child) => compareMixed(child.pieces, pieces) === 0);
  if (known !== undefined) return known.node;
  const child = { pieces, node: emptyNode() };
  node.mixed = [...node.mixed, child].sort((a, b) => compareMixed(a.pieces, b.pieces));
  return child.node;
}
