/**
 * What is wrong with a policy, as its author needs it: where (key path and line), what was found, what was expected,
 * and what was perhaps meant. All faults are told at once.
 */
import type * as v from "valibot";
import { closest } from "./near.ts";

export interface Fault {
  /** The keys from the top, as TOML writes them: `routes."GET /v1/me".resource`. */
  readonly path: string;
  /** From 1; `null` where it cannot be told. */
  readonly line: number | null;
  readonly message: string;
}

export type KeyPath = readonly (string | number)[];

/** Collects faults and knows the text they lie in. */
export interface Faults {
  readonly list: Fault[];
  readonly add: (path: KeyPath, message: string) => void;
}

export function faultsOf(text: string): Faults {
  const list: Fault[] = [];
  let lines: ReadonlyMap<string, number> | null = null;
  return {
    list,
    add: (path, message) => {
      lines ??= linesOf(text);
      list.push({ path: writtenPath(path), line: lineOf(lines, path), message });
    },
  };
}

/** Adds what the schema found. */
export function addIssues(faults: Faults, issues: readonly v.BaseIssue<unknown>[], schema: unknown): void {
  for (const issue of issues.flatMap((each) => flatten(each, []))) {
    faults.add(issue.path, messageOf(issue.issue, issue.path, schema));
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
  const key = path.at(-1);
  if (issue.type === "strict_object" && issue.expected === "never" && typeof key === "string") {
    const known = keysAt(schema, path.slice(0, -1));
    const near = closest(key, known);
    return `unknown key "${key}"${near === null ? "" : `; did you mean "${near}"?`}${near === null && known.length > 0 ? `; known here: ${known.join(", ")}` : ""}`;
  }
  if (issue.kind === "schema" && issue.received === "undefined") return "is missing and required";
  if (issue.kind === "schema") return `expected ${issue.expected ?? "another type"}, found ${issue.received}`;
  return `${issue.message}; found ${issue.received}`;
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

function writtenPath(path: KeyPath): string {
  let written = "";
  for (const key of path) {
    if (typeof key === "number") written += `[${key}]`;
    else {
      const word = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
      written += written === "" ? word : `.${word}`;
    }
  }
  return written === "" ? "policy" : written;
}

/** The line of a key; of the nearest above it, where it is not there itself or is written in another way. */
function lineOf(lines: ReadonlyMap<string, number>, path: KeyPath): number | null {
  for (let depth = path.length; depth > 0; depth--) {
    const line = lines.get(JSON.stringify(path.slice(0, depth)));
    if (line !== undefined) return line;
  }
  return null;
}

/** On which line each key first stands, by looking for table headers and keys as TOML writes them. */
function linesOf(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  let table: KeyPath = [];
  const counts = new Map<string, number>();
  for (const [position, line] of text.split("\n").entries()) {
    const header = /^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(#.*)?$/.exec(line);
    let here: KeyPath;
    if (header !== null) {
      const keys = keysOf(header[2] ?? "");
      if (header[1] === "[[") {
        const count = counts.get(header[2] ?? "") ?? 0;
        counts.set(header[2] ?? "", count + 1);
        table = [...keys, count];
      } else table = keys;
      here = table;
    } else {
      const assignment =
        /^\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=/.exec(
          line,
        );
      if (assignment === null) continue;
      here = [...table, ...keysOf(assignment[1] ?? "")];
    }
    const key = JSON.stringify(here);
    if (!lines.has(key)) lines.set(key, position + 1);
  }
  return lines;
}

function keysOf(dotted: string): string[] {
  const keys: string[] = [];
  for (const match of dotted.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+)/g)) {
    keys.push(match[1] ?? match[2] ?? match[3] ?? "");
  }
  return keys;
}
