/** A finding about a policy, with one shape for every command: from a rule, or a fault that prevents loading. */
import type { Fault } from "../policy/faults.ts";
import { INVALID, type Severity } from "../policy/review/rule.ts";

export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  /** Its line in the file, from 1; `null` if it has none. */
  readonly line: number | null;
  readonly at: string;
  readonly message: string;
  readonly why: string;
  readonly mend: string;
}

/** The faults that prevent loading, as findings in the order of the file. */
export function faultFindings(faults: readonly Fault[]): Finding[] {
  const { id, severity, why, mend } = INVALID;
  return faults
    .map(({ path, line, message }) => ({ rule: id, severity, line, at: path, message, why, mend }))
    .sort(byLine);
}

/** Compares by line; findings without a line come last. */
export function byLine(first: Finding, second: Finding): number {
  return (first.line ?? Number.MAX_SAFE_INTEGER) - (second.line ?? Number.MAX_SAFE_INTEGER);
}
