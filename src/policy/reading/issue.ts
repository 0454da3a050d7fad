/**
 * What the schema found wrong with a policy, in the words of who writes TOML: tables and lists, not objects and arrays; how
 * the value is written; where a key belongs that stands in the wrong table.
 */
import { TomlDate } from "smol-toml";
import type * as v from "valibot";
import type { Faults, KeyPath } from "../faults.ts";
import { closest } from "../near.ts";
import { isTable } from "./table.ts";

/** Adds what the schema found. */
export function addIssues(faults: Faults, issues: readonly v.BaseIssue<unknown>[], schema: unknown): void {
  for (const { issue, path } of issues.flatMap((each) => flatten(each, []))) {
    faults.add(path, messageOf(issue, path, schema));
  }
}

interface Located {
  readonly issue: v.BaseIssue<unknown>;
  readonly path: KeyPath;
}

/** An issue of a union tells that nothing fitted; what went wrong inside the option that came nearest says more. */
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

/** What a value is to be: `a list, as ["x"]`. */
function wantsOf(issue: v.BaseIssue<unknown>, path: KeyPath): string {
  const { expected, input } = issue;
  // The schema of a route asks for a table once it has seen that the value is neither a text nor a list.
  if (path.length === 2 && path[0] === "routes" && expected === "Object") return "a scope, a list of scopes or a table";
  if (expected === "Array") return typeof input === "string" ? `a list, as [${found(input)}]` : "a list";
  const words = (expected ?? "another type").replace(/^\((.*)\)$/, "$1").split(" | ");
  const wants = words.map((word) => WORDS.get(word) ?? word).join(" or ");
  const options = words.flatMap((word) => (/^".*"$/.test(word) ? [word.slice(1, -1)] : []));
  const near = typeof input === "string" ? closest(input, options) : null;
  return near === null ? wants : `${wants} (did you mean "${near}"?)`;
}

/** What valibot calls a type, and what TOML does. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["Array", "a list"],
  ["Object", "a table"],
  ["string", "a string"],
  ["number", "a number"],
  ["boolean", "true or false"],
]);

const MOST_SHOWN = 100;

/** A value as it is told: texts in quotes, tables and lists by what they are. */
function found(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}…` : value);
  }
  if (Array.isArray(value)) return "a list";
  if (value instanceof TomlDate) return dateText(value);
  return typeof value === "object" && value !== null ? "a table" : String(value);
}

/** As the policy writes its dates and hours: without a fraction, and a time without seconds. */
function dateText(date: TomlDate): string {
  const text = date.toISOString().replace(/\.0+(?=\D|$)/, "");
  return date.isTime() ? text.slice(0, "00:00".length) : text;
}

function unknownKey(key: string, table: KeyPath, schema: unknown): string {
  const known = keysAt(schema, table);
  const homes = table.length < 2 || table[0] === "issuers" ? homesOf(key, schema) : [];
  const near = closest(key, known);
  const unknown = `unknown key "${key}"`;
  // A letter that is missing or too many: the table itself, and not a key of another.
  if (near !== null && (homes.length === 0 || near.startsWith(key) || key.startsWith(near))) {
    return `${unknown}; did you mean "${near}"?`;
  }
  if (homes.length > 0) return `${unknown}; "${key}" belongs under ${homes.join(" or ")}`;
  return `${unknown}${known.length > 0 ? `; known here: ${known.join(", ")}` : ""}`;
}

/** The tables, of those that have no name of the policy's own, in which a key stands. */
function homesOf(key: string, schema: unknown): string[] {
  return keysAt(schema, []).flatMap((table) => {
    if (keysAt(schema, [table]).includes(key)) return [`[${table}]`];
    return table === "issuers" && keysAt(schema, [table, 0]).includes(key) ? [`[[${table}]]`] : [];
  });
}

/** The keys that the schema knows at a place; follows objects, records, arrays, unions and what wraps them. */
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
