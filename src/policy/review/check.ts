/**
 * What `scopegate check` reports on a policy that loads: the findings of every rule, except those that the policy
 * silences. The rules are in `rules.ts`; a policy that does not load has faults (`load.ts`), reported as SG001.
 *
 * Pure: the time is passed in. Does not affect what the gateway does.
 */
import type { Policy } from "../policy.ts";
import { printable } from "../printable.ts";
import { type Rule, type Severity, STALE_SILENCE } from "./rule.ts";
import { RULES } from "./rules.ts";

export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  /** What it is about: a route's key, a scope, an issuer, a table of the policy, or a silenced rule. */
  readonly at: string;
  /** The place in the policy: `["routes", "GET /v1/me"]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly why: string;
  readonly mend: string;
}

/** The findings for a policy at `nowSeconds`, in the order of the rules, without those that the policy silences. */
export function checkPolicy(policy: Policy, nowSeconds: number): Finding[] {
  const used = new Set<Policy["silences"][number]>();
  const findings: Finding[] = [];
  for (const rule of RULES) {
    for (const { at, path, message } of rule.find(policy, nowSeconds)) {
      const silence = policy.silences.find((each) => each.rule === rule.id && (each.at === null || each.at === at));
      if (silence === undefined) findings.push(finding(rule, at, path, message));
      else used.add(silence);
    }
  }
  for (const [index, silence] of policy.silences.entries()) {
    if (used.has(silence)) continue;
    const known = RULES.some((rule) => rule.id === silence.rule);
    const where = silence.at === null ? "" : ` at "${silence.at}"`;
    const message = known ? `${silence.rule} finds nothing${where}` : `there is no rule ${silence.rule} to silence`;
    findings.push(finding(STALE_SILENCE, silence.rule, ["checks", "silence", index], message));
  }
  return findings;
}

function finding(rule: Omit<Rule, "find">, at: string, path: Finding["path"], message: string): Finding {
  return {
    rule: rule.id,
    severity: rule.severity,
    at,
    path,
    message: printable(message),
    why: rule.why,
    mend: rule.mend,
  };
}
