/** A route's requirements one by one: whether each is met by a token's holder, and what would meet it. */

import type { Cidr } from "../conditions/cidr.ts";
import { type ConditionFacts, type Conditions, failingCondition } from "../conditions/conditions.ts";
import { type Asked, factsOf, type Holder } from "../decision.ts";
import type { Policy } from "../policy.ts";
import { coverage } from "../resources/allow-list-coverage.ts";
import type { Alternative, Route } from "../route.ts";
import { has, isPastSunset, type Scope } from "../scope.ts";
import { closure } from "./cover.ts";
import type { ConditionCheck, Step } from "./step.ts";

/** The step scopes. `holder`: `null` where the call has no token, or one that was refused. */
export function scopesStep(policy: Policy, route: Route, holder: Holder | null, nowSeconds: number): Step {
  const { requirement } = route;
  if (requirement.kind !== "scopes")
    return { step: "scopes", passed: holder !== null, detail: "any valid token will do" };
  const needs = requirement.alternatives.map(({ scopes }) => scopes.map(({ name }) => name));
  if (holder === null) return { step: "scopes", passed: false, detail: "nothing grants a scope", needs };

  const granted = grantedOf(route, holder);
  if (granted.length > 0) {
    return {
      step: "scopes",
      passed: true,
      detail: `holds ${granted.map(({ header }) => header).join(", or ")}`,
      needs,
    };
  }
  const lacking = requirement.alternatives.map((alternative) => lackingOf(policy, alternative, holder, nowSeconds));
  return { step: "scopes", passed: false, detail: `lacks ${lacking.join("; or lacks ")}`, needs };
}

/** The step resources. */
export function resourcesStep(route: Route, holder: Holder | null, asked: Asked): Step {
  const step = "resources";
  const needs = route.resources === null ? ["*:*"] : route.resources.map(({ text }) => text);
  if (holder === null) return { step, passed: false, detail: "nothing covers them", needs };
  const covered = coverage(route.resources, holder.allowList, asked);
  switch (covered.kind) {
    case "ambiguous":
      return { step, passed: false, detail: "the request names a resource more than once", needs };
    case "not_covered":
      return { step, passed: false, detail: `the allow list does not cover ${covered.resource}`, needs };
    case "covered":
      return { step, passed: true, detail: needs.length === 0 ? "the route touches none" : "are covered", needs };
  }
}

/** The step conditions: those of the route, of the token, and of the scopes that would allow the call. */
export function conditionsStep(route: Route, holder: Holder | null, asked: Asked): Step {
  const facts = factsOf(asked, holder?.issuedAtSeconds ?? null);
  const checks = checksOf("route", route.conditions, facts);
  const ofToken = holder?.conditions ?? [];
  if (ofToken === "unreadable") checks.push({ of: "token", condition: "token", holds: false, wants: WANTS_READABLE });
  else for (const conditions of ofToken) checks.push(...checksOf("token", conditions, facts));
  const always = checks.every(({ holds }) => holds);

  // Of several alternatives, one whose conditions hold is enough.
  const alternatives = holder === null ? [] : grantedOf(route, holder);
  const ofScopes = alternatives.map(({ scopes }) =>
    scopes.flatMap((scope) => checksOf(scope.name, scope.conditions, facts)),
  );
  const one = ofScopes.length === 0 || ofScopes.some((list) => list.every(({ holds }) => holds));
  checks.push(...ofScopes.flat());

  if (checks.length === 0) return { step: "conditions", passed: true, detail: "there are none" };
  const failing = checks.filter(({ holds }) => !holds).map(({ of, condition }) => `${condition} (${of})`);
  const passed = always && one;
  const detail = passed ? "hold" : `does not hold: ${[...new Set(failing)].join(", ")}`;
  return { step: "conditions", passed, detail, needs: checks };
}

/** The alternatives whose scopes the holder has all been granted. */
function grantedOf({ requirement }: Route, holder: Holder): readonly Alternative[] {
  if (requirement.kind !== "scopes") return [];
  return requirement.alternatives.filter(({ scopes }) => scopes.every((scope) => has(holder.grant.granted, scope)));
}

function lackingOf(policy: Policy, { scopes }: Alternative, holder: Holder, nowSeconds: number): string {
  return scopes
    .filter((scope) => !has(holder.grant.granted, scope))
    .map((scope) => `${scope.name}${remedyFor(policy, scope, nowSeconds)}`)
    .join(" and ");
}

function remedyFor(policy: Policy, scope: Scope, nowSeconds: number): string {
  if (isPastSunset(scope, nowSeconds)) return " (past its sunset: nothing grants it)";
  const also = policy.catalogue.scopes.filter(
    (other) => other !== scope && closure(policy.catalogue, { scopes: [other] }).has(scope.name),
  );
  return also.length === 0 ? "" : ` (which ${also.map(({ name }) => name).join(", ")} also grants)`;
}

/** Checks each key of a table separately, with the function that enforces. */
function checksOf(of: string, conditions: Conditions | null, facts: ConditionFacts): ConditionCheck[] {
  if (conditions === null) return [];
  const none: Conditions = { cidr: null, notCidr: null, hours: null, countries: null, maxTokenAgeSeconds: null };
  const parts: [string, Conditions][] = [
    ["cidr", { ...none, cidr: conditions.cidr }],
    ["not_cidr", { ...none, notCidr: conditions.notCidr }],
    ["hours", { ...none, hours: conditions.hours }],
    ["countries", { ...none, countries: conditions.countries }],
    ["max_token_age", { ...none, maxTokenAgeSeconds: conditions.maxTokenAgeSeconds }],
  ];
  return parts
    .filter(([, part]) => Object.values(part).some((value) => value !== null))
    .map(([condition, part]) => ({
      of,
      condition,
      holds: failingCondition(part, facts) === null,
      wants: wantsOf(part),
    }));
}

const WANTS_READABLE = "conditions that can be read";
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/** What one key of a table asks for, in words. */
function wantsOf({ cidr, notCidr, hours, countries, maxTokenAgeSeconds }: Conditions): string {
  if (cidr !== null) return `an address in ${blocksOf(cidr)}`;
  if (notCidr !== null) return `an address outside ${blocksOf(notCidr)}`;
  if (countries !== null) return `a caller from ${[...countries].join(", ")}`;
  if (maxTokenAgeSeconds !== null) return `a token of at most ${maxTokenAgeSeconds} s`;
  if (hours === null) return "nothing";
  const days = DAYS.filter((_, day) => hours.days[day] === true).join(", ");
  return `${days} from ${clockTime(hours.from)} to ${clockTime(hours.to)} in its time zone`;
}

function blocksOf(blocks: readonly Cidr[]): string {
  return blocks.map(({ network, prefixLength }) => `${network.toString()}/${prefixLength}`).join(", ");
}

function clockTime(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}
