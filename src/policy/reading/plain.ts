/**
 * Values that the schema takes as they are, told by a few looks. Most of a large policy is such, and the schema would ask each
 * of them for a dozen keys that it lacks. `null` says nothing against a value; it is the schema's to read.
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
  // Another object: what the parser makes is a dictionary, slow to ask for the keys that it lacks.
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
