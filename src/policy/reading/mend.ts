/**
 * Removes the keys that the schema refuses from a policy, so that its other faults can be reported too. The result
 * never serves: it is compiled for its faults alone.
 */
import * as v from "valibot";
import { policySchema, type RawPolicy } from "./schema.ts";

type Issue = v.BaseIssue<unknown>;
type Table = Record<string | number, unknown>;

/** In the first rounds an issue removes its own key; in the next, the table around it; then the table around that. */
const OWN_ROUNDS = 2;
const ROUNDS = 4;

/**
 * Removes from `table`, in place, the keys that the issues name, and returns what the schema makes of the rest; `null`
 * where the schema still refuses it.
 */
export function mended(table: Table, issues: readonly Issue[]): RawPolicy | null {
  let left = issues;
  for (let round = 0; round < ROUNDS; round++) {
    for (const { path = [] } of left) {
      const keys = path.map((item) => item.key as string | number);
      const beyond = Math.max(0, round + 1 - OWN_ROUNDS);
      mend(table, keys.slice(0, Math.max(1, keys.length - beyond)), beyond === 0);
    }
    const result = v.safeParse(policySchema, table);
    if (result.success) return result.output;
    left = result.issues;
  }
  return null;
}

/** Deletes the last key of a path (in a list: the list's key) or sets its stand-in. `fillIn`: adds a missing key. */
function mend(table: Table, path: readonly (string | number)[], fillIn: boolean): void {
  let node: unknown = table;
  let holder = table;
  let held: readonly (string | number)[] = [];
  for (const [depth, key] of path.entries()) {
    if (typeof node !== "object" || node === null) return;
    if (!Array.isArray(node)) {
      holder = node as Table;
      held = path.slice(0, depth + 1);
    }
    if (!Object.hasOwn(node, key)) {
      if (fillIn && depth === path.length - 1 && !Array.isArray(node)) holder[key] = standInOf(path) ?? "x";
      return;
    }
    node = (node as Table)[key];
  }
  const key = held.at(-1);
  const standIn = standInOf(held);
  if (key === undefined) return;
  if (standIn === undefined) delete holder[key];
  else holder[key] = standIn;
}

/** A value for a refused key. Its faults lie below a path already reported. Scopes stay: other keys may name them. */
function standInOf(path: readonly (string | number)[]): unknown {
  const [first] = path;
  if (first === "scopes" && path.length === 2) return { description: "x", owner: "x" };
  if (first === "gateway" && path.length === 1) return { public_url: "https://gateway.invalid" };
  return first === "routes" && path.length === 1 ? {} : undefined;
}
