/** Which deprecated scopes let a call through, so that its answer can say so. */
import type { Alternative } from "./route.ts";
import { type Catalogue, has, isLeaving, reaches, type Scope, type ScopeGrant } from "./scope.ts";

const NONE: readonly Scope[] = [];

/**
 * The deprecated scopes that decided, and those without which a scope that decided would not have been granted: after a
 * scope has been renamed by `implies`, the holders of the old one hear of it. None for nearly every call.
 */
export function deprecatedScopes(catalogue: Catalogue, decided: Alternative, grant: ScopeGrant): readonly Scope[] {
  if (decided.scopes.every((scope) => has(grant.grantedByCurrent, scope))) return NONE;
  const leaving = new Set<Scope>();
  for (const scope of decided.scopes) {
    if (has(grant.grantedByCurrent, scope)) continue;
    for (const source of sourcesOf(catalogue, scope, grant)) leaving.add(source);
  }
  return [...leaving];
}

/** The scope itself among them, where it is leaving. */
function sourcesOf(catalogue: Catalogue, scope: Scope, grant: ScopeGrant): Scope[] {
  return catalogue.scopes.filter(
    (source) => isLeaving(source) && has(grant.granted, source) && reaches(catalogue, source, scope),
  );
}
