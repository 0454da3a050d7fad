/**
 * Which scopes a token's claims name, under what its issuer may name (contract §2, `[[issuers]]`).
 *
 * Guarantees: what comes out is in force. A wildcard or a `scopegate:` scope that the issuer may not use is left out, so that
 * whoever reads the list later (the grant, a child token) cannot take it for more than it is. So is what is no scope-token.
 * Leaves to `policy/scope.ts`: what the scopes grant. Unknown names pass and grant nothing.
 */
import type { IssuerPolicy } from "../policy/policy.ts";
import { isReserved, isScopeToken, isWildcard } from "../policy/scope.ts";
import type { Jws } from "./jws.ts";

export type ScopesPolicy = Pick<IssuerPolicy, "scopeClaim" | "legacyScopes" | "wildcards" | "scopeMap" | "admin">;

/** The scopes of this gateway's own tokens: everything that they name counts. */
export const OWN_SCOPES: ScopesPolicy = {
  scopeClaim: "scope",
  legacyScopes: null,
  wildcards: true,
  scopeMap: new Map(),
  admin: true,
};

/**
 * The scopes in force, each once, in the token's order; for `grantOf` with `wildcards` and `admin` both true. A token without
 * the claim has the policy's `legacy_scopes`; a claim that is empty, `null` or not readable grants nothing.
 */
export function scopesOf(payload: Jws["payload"], policy: ScopesPolicy): readonly string[] {
  const claim = claimAt(payload, policy.scopeClaim);
  const scopes = new Set<string>();
  const add = (name: string): void => {
    if (isScopeToken(name) && (policy.admin || !isReserved(name))) scopes.add(name);
  };
  if (claim.kind === "absent") {
    for (const name of policy.legacyScopes ?? []) add(name);
    return [...scopes];
  }
  for (const theirs of namesIn(claim.value)) {
    const ours = policy.scopeMap.get(theirs);
    if (ours !== undefined) for (const name of ours) add(name);
    else if (policy.wildcards || !isWildcard(theirs)) add(theirs);
  }
  return [...scopes];
}

type Claim = { readonly kind: "absent" } | { readonly kind: "present"; readonly value: unknown };

/** The member of exactly that name, else the one that the dotted path leads to. */
function claimAt(payload: Jws["payload"], name: string): Claim {
  if (Object.hasOwn(payload, name)) return { kind: "present", value: payload[name] };
  if (!name.includes(".")) return { kind: "absent" };
  let value: unknown = payload;
  for (const step of name.split(".")) {
    // Something that is no object where one should be is a claim that cannot be read, not a missing one.
    if (typeof value !== "object" || value === null || Array.isArray(value)) return { kind: "present", value: null };
    if (!Object.hasOwn(value, step)) return { kind: "absent" };
    value = Reflect.get(value, step);
  }
  return { kind: "present", value };
}

/** RFC 6749 §3.3: a string is split at spaces. An element of an array is one scope; one that is no string spoils the claim. */
function namesIn(value: unknown): readonly string[] {
  if (typeof value === "string") return value.split(" ");
  if (Array.isArray(value) && value.every((element) => typeof element === "string")) return value;
  return [];
}
