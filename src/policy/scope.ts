/**
 * Scopes: the catalogue that the policy declares, and what the scopes in a token grant under it.
 *
 * A grant is computed once per token, over the whole catalogue, as two bit sets; to test a scope takes an index and a
 * mask. Since scopes have sunsets, a grant says until when it is valid.
 * Leaves to `token/`: which claim the scopes come from, and which issuer may use wildcards or `scopegate:` scopes.
 */
import type { Conditions } from "./conditions/conditions.ts";
import type { RawPolicy } from "./reading/schema.ts";

export interface Scope {
  readonly name: string;
  /** Position in the catalogue's bit sets. */
  readonly index: number;
  readonly description: string;
  readonly owner: string;
  /** Direct implications, as written in the policy; a grant follows them transitively. */
  readonly implies: readonly string[];
  readonly maxLifetimeSeconds: number | null;
  readonly deprecatedAtSeconds: number | null;
  readonly sunsetAtSeconds: number | null;
  readonly replacedBy: readonly string[];
  readonly conditions: Conditions | null;
  /** Its table as written in the policy, for display; the built-in scopes have none. */
  readonly written?: RawPolicy["scopes"][string];
}

export interface Catalogue {
  /** By index; the built-in `scopegate:` scopes come first. */
  readonly scopes: readonly Scope[];
  readonly byName: ReadonlyMap<string, Scope>;
  /** By index: the scopes that the scope names in `implies`. */
  readonly implied: readonly (readonly Scope[])[];
  /** All sunset times, ascending, in seconds. */
  readonly sunsets: readonly number[];
}

/** What a token's scopes grant under one catalogue at one time. */
export interface ScopeGrant {
  /** A bit per scope, by `Scope.index`; 32 per word. */
  readonly granted: Uint32Array;
  /** Those granted by a scope of the token that is not leaving (`isLeaving`), and not leaving themselves. */
  readonly grantedByCurrent: Uint32Array;
  /** From this second on the grant must be computed again: the next sunset; `Infinity` where there is none. */
  readonly goodUntilSeconds: number;
}

export interface GrantOptions {
  /** Whether a trailing `*` is a wildcard. */
  readonly wildcards: boolean;
  /** Whether `scopegate:` scopes count. */
  readonly admin: boolean;
}

/** The gateway's own scopes (contract §5). No wildcard covers them. */
export const BUILT_IN_SCOPES = [
  {
    name: "scopegate:admin",
    description: "All of the gateway's administration",
    implies: ["scopegate:read", "scopegate:tokens"],
  },
  { name: "scopegate:read", description: "See all of the gateway's administration, change nothing", implies: [] },
  { name: "scopegate:tokens", description: "Issue, list and revoke one's own tokens", implies: [] },
] as const;

const RESERVED_PREFIX = "scopegate:";

export function isReserved(name: string): boolean {
  return name.startsWith(RESERVED_PREFIX);
}

/** An RFC 6749 §3.3 scope-token. */
export function isScopeToken(name: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name);
}

/** Whether `name` ends in a wildcard: `*`, `charges:*` or `charges.*`. */
export function isWildcard(name: string): boolean {
  return name === "*" || name.endsWith(":*") || name.endsWith(".*");
}

/** Whether a wildcard covers a scope's name. No wildcard covers a reserved name. */
export function covers(wildcard: string, name: string): boolean {
  return !isReserved(name) && name.startsWith(wildcard.slice(0, -1));
}

/** Builds the catalogue from the policy's scopes, whose `implies` must name only declared scopes and form no cycle. */
export function catalogueOf(declared: readonly Omit<Scope, "index">[]): Catalogue {
  const scopes: Scope[] = [];
  for (const { name, description, implies } of BUILT_IN_SCOPES)
    scopes.push(builtIn(name, description, implies, scopes.length));
  for (const scope of declared) scopes.push({ ...scope, index: scopes.length });

  const byName = new Map(scopes.map((scope) => [scope.name, scope]));
  const sunsets = new Set<number>();
  for (const scope of scopes) if (scope.sunsetAtSeconds !== null) sunsets.add(scope.sunsetAtSeconds);
  return {
    scopes,
    byName,
    implied: scopes.map((scope) => scope.implies.flatMap((name) => byName.get(name) ?? [])),
    sunsets: [...sunsets].sort((a, b) => a - b),
  };
}

/**
 * What `names` grant at `nowSeconds`. Unknown names grant nothing and are no error. A scope past its sunset is not
 * granted by anything, and grants nothing that it implies.
 */
export function grantOf(
  catalogue: Catalogue,
  names: readonly string[],
  options: GrantOptions,
  nowSeconds: number,
): ScopeGrant {
  const words = (catalogue.scopes.length + 31) >>> 5;
  const granted = new Uint32Array(words);
  const current = new Uint32Array(words);

  const add = (source: Scope): void => {
    spread(catalogue, source, granted, nowSeconds);
    if (!isLeaving(source)) spread(catalogue, source, current, nowSeconds);
  };
  for (const name of new Set(names)) {
    if (options.wildcards && isWildcard(name)) {
      for (const scope of catalogue.scopes) if (covers(name, scope.name)) add(scope);
      continue;
    }
    const scope = catalogue.byName.get(name);
    if (scope !== undefined && (options.admin || !isReserved(name))) add(scope);
  }
  for (const scope of catalogue.scopes) if (isLeaving(scope)) clearBit(current, scope.index);
  const goodUntilSeconds = catalogue.sunsets.find((sunset) => sunset > nowSeconds) ?? Number.POSITIVE_INFINITY;
  return { granted, grantedByCurrent: current, goodUntilSeconds };
}

export function has(set: Uint32Array, scope: Scope): boolean {
  return (((set[scope.index >>> 5] ?? 0) >>> (scope.index & 31)) & 1) === 1;
}

/** The names in a set, in the catalogue's order. */
export function namesIn(catalogue: Catalogue, set: Uint32Array): string[] {
  return catalogue.scopes.filter((scope) => has(set, scope)).map((scope) => scope.name);
}

/** Whether the scope is deprecated or has a sunset, past or to come. */
export function isLeaving(scope: Scope): boolean {
  return scope.deprecatedAtSeconds !== null || scope.sunsetAtSeconds !== null;
}

/** Whether `from` implies `to`, transitively. */
export function reaches(catalogue: Catalogue, from: Scope, to: Scope): boolean {
  const seen = new Uint32Array((catalogue.scopes.length + 31) >>> 5);
  spread(catalogue, from, seen, Number.NEGATIVE_INFINITY);
  return has(seen, to);
}

/** Whether the scope's sunset has been reached: nothing grants it, and it grants nothing. */
export function isPastSunset(scope: Scope, nowSeconds: number): boolean {
  return scope.sunsetAtSeconds !== null && scope.sunsetAtSeconds <= nowSeconds;
}

function setBit(set: Uint32Array, index: number): void {
  set[index >>> 5] = (set[index >>> 5] ?? 0) | (1 << (index & 31));
}

function clearBit(set: Uint32Array, index: number): void {
  set[index >>> 5] = (set[index >>> 5] ?? 0) & ~(1 << (index & 31));
}

/** Whether `name`, a scope or wildcard in a token of this gateway, grants any scope at `nowSeconds`. */
export function grantsAny(catalogue: Catalogue, name: string, nowSeconds: number): boolean {
  const { granted } = grantOf(catalogue, [name], { wildcards: true, admin: true }, nowSeconds);
  return granted.some((word) => word !== 0);
}

/** Marks a scope and what it implies, transitively. Does not follow implications through a scope past its sunset. */
function spread(catalogue: Catalogue, scope: Scope, into: Uint32Array, nowSeconds: number): void {
  // Not recursive, because a chain may be as long as the catalogue.
  const open = [scope];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (has(into, next) || isPastSunset(next, nowSeconds)) continue;
    setBit(into, next.index);
    for (const implied of catalogue.implied[next.index] ?? []) open.push(implied);
  }
}

function builtIn(name: string, description: string, implies: readonly string[], index: number): Scope {
  return {
    name,
    index,
    description,
    owner: "scopegate",
    implies,
    maxLifetimeSeconds: null,
    deprecatedAtSeconds: null,
    sunsetAtSeconds: null,
    replacedBy: [],
    conditions: null,
  };
}
