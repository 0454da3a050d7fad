/**
 * Recognises simple values that the schema would accept, with a few checks. Most values of a large policy are simple,
 * and the schema would test each for a dozen absent keys. `null` does not mean invalid: the schema must read the value.
 */
import type { RawPolicy } from "./schema.ts";
import type { RawRoute } from "./schema-route.ts";

type RawScope = RawPolicy["scopes"][string];

/** A route with one scope, or with scopes and perhaps one resource and nothing else. */
export function plainRoute(value: unknown): RawRoute | null {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return null;
  for (const key in value) if (key !== "all" && key !== "resource") return null;
  const { all, resource } = value as { readonly all?: unknown; readonly resource?: unknown };
  if (!Array.isArray(all) || all.length === 0 || !all.every((name) => typeof name === "string")) return null;
  // A new object, because the parser's objects are dictionaries, in which a look-up of an absent key is slow.
  if (resource === undefined) return { all };
  return typeof resource === "string" ? { all, resource } : null;
}

/** A scope with a description and an owner and nothing else. */
export function plainScope(value: unknown): RawScope | null {
  if (typeof value !== "object" || value === null) return null;
  for (const key in value) if (key !== "description" && key !== "owner") return null;
  const { description, owner } = value as { readonly description?: unknown; readonly owner?: unknown };
  return isText(description) && isText(owner) ? { description, owner, implies: [], replaced_by: [] } : null;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
