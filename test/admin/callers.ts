/** Callers of the admin API as the gateway hands them over, without a token that says so. */
import { readConditions } from "../../src/policy/conditions/conditions.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { grantOf } from "../../src/policy/scope.ts";
import type { Principal } from "../../src/token/principal.ts";

export const NOW = 1_780_000_000;
export const OWN = "https://gateway.example.com";
export const LOGIN = "https://login.example.com/";

export function policyOf(text: string): Policy {
  const loaded = loadPolicy(text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.policy;
}

/** A token of this gateway's with these scopes, an hour old and good for another, and what is to differ. */
export function principalOf(policy: Policy, scopes: readonly string[], more: Partial<Principal> = {}): Principal {
  return {
    issuer: OWN,
    subject: "ann",
    client: "app",
    tokenId: `token of ${scopes.join(" ")}`.replaceAll(" ", "-"),
    keyId: "key",
    ancestors: [],
    elderIssuers: [],
    fingerprints: [],
    own: true,
    scopes,
    grant: grantOf(policy.catalogue, scopes, { wildcards: true, admin: true }, NOW),
    allowList: { kind: "absent" },
    conditions: readConditions(undefined),
    issuedAtSeconds: NOW - 3600,
    expiresAtSeconds: NOW + 3600,
    goodUntilSeconds: NOW + 3600,
    ...more,
  };
}

/** The header that a principal with this claim came in. Nobody asks for its signature twice. */
export function headerOf(conditions: unknown): string {
  const part = (value: object) =>
    btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `Bearer ${part({ alg: "ES256", typ: "at+jwt" })}.${part({ conditions })}.c2ln`;
}
