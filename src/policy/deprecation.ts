/** Which deprecated scopes allowed a call, so that its response can say so. */
import type { Alternative } from "./route.ts";
import { type Catalogue, has, isLeaving, reaches, type Scope, type ScopeGrant } from "./scope.ts";

const NONE: readonly Scope[] = [];

/**
 * The leaving scopes (`isLeaving`) among those that allowed the call, and those through which alone one of these was
 * granted: where an old scope implies its replacement, its holders are warned too. Empty for nearly every call.
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

/** The leaving scopes held that reach `scope`; `scope` itself too, if it is leaving. */
function sourcesOf(catalogue: Catalogue, scope: Scope, grant: ScopeGrant): Scope[] {
  return catalogue.scopes.filter(
    (source) => isLeaving(source) && has(grant.granted, source) && reaches(catalogue, source, scope),
  );
}
