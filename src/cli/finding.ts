/** What is told of a policy, one shape for every command: a finding of the rules, or a fault that stops the load. */
import type { Fault } from "../policy/faults.ts";
import { INVALID, type Severity } from "../policy/review/rule.ts";

export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  /** Its place in the file, from 1; `null` where it has none. */
  readonly line: number | null;
  readonly at: string;
  readonly message: string;
  readonly why: string;
  readonly mend: string;
}

/** The faults that stop a load, in the order of the file. */
export function faultFindings(faults: readonly Fault[]): Finding[] {
  const { id, severity, why, mend } = INVALID;
  return faults
    .map(({ path, line, message }) => ({ rule: id, severity, line, at: path, message, why, mend }))
    .sort(byLine);
}

/** In the order of the file, then as they came; those without a line last. */
export function byLine(first: Finding, second: Finding): number {
  return (first.line ?? Number.MAX_SAFE_INTEGER) - (second.line ?? Number.MAX_SAFE_INTEGER);
}
