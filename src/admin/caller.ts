/**
 * The caller of the admin API, as far as it limits what they may see and grant. The gateway has verified the token and
 * checked the call's scopes; this file decides only what those scopes leave open.
 */

import type { Behind } from "../deadline.ts";
import type { Reason } from "../denial.ts";
import type { ConditionTable } from "../policy/conditions/conditions.ts";
import type { Policy } from "../policy/policy.ts";
import { has } from "../policy/scope.ts";
import { credentials } from "../request/credentials.ts";
import { parseJws } from "../token/jws.ts";
import type { Principal } from "../token/principal.ts";
import type { Issuer } from "./tokens/grant.ts";
import { type Owner, ownerOf } from "./tokens/records.ts";

/** One call, as the gateway passes it to the admin API. */
export interface AdminCall {
  readonly principal: Principal;
  readonly requestId: string;
  readonly address: string | null;
  readonly behind: Behind;
  /** Called with the reason of a refusal, for the log. */
  readonly refused: (reason: Reason) => void;
}

/** The caller as an issuer of tokens. `authorization`: the verified header; the conditions' text is read from its token. */
export function issuerOf(
  policy: Policy,
  principal: Principal,
  authorization: string | null,
): Issuer & { readonly isAdmin: boolean } {
  return {
    issuer: principal.issuer,
    subject: principal.subject,
    client: principal.client,
    tokenId: principal.tokenId,
    ancestors: principal.ancestors,
    own: principal.own,
    scopes: principal.scopes,
    grant: principal.grant,
    allowList: principal.allowList,
    conditions: conditionsOf(principal, authorization),
    issuedAtSeconds: principal.issuedAtSeconds,
    expiresAtSeconds: principal.expiresAtSeconds,
    isAdmin: holds(policy, principal, "scopegate:admin"),
  };
}

/** Whose tokens the caller may see: `null`, everybody's, with `scopegate:read`. */
export function visibleTo(policy: Policy, principal: Principal): Owner {
  return holds(policy, principal, "scopegate:read") ? null : ownerOf(principal);
}

/** Whose tokens the caller may revoke or rotate: `null`, everybody's, with `scopegate:admin` only. */
export function changeableBy(policy: Policy, principal: Principal): Owner {
  return holds(policy, principal, "scopegate:admin") ? null : ownerOf(principal);
}

function holds(policy: Policy, principal: Principal, name: string): boolean {
  const scope = policy.catalogue.byName.get(name);
  return scope !== undefined && has(principal.grant.granted, scope);
}

/** The condition tables as the claim has them; `null` if they cannot be read, and then the caller may issue nothing. */
function conditionsOf(principal: Principal, authorization: string | null): readonly ConditionTable[] | null {
  if (principal.conditions === "unreadable") return null;
  if (principal.conditions.length === 0) return [];
  const given = credentials(authorization);
  const claim = given.kind === "bearer" ? parseJws(given.token)?.payload["conditions"] : undefined;
  const tables = Array.isArray(claim) ? claim : [claim];
  // The cast is safe: the verifier has checked the same claim against `conditionsSchema`.
  return claim !== undefined && tables.length === principal.conditions.length ? (tables as ConditionTable[]) : null;
}
