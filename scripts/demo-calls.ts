/**
 * Calls to try, found in the policy with the functions that enforce it, so that they fit any `scopegate.toml`, not only the
 * demo's.
 */

import type { Policy } from "../src/policy/policy.ts";
import { explain } from "../src/policy/review/explain.ts";
import { holderOfScopes } from "../src/policy/review/hypothetical.ts";
import type { Route } from "../src/policy/route.ts";

export interface DemoCalls {
  /** The scopes of the demo token. */
  readonly scopes: readonly string[];
  readonly allowed: Call;
  /** `null` if no route refuses a token with these scopes. */
  readonly wrongScope: Call | null;
}

export interface Call {
  readonly method: string;
  readonly path: string;
}

/** The first call that a token with one route's scopes may make, and one that it may not; `null` if it may make none. */
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
    // Report mode forwards calls that would be refused, so prefer a read.
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
