/**
 * What the schema alone does not say of a table read from TOML, and what it need not be asked: names that no record may have,
 * lists and dates where a table must stand, and values that it would take as they are.
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

/** What the schema makes of a document; `null` where it refuses it. It is not asked about what it would take as it is. */
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
  /** By key, in order; `null` for the others. */
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
    // Names that no record may have, which the schema passes over.
    if (Object.hasOwn(shaped, key)) plain[key] = shaped[key] ?? null;
    else delete plain[key];
  }
  return plain as Record<string, Shape>;
}

/** The schema's records pass over these names in silence; here nothing is passed over. */
const PROTOTYPE_NAMES = ["__proto__", "prototype", "constructor"];
const RECORDS = ["scopes", "bundles", "routes"];

/** Adds names that no record may have. */
export function addPrototypeNames(table: Record<string, unknown>, faults: Faults): void {
  const records = RECORDS.map((key): Placed => [[key], table[key]]);
  for (const [path, record] of [...records, ...scopeMapsOf(table)]) {
    if (typeof record !== "object" || record === null) continue;
    for (const name of PROTOTYPE_NAMES) {
      if (Object.hasOwn(record, name)) faults.add([...path, name], `"${name}" cannot be used as a name`);
    }
  }
}

/** To the schema a list or a date is an object too: where a table may be empty, it would take it for one. */
export function addNoTables(table: Record<string, unknown>, faults: Faults): void {
  const { issuers: _, ...tables } = table;
  const placed = Object.entries(tables).map(([key, value]): Placed => [[key], value]);
  for (const [path, value] of [...placed, ...scopeMapsOf(table)]) {
    if (isNoTable(value)) faults.add(path, `expected a table${isTables(value) ? `; write [${path.join(".")}]` : ""}`);
  }
}

type Placed = readonly [path: KeyPath, value: unknown];

/** The only records that do not lie at the top. */
function scopeMapsOf({ issuers }: Record<string, unknown>): Placed[] {
  if (!Array.isArray(issuers)) return [];
  return issuers.map((issuer, at): Placed => [["issuers", at, "scope_map"], issuer?.scope_map]);
}

/** A list of tables, as `[[routes]]` makes one. */
function isTables(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}
