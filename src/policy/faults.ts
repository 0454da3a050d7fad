/**
 * What is wrong with a policy, as its author needs it: where (key path and line), what was found, what was expected,
 * and what was perhaps meant. All faults are reported at once, and none contains a control character.
 */
import { printable } from "./printable.ts";

export interface Fault {
  /** The keys from the top, as TOML writes them: `routes."GET /v1/me".resource`. */
  readonly path: string;
  /** From 1; `null` where it cannot be told. */
  readonly line: number | null;
  readonly message: string;
}

export type KeyPath = readonly (string | number)[];

/** Collects the faults of one policy text. */
export interface Faults {
  readonly list: Fault[];
  readonly add: (path: KeyPath, message: string) => void;
}

export function faultsOf(text: string): Faults {
  const list: Fault[] = [];
  const lineOf = linesIn(text);
  return {
    list,
    add: (path, message) => {
      list.push({ path: writtenPath(path), line: lineOf(path), message: printable(message) });
    },
  };
}

/** A key path as TOML writes it, safe to print. */
export function writtenPath(path: KeyPath): string {
  let written = "";
  for (const key of path) {
    if (typeof key === "number") written += `[${key}]`;
    else {
      const word = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
      written += written === "" ? word : `.${word}`;
    }
  }
  return written === "" ? "policy" : printable(written);
}

/**
 * Finds the line of a key; where the key is absent or written in a form not recognised, the line of its nearest parent.
 * Reads the text once, on the first call.
 */
export function linesIn(text: string): (path: KeyPath) => number | null {
  let lines: ReadonlyMap<string, number> | null = null;
  return (path) => {
    lines ??= linesOf(text);
    for (let depth = path.length; depth > 0; depth--) {
      const line = lines.get(JSON.stringify(path.slice(0, depth)));
      if (line !== undefined) return line;
    }
    return null;
  };
}

/** The line on which each key first appears, by the JSON text of its path. */
function linesOf(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  for (const { path, line } of placesIn(text)) {
    const key = JSON.stringify(path);
    if (!lines.has(key)) lines.set(key, line);
  }
  return lines;
}

/** Finds table headers and keys line by line. Does not parse TOML, so that it works on invalid text too. */
export function* placesIn(text: string): Generator<{ readonly path: KeyPath; readonly line: number }> {
  let table: KeyPath = [];
  const counts = new Map<string, number>();
  for (const [position, line] of text.split("\n").entries()) {
    const header = /^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(#.*)?$/.exec(line);
    if (header !== null) {
      const keys = keysOf(header[2] ?? "");
      if (header[1] === "[[") {
        const count = counts.get(header[2] ?? "") ?? 0;
        counts.set(header[2] ?? "", count + 1);
        table = [...keys, count];
      } else table = keys;
      yield { path: table, line: position + 1 };
      continue;
    }
    const assignment =
      /^\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=/.exec(
        line,
      );
    if (assignment !== null) yield { path: [...table, ...keysOf(assignment[1] ?? "")], line: position + 1 };
  }
}

function keysOf(dotted: string): string[] {
  const keys: string[] = [];
  for (const match of dotted.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+)/g)) {
    keys.push(match[1] ?? match[2] ?? match[3] ?? "");
  }
  return keys;
}
