/**
 * The mutants that no test can notice, because what they make does the same: each with its reason, in a file of their own.
 * They are named by the text of their line, so that moving code keeps them and changing it asks again.
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

/** Reads the list. Throws where an entry has no reason or stands twice. */
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

/** What names a mutant in the list. */
export function nameOf({ file, code, change, nth }: Pick<Accepted, "file" | "code" | "change" | "nth">): string {
  return [file, code, change, nth ?? 0].join(" | ");
}
