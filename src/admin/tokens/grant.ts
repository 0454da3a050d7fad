/**
 * What a token is issued with: exactly what was asked for, and never more than the caller may give away.
 *
 * Guarantees, for a caller without `scopegate:admin`: at every moment of its life the new token may do nothing that the
 * caller's own may not. Its scopes, resources and expiry lie within the caller's, the caller's conditions are added, and
 * its age is counted from the caller's (`authenticatedAtSeconds`), so that issuing anew makes no token young again.
 * Leaves to `request.ts`: that what is asked for is well-formed and known to the policy.
 *
 * Pure. Accepted: it judges by the policy of the day. Where a later policy takes `implies` away from a scope that the
 * caller held, a token that was issued with the implied scope keeps it until it expires or is revoked.
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

/** The part of a caller that bounds what it may issue. */
export interface Issuer {
  readonly issuer: string;
  readonly subject: string | null;
  readonly client: string | null;
  readonly tokenId: string;
  readonly ancestors: readonly string[];
  readonly own: boolean;
  /** As the token names them, all of them in force. */
  readonly scopes: readonly string[];
  readonly grant: ScopeGrant;
  readonly allowList: AllowList;
  /** As the claim says them; `null` where they cannot be told. */
  readonly conditions: readonly ConditionTable[] | null;
  /** From when its age counts. */
  readonly issuedAtSeconds: number | null;
  /** As the verifier has cut it: no later than its scopes let it live. */
  readonly expiresAtSeconds: number;
}

/** What is asked for, well-formed. */
export interface Asked {
  readonly scopes: readonly string[];
  /** Absent: the caller's, for an administrator's token none. */
  readonly allowList?: IssuableAllowList;
  readonly lifetimeSeconds?: number;
  readonly conditions: readonly ConditionTable[];
  readonly subject?: string;
}

export interface Grant {
  readonly subject: string;
  readonly client: string;
  readonly scopes: readonly string[];
  /** `null`: no list, which touches everything. */
  readonly allowList: readonly string[] | null;
  readonly conditions: readonly ConditionTable[];
  readonly issuedAtSeconds: number;
  /** From when its age counts: the issue of the eldest token that it descends from. */
  readonly authenticatedAtSeconds: number;
  readonly expiresAtSeconds: number;
  /** The last of `ancestors`; `null` for a token that an administrator issued. */
  readonly parent: string | null;
  readonly ancestors: readonly string[];
}

/** Tokens that a token may be issued under. */
export const DEEPEST = 4;
/** Tokens that one may descend from that was rotated by a token outside its own line; `token/` reads up to 16. */
export const DEEPEST_ROTATED = 12;

/** What the scopes of a gateway's own token, or of a verified caller, count as. */
const IN_FORCE = { wildcards: true, admin: true };

/** What a token with these scopes may live at most, and because of what: a scope, or `null` for the policy. */
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

/** An administrator's grant: for any subject, bounded by the policy alone, the root of its own tree. */
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
  /** The last moment to which the caller may give anything. */
  readonly latestSeconds: number;
}

/**
 * A grant under the caller's own token: as asked for, or every way in which that exceeds what the caller holds.
 * `anyDepth`: for a rotation, which keeps the place in the tree that the old token had.
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
 * What a token is called among the `ancestors` of another: its id, for a token of this gateway; its issuer, a space and
 * its id for one of another issuer. No issuer has a space in it, and no id of this gateway.
 */
export function ancestorName(token: Pick<Issuer, "issuer" | "tokenId" | "own">): string {
  return token.own ? token.tokenId : `${token.issuer} ${token.tokenId}`;
}

/**
 * Whether the caller may give a scope away. A wildcard only by a wildcard that covers it: whoever holds every scope that
 * it covers today would else gain those of tomorrow.
 */
function mayGive(catalogue: Catalogue, caller: Issuer, name: string): boolean {
  if (isWildcard(name)) return caller.scopes.some((held) => isWildcard(held) && covers(held, name));
  const scope = catalogue.byName.get(name);
  return scope !== undefined && has(caller.grant.granted, scope);
}

/** A target of a list: `*:*` only by a list that covers everything, `type:*` only by the type as a whole. */
function coversTarget(list: AllowList, target: string): boolean {
  if (list.kind === "absent" || list.kind === "all") return true;
  return target !== "*:*" && listCovers(list, target);
}

/**
 * Until when the caller holds all that a token with these scopes would grant. A scope that implies another ends at its
 * sunset; a token that names the other would go on without it. Less the clock skew, which the new token would enjoy.
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
