/**
 * The routes as a trie over path segments. A look-up goes down the most specific branch first (literal, mixed segment,
 * `:name`, `:name+`, `/*`) and comes back where that branch lacks the method, so what it finds first is the most
 * specific pattern that has it. Only below a `:name+`, which may be of any length, does it try all of them and compare
 * what it finds. Each place of the trie is tried at most once for each segment of the path.
 */

import type { Route } from "../route.ts";
import { compareMixed, compareSpecificity, hasRest, matchMixed, type Pattern, type Piece } from "./pattern.ts";

export interface RouteMatch {
  readonly kind: "found";
  readonly route: Route;
  readonly values: readonly string[];
}

export interface TrieNode {
  /** `null` where there are none, as at most places of a large policy. */
  literals: Map<string, TrieNode> | null;
  /** The most specific first. */
  mixed: readonly { readonly pieces: readonly Piece[]; readonly node: TrieNode }[];
  name: TrieNode | null;
  /** Below one or more segments. */
  rest: TrieNode | null;
  /** The pattern ends here. */
  end: Leaf | null;
  /** The pattern ends here in a star. */
  star: Leaf | null;
}

interface Leaf {
  /** Of the first route that ends here; the others' differ in names only. `null` but below a `:name+`, where it is compared. */
  readonly pattern: Pattern | null;
  /** Few: a search from the left is quicker than a map, and lighter by far. */
  methods: readonly MethodMatch[];
  any: RouteMatch | null;
}

interface MethodMatch extends RouteMatch {
  readonly method: string;
}

/** One look-up: what it looks for and what it has found out. */
interface Search {
  readonly path: string;
  readonly method: string;
  /** Past the last character that counts: a trailing slash does not. */
  readonly end: number;
  readonly values: string[];
  /** From which place on a `:name+` has already been followed, by node; keeps several of them from multiplying. */
  followed: Map<TrieNode, number> | null;
  /** The pattern of what `walk` found last. */
  pattern: Pattern | null;
  /** Set where every leaf is asked for, not the first. */
  readonly visit: ((leaf: Leaf) => void) | null;
}

const NO_VALUES: readonly string[] = [];
const NO_MIXED: TrieNode["mixed"] = [];
const NO_METHODS: Leaf["methods"] = [];

export function emptyNode(): TrieNode {
  return { literals: null, mixed: NO_MIXED, name: null, rest: null, end: null, star: null };
}

/** Adds a route. The first of two that end at one place with one method stays, and `onConflict` hears of it. */
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

/** `start` is the first character of the next segment; past the end of the path there is none. */
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
 * Tries one segment for `:name+`, then two, and so on, and takes the most specific of what it finds; of equals the
 * first, as a name takes as little as it can. What was followed before, from a shorter outer `:name+`, was followed to
 * the path's end and has nothing to add: so each place is looked at once, however many `:name+` lie around it.
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

/** A named method goes before `*`, and `GET` answers `HEAD` where `HEAD` itself is not named. */
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
