/**
 * What the schema alone does not say of a table read from TOML, and what it need not be asked: names that no record may have,
 * lists and dates where a table must stand, and routes that it would take as they are.
 */
import * as v from "valibot";
import type { Faults, KeyPath } from "./faults.ts";
import { policySchema, type RawPolicy } from "./schema.ts";
import { plainRoute, type RawRoute } from "./schema-route.ts";

export type RouteEntry = readonly [key: string, route: RawRoute];

export interface Shaped {
  readonly raw: RawPolicy;
  /** All of them, in the order of the file. */
  readonly routes: readonly RouteEntry[];
}

/** What the schema makes of a table; `null` where it refuses it. It is not asked about routes that it would take as they are. */
export function shapedOf(table: Record<string, unknown>): Shaped | null {
  const { routes } = table;
  if (typeof routes !== "object" || routes === null || isNoTable(routes)) return null;
  const read: [key: string, route: RawRoute | null][] = Object.entries(routes);
  const others: Record<string, unknown> = Object.create(null);
  for (const entry of read) {
    const [key, value] = entry;
    entry[1] = plainRoute(value);
    if (entry[1] === null) others[key] = value;
  }
  const result = v.safeParse(policySchema, { ...table, routes: others });
  if (!result.success) return null;
  const { output } = result;
  for (const entry of read) entry[1] ??= output.routes[entry[0]] ?? null;
  return { raw: output, routes: read as RouteEntry[] };
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
    if (isNoTable(value)) faults.add(path, "expected a table");
  }
}

type Placed = readonly [path: KeyPath, value: unknown];

/** The only records that do not lie at the top. */
function scopeMapsOf({ issuers }: Record<string, unknown>): Placed[] {
  if (!Array.isArray(issuers)) return [];
  return issuers.map((issuer, at): Placed => [["issuers", at, "scope_map"], issuer?.scope_map]);
}

function isNoTable(value: unknown): boolean {
  return Array.isArray(value) || value instanceof Date;
}
