/**
 * Calls to try, found in the policy by asking what enforces it: so they hold for whatever stands in `scopegate.toml`, not
 * for the demo's policy alone.
 */

import type { Policy } from "../src/policy/policy.ts";
import { explain } from "../src/policy/review/explain.ts";
import { holderOfScopes } from "../src/policy/review/hypothetical.ts";
import type { Route } from "../src/policy/route.ts";

export interface DemoCalls {
  /** What the demo token holds. */
  readonly scopes: readonly string[];
  readonly allowed: Call;
  /** `null` where no route refuses these scopes. */
  readonly wrongScope: Call | null;
}

export interface Call {
  readonly method: string;
  readonly path: string;
}

/** The first call that a token with one route's scopes may make, and one that it may not; `null` where there is none. */
export function demoCalls(policy: Policy, address: string, nowSeconds: number): DemoCalls | null {
  const routes = policy.routes.filter((route) => route.requirement.kind === "scopes");
  const reads = routes.filter((route) => methodOf(route) === "GET");
  for (const route of [...reads.filter(isPlain), ...reads, ...routes]) {
    const { requirement } = route;
    const scopes = requirement.kind === "scopes" ? (requirement.alternatives[0]?.scopes ?? []) : [];
    const names = scopes.map(({ name }) => name);
    const ask = (each: Route) => {
      const call = { method: methodOf(each), path: pathOf(each) };
      const caller = holderOfScopes(policy, { scopes: names, nowSeconds });
      return { call, answer: explain(policy, { ...common(address, nowSeconds), ...call, target: call.path, caller }) };
    };
    const allowed = ask(route);
    if (!allowed.answer.allowed) continue;
    // In report mode what would be refused is forwarded all the same: then rather a read.
    const tried = policy.gateway.mode === "report" ? [...reads, ...routes] : routes;
    const refused = tried.map(ask).find(({ answer }) => answer.reason === "scope_insufficient");
    return { scopes: names, allowed: allowed.call, wrongScope: refused?.call ?? null };
  }
  return null;
}

function common(address: string, nowSeconds: number) {
  return { header: () => null, address, country: null, nowSeconds };
}

function isPlain({ pattern }: Route): boolean {
  return !pattern.includes(":") && !pattern.includes("*");
}

function methodOf({ methods }: Route): string {
  const [first = "GET"] = methods;
  return methods.includes("GET") || first === "*" ? "GET" : first;
}

function pathOf({ pattern }: Route): string {
  return pattern.replace(/:[A-Za-z_][A-Za-z0-9_]*\+?/g, "demo").replace(/\*$/, "demo");
}
