/**
 * What a list of scopes grants, computed once and shared by all tokens with the same list.
 *
 * Guarantees: bounded; a grant is never returned after its `goodUntilSeconds` (the next sunset).
 */
import { type Catalogue, grantOf, has, type ScopeGrant } from "../policy/scope.ts";

export interface ListGrant {
  readonly grant: ScopeGrant;
  readonly scopes: readonly string[];
  /** The least `max_lifetime` among the scopes that are granted; `Infinity` where none has one. */
  readonly maxLifetimeSeconds: number;
}

const MAX_LISTS = 2_000;
const MAX_LIST_LENGTH = 4_096;
/** Of all lists together, in characters; an entry takes up to eight times the length of its list in memory. */
const MAX_LENGTH = 1_000_000;

/** Returns a function from the scopes in force (`scopesOf`) to what they grant at a time. Callers must not change its result. */
export function grantsUnder(catalogue: Catalogue): (scopes: readonly string[], nowSeconds: number) => ListGrant {
  const known = new Map<string, ListGrant>();
  let length = 0;
  return (scopes, nowSeconds) => {
    // Unambiguous: a scope-token contains no space (RFC 6749 §3.3).
    const name = scopes.join(" ");
    const found = known.get(name);
    if (found !== undefined && nowSeconds < found.grant.goodUntilSeconds) return found;

    const grant = grantOf(catalogue, scopes, { wildcards: true, admin: true }, nowSeconds);
    let maxLifetimeSeconds = Number.POSITIVE_INFINITY;
    for (const scope of catalogue.scopes) {
      if (scope.maxLifetimeSeconds !== null && has(grant.granted, scope)) {
        maxLifetimeSeconds = Math.min(maxLifetimeSeconds, scope.maxLifetimeSeconds);
      }
    }
    const computed = { grant, scopes, maxLifetimeSeconds };
    if (name.length > MAX_LIST_LENGTH) return computed;
    if (known.size >= MAX_LISTS || length + name.length > MAX_LENGTH) {
      known.clear();
      length = 0;
    }
    known.set(name, computed);
    length += name.length;
    return computed;
  };
}
