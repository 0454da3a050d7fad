/** The shape of a rule of `scopegate check`, and the two rules that are not in the list (`rules.ts`). */
import type { Policy } from "../policy.ts";
import type { Route } from "../route.ts";

export type Severity = "error" | "warning";

interface Hit {
  readonly at: string;
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  readonly why: string;
  readonly mend: string;
  readonly find: (policy: Policy, nowSeconds: number) => Iterable<Hit>;
}

/** For the faults of a policy that does not load, which `load.ts` finds. */
export const INVALID: Omit<Rule, "find"> = {
  id: "SG001",
  severity: "error",
  title: "The policy does not load",
  why: "a policy with a fault never serves",
  mend: "correct what the message names",
};

/** Found by `checkPolicy` itself, after all other rules have run. */
export const STALE_SILENCE: Omit<Rule, "find"> = {
  id: "SG190",
  severity: "warning",
  title: "A silence that silences nothing",
  why: "it would hide the next finding of its kind, for a reason that no longer holds",
  mend: "remove it from [[checks.silence]]",
};

export function atRoute(route: Route, message: string): Hit {
  return { at: route.key, path: ["routes", route.key], message };
}

export function atScope(name: string, message: string): Hit {
  return { at: name, path: ["scopes", name], message };
}

const NAMED_AT_MOST = 3;

/** The first few names, for a message; the others are counted. */
export function listOf(names: readonly string[]): string {
  if (names.length <= NAMED_AT_MOST) return names.join(", ");
  return `${names.slice(0, NAMED_AT_MOST).join(", ")} and ${names.length - NAMED_AT_MOST} more`;
}
