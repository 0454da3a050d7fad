/** Compiles the catalogue and the bundles: their names must exist, and `implies` must have no cycle. */
import { compileConditions } from "../conditions/conditions.ts";
import { parseDuration } from "../duration.ts";
import type { Faults, KeyPath } from "../faults.ts";
import { closest } from "../near.ts";
import type { Bundle } from "../policy.ts";
import type { RawPolicy } from "../reading/schema.ts";
import { type Catalogue, catalogueOf, covers, isReserved, isScopeToken, isWildcard, type Scope } from "../scope.ts";

export function compileScopes(raw: RawPolicy, faults: Faults): Catalogue {
  const declared: Omit<Scope, "index">[] = [];
  for (const [name, scope] of Object.entries(raw.scopes)) {
    const path = ["scopes", name];
    if (!isScopeToken(name))
      faults.add(path, "is not a scope-token (RFC 6749 §3.3): printable ASCII without space, quote or backslash");
    if (isReserved(name)) faults.add(path, "names that begin with scopegate: are reserved");
    if (isWildcard(name)) faults.add(path, "a name in the catalogue does not end in a wildcard");
    for (const key of ["implies", "replaced_by"] as const) {
      for (const [position, other] of scope[key].entries()) {
        if (Object.hasOwn(raw.scopes, other)) continue;
        const text = isWildcard(other) ? noWildcard(other, key) : unknownScope(other, Object.keys(raw.scopes));
        faults.add([...path, key, position], text);
      }
    }
    const lifetime = scope.max_lifetime === undefined ? null : parseDuration(scope.max_lifetime);
    if (lifetime === 0) faults.add([...path, "max_lifetime"], "must be longer than 0s");
    declared.push({
      name,
      description: scope.description,
      owner: scope.owner,
      implies: scope.implies,
      maxLifetimeSeconds: lifetime,
      deprecatedAtSeconds: dateSeconds(scope.deprecated),
      sunsetAtSeconds: dateSeconds(scope.sunset),
      replacedBy: scope.replaced_by,
      conditions: compileConditions(scope),
      written: scope,
    });
  }
  addCycles(raw, faults);
  return catalogueOf(declared);
}

export function compileBundles(raw: RawPolicy, catalogue: Catalogue, faults: Faults): ReadonlyMap<string, Bundle> {
  const bundles = new Map<string, Bundle>();
  for (const [name, bundle] of Object.entries(raw.bundles)) {
    for (const [position, scope] of bundle.scopes.entries()) {
      checkGrantName(scope, ["bundles", name, "scopes", position], catalogue, { admin: true }, faults);
    }
    bundles.set(name, { name, description: bundle.description, scopes: [...new Set(bundle.scopes)] });
  }
  return bundles;
}

/** Checks a name in a bundle, `scope_map` or `legacy_scopes`: a catalogue scope, or a wildcard that covers one. */
export function checkGrantName(
  name: string,
  path: KeyPath,
  catalogue: Catalogue,
  options: { readonly admin: boolean },
  faults: Faults,
): void {
  if (isWildcard(name)) {
    if (name !== "*" && !catalogue.scopes.some((scope) => covers(name, scope.name)))
      faults.add(path, `the wildcard "${name}" covers no scope`);
  } else if (isReserved(name) && !options.admin) {
    faults.add(path, `"${name}" needs admin = true`);
  } else if (!catalogue.byName.has(name)) {
    faults.add(path, unknownScope(name, catalogue.byName.keys()));
  }
}

export function unknownScope(name: string, known: Iterable<string>): string {
  const near = closest(name, known);
  return `unknown scope "${name}"; ${near === null ? `declare it as [scopes."${name}"]` : `did you mean "${near}"?`}`;
}

/** The message for a wildcard where each scope must be named. `where`: the place, as the message calls it. */
export function noWildcard(name: string, where: string): string {
  return `"${name}" is a wildcard; ${where} names scopes one by one; wildcards stand in tokens, bundles and scope_map`;
}

/** How many names of a long cycle are shown; the others, in its middle, are counted. */
const NAMED_AT_MOST = 8;

/** Reports cycles where a search in file order enters them; not all that overlap. Iterative: chains may be long. */
function addCycles(raw: RawPolicy, faults: Faults): void {
  const done = new Set<string>();
  const impliedBy = (name: string): Iterator<string> => (raw.scopes[name]?.implies ?? []).values();
  for (const start of Object.keys(raw.scopes)) {
    if (done.has(start)) continue;
    const trail = [{ name: start, implied: impliedBy(start) }];
    const onTrail = new Set([start]);
    for (let last = trail.at(-1); last !== undefined; last = trail.at(-1)) {
      const { value: next, done: isOver } = last.implied.next();
      if (isOver) {
        trail.pop();
        onTrail.delete(last.name);
        done.add(last.name);
      } else if (onTrail.has(next)) {
        const names = trail.map(({ name }) => name);
        const cycle = names.slice(names.indexOf(next));
        faults.add(["scopes", next, "implies"], `is a cycle: ${chainOf([...cycle, next])}`);
      } else if (!done.has(next) && Object.hasOwn(raw.scopes, next)) {
        trail.push({ name: next, implied: impliedBy(next) });
        onTrail.add(next);
      }
    }
  }
}

function chainOf(names: readonly string[]): string {
  if (names.length <= NAMED_AT_MOST) return names.join(" → ");
  const half = NAMED_AT_MOST / 2;
  const between = `… ${names.length - NAMED_AT_MOST} more …`;
  return [...names.slice(0, half), between, ...names.slice(-half)].join(" → ");
}

function dateSeconds(date: string | undefined): number | null {
  return date === undefined ? null : Math.floor(Date.parse(date) / 1000);
}
