/**
 * Runs the schema on a parsed policy, without the simple values that it would accept (`plain.ts`), and checks what the
 * schema cannot: names that no record may have, and lists and dates in place of a table.
 */
import * as v from "valibot";
import type { Faults, KeyPath } from "../faults.ts";
import type { PolicyDocument, WrittenRoutes } from "./document.ts";
import { plainRoute, plainScope } from "./plain.ts";
import { policySchema, type RawPolicy } from "./schema.ts";
import type { RawRoute } from "./schema-route.ts";
import { isNoTable, isTable } from "./table.ts";

export interface Shaped {
  readonly raw: RawPolicy;
  readonly routes: WrittenRoutes<RawRoute>;
}

/** What the schema makes of a document; `null` where it refuses it. Does not show the schema values that are plain. */
export function shapedOf({ table, routes }: PolicyDocument): Shaped | null {
  const { scopes: declared = {} } = table;
  if (routes === null || !isTable(declared)) return null;
  const scopes = split(declared, plainScope);
  const values = split(routes.values, plainRoute);
  const result = v.safeParse(policySchema, { ...table, scopes: scopes.others, routes: values.others });
  if (!result.success) return null;
  const { output } = result;
  return {
    raw: { ...output, scopes: together(scopes, output.scopes) },
    routes: { places: routes.places, values: Object.values(together(values, output.routes)) },
  };
}

interface Split<Shape> {
  /** By key, in order; `null` for a key of `others`. */
  readonly plain: Record<string, Shape | null>;
  readonly others: Readonly<Record<string, unknown>>;
}

function split<Shape>(values: object, plainOf: (value: unknown) => Shape | null): Split<Shape> {
  const plain: Record<string, Shape | null> = Object.create(null);
  const others: Record<string, unknown> = Object.create(null);
  for (const [key, value] of Object.entries(values)) {
    const shape = plainOf(value);
    plain[key] = shape;
    if (shape === null) others[key] = value;
  }
  return { plain, others };
}

function together<Shape>(
  { plain, others }: Split<Shape>,
  shaped: Readonly<Record<string, Shape>>,
): Record<string, Shape> {
  for (const key in others) {
    // The schema drops names that no record may have.
    if (Object.hasOwn(shaped, key)) plain[key] = shaped[key] ?? null;
    else delete plain[key];
  }
  return plain as Record<string, Shape>;
}

/** The schema's records silently drop these names; here each of them is a fault. */
const PROTOTYPE_NAMES = ["__proto__", "prototype", "constructor"];
const RECORDS = ["scopes", "bundles", "routes"];

/** Adds a fault for each name that no record may have. */
export function addPrototypeNames(table: Record<string, unknown>, faults: Faults): void {
  const records = RECORDS.map((key): Placed => [[key], table[key]]);
  for (const [path, record] of [...records, ...scopeMapsOf(table)]) {
    if (typeof record !== "object" || record === null) continue;
    for (const name of PROTOTYPE_NAMES) {
      if (Object.hasOwn(record, name)) faults.add([...path, name], `"${name}" cannot be used as a name`);
    }
  }
}

/** Adds a fault for each list or date in place of a table, which the schema would accept where a table may be empty. */
export function addNoTables(table: Record<string, unknown>, faults: Faults): void {
  const { issuers: _, ...tables } = table;
  const placed = Object.entries(tables).map(([key, value]): Placed => [[key], value]);
  for (const [path, value] of [...placed, ...scopeMapsOf(table)]) {
    if (isNoTable(value)) faults.add(path, `expected a table${isTables(value) ? `; write [${path.join(".")}]` : ""}`);
  }
}

type Placed = readonly [path: KeyPath, value: unknown];

/** Each issuer's `scope_map`, the only record that is not at the top level. */
function scopeMapsOf({ issuers }: Record<string, unknown>): Placed[] {
  if (!Array.isArray(issuers)) return [];
  return issuers.map((issuer, at): Placed => [["issuers", at, "scope_map"], issuer?.scope_map]);
}

/** Whether a value is a list of tables, as `[[routes]]` makes one. */
function isTables(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}
