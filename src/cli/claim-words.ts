/**
 * What `scopegate explain` says about a token's claims. It runs on the token holder's own machine; the gateway tells a
 * client none of this.
 *
 * Guarantees: text from a token is quoted in ASCII and truncated, so that it cannot send control sequences to a terminal.
 */
import { closest } from "../policy/near.ts";
import type { IssuerPolicy, Policy } from "../policy/policy.ts";
import type { Jws } from "../token/jws.ts";
import { OWN_SCOPES, scopesOf } from "../token/scopes.ts";

const MOST_CHARACTERS = 200;
const MOST_NAMES = 5;

/** Explains that the policy does not name the token's issuer. */
export function issuerWords(policy: Policy, payload: Jws["payload"]): string {
  const known = [policy.gateway.publicUrl, ...policy.issuers.map(({ issuer }) => issuer)];
  return `comes from an issuer that the policy does not name: ${differenceOf(payload, "iss", known, "has")}`;
}

/** Why the token is not valid; `fault` is the word that the gateway logs. */
export function faultWords(fault: string, payload: Jws["payload"], audiences: readonly string[]): string {
  const why = fault === "audience" ? `: ${differenceOf(payload, "aud", audiences, "wants")}` : "";
  return `is not valid here: ${fault}${why}`;
}

/** Says that the token has no scope claim; `""` if it has. `issuer`: `null` for this gateway's own tokens. */
export function missingScopesWords(payload: Jws["payload"], issuer: IssuerPolicy | null): string {
  const policy = issuer ?? OWN_SCOPES;
  // `legacyScopes` only has an effect on a token without the claim.
  const without = scopesOf(payload, { ...policy, legacyScopes: [] });
  const isThere = scopesOf(payload, { ...policy, legacyScopes: ["legacy"] }).length === without.length;
  if (isThere) return "";
  const name = `the token has no claim ${quoted(policy.scopeClaim)} (scope_claim)`;
  return policy.legacyScopes === null ? `; ${name}` : `; ${name}: its legacy_scopes count`;
}

function differenceOf(payload: Jws["payload"], claim: string, known: readonly string[], verb: string): string {
  if (!Object.hasOwn(payload, claim)) return `it has no ${claim}; the policy ${verb} ${namesOf(known)}`;
  const value = payload[claim];
  const near = typeof value === "string" ? closest(value, known) : null;
  return `its ${claim} is ${quoted(value)}; the policy ${verb} ${namesOf(near === null ? known : [near])}`;
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map(quoted).join(", ");
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}

function quoted(value: unknown): string {
  const text = JSON.stringify(value).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
