/**
 * What is left of an ill-shaped policy once its ill-shaped keys are gone, so that the rest of its faults can be told too.
 * Serves nothing: it is compiled for its faults alone.
 */
import * as v from "valibot";
import { policySchema, type RawPolicy } from "./schema.ts";

type Issue = v.BaseIssue<unknown>;
type Table = Record<string | number, unknown>;

/** Rounds in which an issue takes out its own key; in those after them, the table around it, and the one around that. */
const OWN_ROUNDS = 2;
const ROUNDS = 4;

/**
 * Takes out of `table`, which it changes, what the issues name, and gives what the schema makes of the rest; `null` where that
 * is not a policy either.
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

/** Deletes the last key of a path, or the nearest above it that is a table's; puts a stand-in where there is one, or it is missing. */
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

/** What is said of a stand-in lies under what has been told; a scope keeps its name, which others may need. */
function standInOf(path: readonly (string | number)[]): unknown {
  const [first] = path;
  if (first === "scopes" && path.length === 2) return { description: "x", owner: "x" };
  if (first === "gateway" && path.length === 1) return { public_url: "https://gateway.invalid" };
  return first === "routes" && path.length === 1 ? {} : undefined;
}
