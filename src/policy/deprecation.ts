/**
 * What an answer says of the deprecated scopes that let its call through: `Deprecation` (RFC 9745) and `Sunset`
 * (RFC 8594).
 */
import type { Alternative } from "./policy.ts";
import { type Catalogue, has, isLeaving, reaches, type Scope, type ScopeGrant } from "./scope.ts";

/**
 * The headers, or `null` for nearly every call. A scope counts that decided and is deprecated itself, or that was
 * granted only by deprecated ones, which then count; of several the earliest dates are told.
 */
export function deprecationHeaders(
  catalogue: Catalogue,
  decided: Alternative,
  grant: ScopeGrant,
): [name: string, value: string][] | null {
  const old = decided.scopes.filter((scope) => !has(grant.grantedByCurrent, scope));
  if (old.length === 0) return null;
  const deprecated = new Set<Scope>();
  for (const scope of old) {
    if (isLeaving(scope)) deprecated.add(scope);
    else for (const source of sourcesOf(catalogue, scope, grant)) deprecated.add(source);
  }
  const since = earliest([...deprecated].map((scope) => scope.deprecatedAtSeconds));
  const sunset = earliest([...deprecated].map((scope) => scope.sunsetAtSeconds));
  const headers: [string, string][] = [];
  if (since !== null) headers.push(["Deprecation", `@${since}`]);
  if (sunset !== null) headers.push(["Sunset", new Date(sunset * 1000).toUTCString()]);
  return headers;
}

function sourcesOf(catalogue: Catalogue, scope: Scope, grant: ScopeGrant): Scope[] {
  return catalogue.scopes.filter(
    (source) => isLeaving(source) && has(grant.granted, source) && reaches(catalogue, source, scope),
  );
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}
