/**
 * Which scopes a token names in its claims, limited to those that its issuer may name (contract §2, `[[issuers]]`).
 *
 * Guarantees: every scope in the result is in force. Wildcards and `scopegate:` scopes that the issuer may not use are left
 * out, and so are invalid scope-tokens, so that later users of the list (the grant, a child token) need not check again.
 * Leaves to `policy/scope.ts`: what the scopes grant. Unknown names stay in the list and grant nothing.
 */
import type { IssuerPolicy } from "../policy/policy.ts";
import { isReserved, isScopeToken, isWildcard } from "../policy/scope.ts";
import type { Jws } from "./jws.ts";

export type ScopesPolicy = Pick<IssuerPolicy, "scopeClaim" | "legacyScopes" | "wildcards" | "scopeMap" | "admin">;

/** For this gateway's own tokens: every scope that they name is in force. */
export const OWN_SCOPES: ScopesPolicy = {
  scopeClaim: "scope",
  legacyScopes: null,
  wildcards: true,
  scopeMap: new Map(),
  admin: true,
};

/**
 * The scopes in force, each once, in the token's order; to be passed to `grantOf` with `wildcards` and `admin` true. A token
 * without the claim gets the policy's `legacy_scopes`; a claim that is empty, `null` or malformed grants nothing.
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

/** The member with exactly that name, else the one at the dotted path. */
function claimAt(payload: Jws["payload"], name: string): Claim {
  if (Object.hasOwn(payload, name)) return { kind: "present", value: payload[name] };
  if (!name.includes(".")) return { kind: "absent" };
  let value: unknown = payload;
  for (const step of name.split(".")) {
    // A non-object on the path makes the claim malformed (it grants nothing), not absent (`legacy_scopes`).
    if (typeof value !== "object" || value === null || Array.isArray(value)) return { kind: "present", value: null };
    if (!Object.hasOwn(value, step)) return { kind: "absent" };
    value = Reflect.get(value, step);
  }
  return { kind: "present", value };
}

/** A string is split at spaces (RFC 6749 §3.3). Each array element is one scope; a non-string makes the claim malformed. */
function namesIn(value: unknown): readonly string[] {
  if (typeof value === "string") return value.split(" ");
  if (Array.isArray(value) && value.every((element) => typeof element === "string")) return value;
  return [];
}
