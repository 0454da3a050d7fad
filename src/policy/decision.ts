/**
 * The authorization decision: the contract's steps scopes, resources and conditions (§3), in that order, for one route
 * and one caller. The gateway, `scopegate explain` and `POST /explain` all call these functions.
 *
 * Pure: no clock, no network. Leaves to `token/` whether the token is valid, to `revocation/` whether it is revoked.
 */
import type { Denial } from "../denial.ts";
import { type ConditionFacts, type Conditions, failingCondition } from "./conditions/conditions.ts";
import type { AllowList } from "./resources/allow-list.ts";
import { coverage, type Named } from "./resources/allow-list-coverage.ts";
import type { Alternative, Route } from "./route.ts";
import { has, type Scope, type ScopeGrant } from "./scope.ts";

/** What the decision needs of a caller. */
export interface Holder {
  readonly grant: ScopeGrant;
  readonly allowList: AllowList;
  /** All of them must hold. `"unreadable"` never holds. */
  readonly conditions: readonly Conditions[] | "unreadable";
  readonly issuedAtSeconds: number | null;
}

/** What the decision needs of a request, besides its route. */
export interface Asked extends Named {
  readonly address: string | null;
  /** Called only where a condition reads the country, because reading `request.cf` is costly. */
  readonly country: () => string | null;
  readonly nowSeconds: number;
}

export type Decision =
  | {
      readonly allowed: true;
      /** The alternative that allowed the call; `null` where the route needs no scope. */
      readonly alternative: Alternative | null;
    }
  | { readonly allowed: false; readonly denial: Denial };

/** Decides a call to a route that needs a token. */
export function decide(route: Route, holder: Holder, asked: Asked): Decision {
  const { requirement } = route;
  const granted: Alternative[] = [];
  if (requirement.kind === "scopes") {
    for (const alternative of requirement.alternatives) {
      if (alternative.scopes.every((scope) => has(holder.grant.granted, scope))) granted.push(alternative);
    }
    if (granted.length === 0) return denied({ reason: "scope_insufficient", requiredScopes: requirement.names });
  }

  const covered = coverage(route.resources, holder.allowList, asked);
  if (covered.kind === "ambiguous") return denied({ reason: "ambiguous_request" });
  if (covered.kind === "not_covered") return denied({ reason: "resource_not_allowed", resource: covered.resource });

  const failing = failingOf(route.conditions, holder, asked);
  if (failing !== null) return denied({ reason: "condition_not_met", condition: failing });

  // One more scope never makes a call fail: where the conditions of one alternative fail, another one may allow it.
  let firstFailing: string | null = null;
  for (const alternative of granted) {
    const failed = failingOfScopes(alternative.scopes, holder, asked);
    if (failed === null) return { allowed: true, alternative };
    firstFailing ??= failed;
  }
  if (firstFailing !== null) return denied({ reason: "condition_not_met", condition: firstFailing });
  return ALLOWED_WITHOUT_SCOPE;
}

/** Decides a call to a public route, by its conditions alone. */
export function decidePublic(route: Route, asked: Asked): Decision {
  const failing = route.conditions === null ? null : failingCondition(route.conditions, factsOf(asked, null));
  if (failing !== null) return denied({ reason: "condition_not_met", condition: failing });
  return ALLOWED_WITHOUT_SCOPE;
}

const ALLOWED_WITHOUT_SCOPE: Decision = { allowed: true, alternative: null };

/** The first condition that fails, of the route's and then of the token's; `null` where all hold. */
function failingOf(ofRoute: Conditions | null, holder: Holder, asked: Asked): string | null {
  if (holder.conditions === "unreadable") return "token";
  if (ofRoute === null && holder.conditions.length === 0) return null;
  const facts = factsOf(asked, holder.issuedAtSeconds);
  let failing = ofRoute === null ? null : failingCondition(ofRoute, facts);
  for (const conditions of holder.conditions) failing ??= failingCondition(conditions, facts);
  return failing;
}

function failingOfScopes(scopes: readonly Scope[], holder: Holder, asked: Asked): string | null {
  for (const { conditions } of scopes) {
    if (conditions === null) continue;
    const failing = failingCondition(conditions, factsOf(asked, holder.issuedAtSeconds));
    if (failing !== null) return failing;
  }
  return null;
}

export function factsOf(asked: Asked, issuedAtSeconds: number | null): ConditionFacts {
  return { address: asked.address, country: asked.country, nowSeconds: asked.nowSeconds, issuedAtSeconds };
}

function denied(denial: Denial): Decision {
  return { allowed: false, denial };
}
