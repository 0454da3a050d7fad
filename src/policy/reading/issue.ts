/**
 * Turns the schema's issues into faults in TOML's terms: tables and lists, not objects and arrays; how to write the
 * value; in which table a misplaced key belongs.
 */
import { TomlDate } from "smol-toml";
import type * as v from "valibot";
import type { Faults, KeyPath } from "../faults.ts";
import { closest } from "../near.ts";
import { isTable } from "./table.ts";

/** Adds a fault for each issue of the schema. */
export function addIssues(faults: Faults, issues: readonly v.BaseIssue<unknown>[], schema: unknown): void {
  for (const { issue, path } of issues.flatMap((each) => flatten(each, []))) {
    faults.add(path, messageOf(issue, path, schema));
  }
}

interface Located {
  readonly issue: v.BaseIssue<unknown>;
  readonly path: KeyPath;
}

/** A union's own issue only says that no option matched; the issues from inside an option, if any, say more. */
function flatten(issue: v.BaseIssue<unknown>, prefix: KeyPath): Located[] {
  const path = [...prefix, ...(issue.path ?? []).map((item) => item.key as string | number)];
  const inner = (issue.issues ?? []).filter((nested) => (nested.path ?? []).length > 0);
  if (issue.type === "union" && inner.length > 0) return inner.flatMap((nested) => flatten(nested, path));
  return [{ issue, path }];
}

function messageOf(issue: v.BaseIssue<unknown>, path: KeyPath, schema: unknown): string {
  const { input } = issue;
  const key = path.at(-1);
  if (issue.type === "strict_object" && issue.expected === "never" && typeof key === "string") {
    return unknownKey(key, path.slice(0, -1), schema);
  }
  if (issue.kind === "schema" && issue.received === "undefined") return "is missing and required";
  if (issue.kind !== "schema")
    return issue.type === "non_empty" ? issue.message : `${issue.message}; found ${found(input)}`;
  if (issue.type === "array" && isTable(input)) {
    // Only a list of tables has entries with keys.
    if (keysAt(schema, [...path, 0]).length > 0) return `write [[${path.join(".")}]], with two brackets; found a table`;
  }
  const wants = wantsOf(issue, path);
  if (input instanceof TomlDate && wants.includes("string"))
    return `expected ${wants}; write it in quotes, as "${dateText(input)}"`;
  const own = issue.message.startsWith("Invalid type: ") ? null : issue.message;
  if (own !== null) return `${own}; found ${found(input)}`;
  return `expected ${wants}${wants.includes(", ") ? ";" : ","} found ${found(input)}`;
}

/** What was expected of a value: `a list, as ["x"]`. */
function wantsOf(issue: v.BaseIssue<unknown>, path: KeyPath): string {
  const { expected, input } = issue;
  // The route schema expects a table where the value is neither a string nor a list, but all three are accepted.
  if (path.length === 2 && path[0] === "routes" && expected === "Object") return "a scope, a list of scopes or a table";
  if (expected === "Array") return typeof input === "string" ? `a list, as [${found(input)}]` : "a list";
  const words = (expected ?? "another type").replace(/^\((.*)\)$/, "$1").split(" | ");
  const wants = words.map((word) => WORDS.get(word) ?? word).join(" or ");
  const options = words.flatMap((word) => (/^".*"$/.test(word) ? [word.slice(1, -1)] : []));
  const near = typeof input === "string" ? closest(input, options) : null;
  return near === null ? wants : `${wants} (did you mean "${near}"?)`;
}

/** Valibot's names of types, and TOML's. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["Array", "a list"],
  ["Object", "a table"],
  ["string", "a string"],
  ["number", "a number"],
  ["boolean", "true or false"],
]);

const MOST_SHOWN = 100;

/** A value as messages show it: strings in quotes, tables and lists by their kind. */
function found(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}…` : value);
  }
  if (Array.isArray(value)) return "a list";
  if (value instanceof TomlDate) return dateText(value);
  return typeof value === "object" && value !== null ? "a table" : String(value);
}

/** A date or time as the policy writes it: without a fraction, and a time without seconds. */
function dateText(date: TomlDate): string {
  const text = date.toISOString().replace(/\.0+(?=\D|$)/, "");
  return date.isTime() ? text.slice(0, "00:00".length) : text;
}

function unknownKey(key: string, table: KeyPath, schema: unknown): string {
  const known = keysAt(schema, table);
  const homes = table.length < 2 || table[0] === "issuers" ? homesOf(key, schema) : [];
  const near = closest(key, known);
  const unknown = `unknown key "${key}"`;
  // Where letters are missing or added at the end, a key of this table is meant rather than one of another table.
  if (near !== null && (homes.length === 0 || near.startsWith(key) || key.startsWith(near))) {
    return `${unknown}; did you mean "${near}"?`;
  }
  if (homes.length > 0) return `${unknown}; "${key}" belongs under ${homes.join(" or ")}`;
  return `${unknown}${known.length > 0 ? `; known here: ${known.join(", ")}` : ""}`;
}

/** The tables in which a key belongs, among those whose names the schema fixes. */
function homesOf(key: string, schema: unknown): string[] {
  return keysAt(schema, []).flatMap((table) => {
    if (keysAt(schema, [table]).includes(key)) return [`[${table}]`];
    return table === "issuers" && keysAt(schema, [table, 0]).includes(key) ? [`[[${table}]]`] : [];
  });
}

/** The keys that the schema knows at a path; follows objects, records, arrays, unions and their wrappers. */
function keysAt(schema: unknown, path: KeyPath): string[] {
  const node = schema as {
    type?: string;
    entries?: Record<string, unknown>;
    value?: unknown;
    item?: unknown;
    wrapped?: unknown;
    options?: unknown[];
    getter?: (value: unknown) => unknown;
  };
  if (node.getter !== undefined) return keysAt(node.getter(undefined), path);
  if (node.options !== undefined && node.type === "union")
    return node.options.flatMap((option) => keysAt(option, path));
  if (node.wrapped !== undefined) return keysAt(node.wrapped, path);
  const [first, ...others] = path;
  if (first === undefined) return Object.keys(node.entries ?? {});
  if (node.entries !== undefined) return Object.hasOwn(node.entries, first) ? keysAt(node.entries[first], others) : [];
  if (node.type === "record") return keysAt(node.value, others);
  if (node.type === "array") return keysAt(node.item, others);
  return [];
}
