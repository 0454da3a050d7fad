/**
 * The equivalent mutants, which no test can notice because they behave like the original: listed in a file with a reason each.
 * A mutant is named by the text of its line, so that it stays accepted when code moves, but not when the line changes.
 */
import { readFileSync } from "node:fs";

export interface Accepted {
  readonly file: string;
  readonly code: string;
  readonly change: string;
  /** Absent: 0. */
  readonly nth?: number;
  readonly reason: string;
}

/** Reads the list. Throws if an entry has no reason or is listed twice. */
export function readAccepted(path: string): ReadonlyMap<string, Accepted> {
  const entries = JSON.parse(readFileSync(path, "utf8")) as Accepted[];
  const byName = new Map<string, Accepted>();
  for (const entry of entries) {
    const name = nameOf(entry);
    if (typeof entry.reason !== "string" || entry.reason.length < 10) throw new Error(`${path}: no reason: ${name}`);
    if (byName.has(name)) throw new Error(`${path}: twice: ${name}`);
    byName.set(name, entry);
  }
  return byName;
}

/** The name of a mutant in the list. */
export function nameOf({ file, code, change, nth }: Pick<Accepted, "file" | "code" | "change" | "nth">): string {
  return [file, code, change, nth ?? 0].join(" | ");
}
