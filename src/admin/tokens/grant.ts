/**
 * What a new token is granted: exactly what was requested, and never more than the caller may grant.
 *
 * Guarantees, for a caller without `scopegate:admin`: at no time may the new token do anything that the caller's own token
 * may not. Its scopes, resources and expiry are within the caller's, the caller's conditions are added, and its age is
 * counted from the caller's (`authenticatedAtSeconds`), so that issuing a new token does not reset the age.
 * Leaves to `request.ts`: that the request is well-formed and names only what the policy knows.
 *
 * Pure. Accepted: it decides by the current policy. If a later policy removes `implies` from a scope that the caller held,
 * a token that was issued with the implied scope keeps that scope until it expires or is revoked.
 */
import type { FieldError } from "../../denial.ts";
import type { ConditionTable } from "../../policy/conditions/conditions.ts";
import type { Policy } from "../../policy/policy.ts";
import {
  type AllowList,
  formatAllowList,
  type IssuableAllowList,
  listCovers,
} from "../../policy/resources/allow-list.ts";
import { type Catalogue, covers, grantOf, has, isWildcard, type ScopeGrant } from "../../policy/scope.ts";
import { done, type Outcome, refused } from "../refusal.ts";

/** The part of a caller that limits what it may issue. */
export interface Issuer {
  readonly issuer: string;
  readonly subject: string | null;
  readonly client: string | null;
  readonly tokenId: string;
  readonly ancestors: readonly string[];
  readonly own: boolean;
  /** The scopes that the caller's token names, all of them in force. */
  readonly scopes: readonly string[];
  readonly grant: ScopeGrant;
  readonly allowList: AllowList;
  /** The condition tables as the claim has them; `null` if they cannot be read. */
  readonly conditions: readonly ConditionTable[] | null;
  /** When the age of the caller's token begins (`Principal.issuedAtSeconds`). */
  readonly issuedAtSeconds: number | null;
  /** As the verifier has limited it by the `max_lifetime` of its scopes. */
  readonly expiresAtSeconds: number;
}

/** A well-formed request for a token. */
export interface Asked {
  readonly scopes: readonly string[];
  /** Absent: the caller's list; for an administrator, no list. */
  readonly allowList?: IssuableAllowList;
  readonly lifetimeSeconds?: number;
  readonly conditions: readonly ConditionTable[];
  readonly subject?: string;
}

export interface Grant {
  readonly subject: string;
  readonly client: string;
  readonly scopes: readonly string[];
  /** `null`: no list; the token may touch everything. */
  readonly allowList: readonly string[] | null;
  readonly conditions: readonly ConditionTable[];
  readonly issuedAtSeconds: number;
  /** When the token's age begins: at its issue, or earlier, inherited from the caller's token or the one it replaces. */
  readonly authenticatedAtSeconds: number;
  readonly expiresAtSeconds: number;
  /** The last of `ancestors`; `null` for a token that an administrator issued. */
  readonly parent: string | null;
  readonly ancestors: readonly string[];
}

/** The most ancestors that an issued token may have. */
export const DEEPEST = 4;
/** The most ancestors after a rotation, which adds the caller's to the old token's; `token/` accepts up to 16. */
export const DEEPEST_ROTATED = 12;

/** For `grantOf`: the scopes of this gateway's own tokens and of verified callers are all in force. */
const IN_FORCE = { wildcards: true, admin: true };

/** The longest lifetime of a token with these scopes, and the scope that limits it; `null`: `[tokens] max_lifetime` does. */
export function longestLifetime(
  policy: Policy,
  scopes: readonly string[],
  nowSeconds: number,
): { readonly seconds: number; readonly scope: string | null } {
  const { granted } = grantOf(policy.catalogue, scopes, IN_FORCE, nowSeconds);
  let longest: { seconds: number; scope: string | null } = { seconds: policy.tokens.maxLifetimeSeconds, scope: null };
  for (const scope of policy.catalogue.scopes) {
    const bound = has(granted, scope) ? scope.maxLifetimeSeconds : null;
    if (bound !== null && bound < longest.seconds) longest = { seconds: bound, scope: scope.name };
  }
  return longest;
}

/** An administrator's grant: for any subject, limited only by the policy, and without ancestors. */
export function rootGrant(
  policy: Policy,
  caller: Pick<Issuer, "subject">,
  asked: Asked,
  nowSeconds: number,
): Outcome<Grant> {
  const subject = asked.subject ?? caller.subject;
  if (subject === null) {
    return refused("request_invalid", [{ field: "subject", message: "is required: the caller's token has none" }]);
  }
  const lifetime = Math.min(
    asked.lifetimeSeconds ?? policy.tokens.defaultLifetimeSeconds,
    longestLifetime(policy, asked.scopes, nowSeconds).seconds,
  );
  return done({
    subject,
    client: subject,
    scopes: asked.scopes,
    allowList: asked.allowList === undefined ? null : formatAllowList(asked.allowList),
    conditions: asked.conditions,
    issuedAtSeconds: nowSeconds,
    authenticatedAtSeconds: nowSeconds,
    expiresAtSeconds: nowSeconds + lifetime,
    parent: null,
    ancestors: [],
  });
}

export interface ChildGrant extends Grant {
  /** The latest expiry that the caller may grant for these scopes. */
  readonly latestSeconds: number;
}

/**
 * A grant under the caller's own token: as requested, or a refusal with every way in which it exceeds what the caller
 * holds. `anyDepth`: does not apply `DEEPEST`, for a rotation, which has a limit of its own (`DEEPEST_ROTATED`).
 */
export function childGrant(
  policy: Policy,
  caller: Issuer,
  asked: Asked,
  nowSeconds: number,
  options: { readonly anyDepth?: boolean } = {},
): Outcome<ChildGrant> {
  const errors: FieldError[] = [];
  const exceeds = (field: string, message: string) => errors.push({ field, message });

  if (caller.subject === null || (asked.subject !== undefined && asked.subject !== caller.subject)) {
    exceeds("subject", "must be the caller's own");
  }
  for (const scope of asked.scopes) {
    if (!mayGive(policy.catalogue, caller, scope)) exceeds("scopes", `the caller does not hold ${scope}`);
  }
  const allowList = asked.allowList ?? caller.allowList;
  for (const target of formatAllowList(allowList) ?? []) {
    if (!coversTarget(caller.allowList, target)) exceeds("allow_list", `the caller's list does not cover ${target}`);
  }
  if (allowList.kind === "empty" || allowList.kind === "unreadable")
    exceeds("allow_list", "the caller's covers nothing");
  if (caller.conditions === null) exceeds("conditions", "the caller's cannot be read");
  if (caller.issuedAtSeconds === null) exceeds("token", "the caller's has no iat, and nothing to count an age from");
  if (caller.own && caller.tokenId.includes(" "))
    exceeds("token", "the caller's has an id that no other may be named by");
  const ancestors = [...caller.ancestors, ancestorName(caller)];
  if (options.anyDepth !== true && ancestors.length > DEEPEST)
    exceeds("token", `the caller's descends from ${DEEPEST} others, which is the most`);

  const latest = Math.floor(Math.min(caller.expiresAtSeconds, heldUntil(policy, caller, asked.scopes, nowSeconds)));
  const wanted = asked.lifetimeSeconds ?? policy.tokens.defaultLifetimeSeconds;
  const lifetime = Math.min(wanted, longestLifetime(policy, asked.scopes, nowSeconds).seconds);
  if (asked.lifetimeSeconds !== undefined && nowSeconds + lifetime > latest) {
    exceeds("lifetime", `the caller's own ends in ${Math.max(0, latest - nowSeconds)}s`);
  } else if (latest <= nowSeconds) exceeds("lifetime", "the caller's own has ended");

  if (errors.length > 0 || caller.subject === null || caller.conditions === null || caller.issuedAtSeconds === null) {
    return refused("grant_exceeds_issuer", errors);
  }
  return done({
    subject: caller.subject,
    client: caller.client ?? caller.subject,
    scopes: asked.scopes,
    allowList: formatAllowList(allowList),
    conditions: [...caller.conditions, ...asked.conditions],
    issuedAtSeconds: nowSeconds,
    authenticatedAtSeconds: Math.min(Math.floor(caller.issuedAtSeconds), nowSeconds),
    expiresAtSeconds: Math.min(nowSeconds + lifetime, latest),
    latestSeconds: latest,
    parent: ancestors.at(-1) ?? null,
    ancestors,
  });
}

/**
 * The name of a token in the `ancestors` of another: its id for a token of this gateway; else its issuer, a space and its
 * id. Unambiguous: no issuer and no id of this gateway contains a space.
 */
export function ancestorName(token: Pick<Issuer, "issuer" | "tokenId" | "own">): string {
  return token.own ? token.tokenId : `${token.issuer} ${token.tokenId}`;
}

/**
 * Whether the caller may grant a scope. A wildcard needs a wildcard of the caller that covers it: holding every scope that
 * it covers today is not enough, because the policy may add more later.
 */
function mayGive(catalogue: Catalogue, caller: Issuer, name: string): boolean {
  if (isWildcard(name)) return caller.scopes.some((held) => isWildcard(held) && covers(held, name));
  const scope = catalogue.byName.get(name);
  return scope !== undefined && has(caller.grant.granted, scope);
}

/** Whether a list covers a target: `*:*` needs a list that covers everything, `type:*` the whole type. */
function coversTarget(list: AllowList, target: string): boolean {
  if (list.kind === "absent" || list.kind === "all") return true;
  return target !== "*:*" && listCovers(list, target);
}

/**
 * Until when the caller holds everything that a token with these scopes would grant: a scope ends at its sunset, and a token
 * that names the scope it implies would outlive it. Earlier by the clock skew, for which the new token is still accepted.
 */
function heldUntil(policy: Policy, caller: Issuer, scopes: readonly string[], nowSeconds: number): number {
  const { catalogue } = policy;
  for (const sunset of catalogue.sunsets) {
    if (sunset <= nowSeconds) continue;
    const theirs = grantOf(catalogue, caller.scopes, IN_FORCE, sunset).granted;
    const ours = grantOf(catalogue, scopes, IN_FORCE, sunset).granted;
    if (ours.some((word, index) => (word & ~(theirs[index] ?? 0)) !== 0)) {
      return sunset - policy.gateway.clockSkewSeconds;
    }
  }
  return Number.POSITIVE_INFINITY;
}
