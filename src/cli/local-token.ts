/**
 * Tokens signed with the local signing keys, so that a first try needs no authorization server and no deployed gateway.
 * They have no record: a gateway with the same keys accepts them, and can revoke them by their `jti`.
 */

import { closest } from "../policy/near.ts";
import type { Policy } from "../policy/policy.ts";
import { formatAllowList, type IssuableAllowList } from "../policy/resources/allow-list.ts";
import { grantOf, grantsAny, has } from "../policy/scope.ts";
import { newTokenId, type TokenContents } from "../token/issue.ts";
import { generateSigningKeys, loadSigningKeys, type SigningKeys, SigningKeysError } from "../token/signing-keys.ts";
import { Refusal } from "./command.ts";
import { addDevVar, DEV_VARS } from "./dev-vars.ts";

export interface Lifetime {
  /** `Infinity` if it is longer than a policy can express. */
  readonly seconds: number;
  readonly written: string;
}

export interface LocalTokenRequest {
  readonly scopes: readonly string[];
  readonly subject: string;
  /** `null`: the policy's default, limited to what the scopes allow. */
  readonly lifetime: Lifetime | null;
  /** `null`: the token has no list. */
  readonly allowList: IssuableAllowList | null;
  readonly nowSeconds: number;
}

/** For `grantOf`: a token of this gateway may name wildcards and `scopegate:` scopes. */
const ALL = { wildcards: true, admin: true };

/** The contents of a token of this gateway. Throws `Refusal` if the policy does not allow it. */
export function planLocalToken(policy: Policy, request: LocalTokenRequest): TokenContents {
  const { scopes, subject, allowList, nowSeconds } = request;
  checkScopes(policy, scopes, nowSeconds);
  return {
    issuer: policy.gateway.publicUrl,
    audience: policy.tokens.audience,
    subject,
    clientId: "scopegate-cli",
    tokenId: newTokenId(),
    issuedAtSeconds: nowSeconds,
    expiresAtSeconds: nowSeconds + lifetimeOf(policy, request),
    scopes,
    allowList: allowList === null ? null : formatAllowList(allowList),
    conditions: [],
    ancestors: [],
  };
}

/** Creates signing keys in `.dev.vars`, as the first `npm start` does, and reports that to `tell`. */
export async function freshSigningKeys(tell: (done: string) => void): Promise<string> {
  const keys = await generateSigningKeys();
  addDevVar("SIGNING_KEYS", keys);
  tell(`made ${DEV_VARS} with fresh signing keys`);
  return keys;
}

/** The local signing keys. Throws `Refusal` if they are unusable. */
export async function signingKeysFrom(secret: string): Promise<SigningKeys> {
  try {
    return await loadSigningKeys(secret);
  } catch (error) {
    if (error instanceof SigningKeysError) throw new Refusal(error.message);
    throw error;
  }
}

function checkScopes({ catalogue }: Policy, names: readonly string[], nowSeconds: number): void {
  if (names.length === 0) throw new Refusal("a token needs at least one scope");
  const set = names.find((name) => catalogue.byName.has(name) && !grantsAny(catalogue, name, nowSeconds));
  if (set !== undefined) throw new Refusal(`"${set}" is past its sunset: nothing grants it`);
  const unknown = names.filter((name) => !grantsAny(catalogue, name, nowSeconds));
  if (unknown.length === 0) return;
  const list = unknown.map((name) => {
    const near = closest(name, catalogue.byName.keys());
    return near === null ? JSON.stringify(name) : `${JSON.stringify(name)} (did you mean "${near}"?)`;
  });
  throw new Refusal(`the policy has no scope ${list.join(", ")}`);
}

function lifetimeOf({ catalogue, tokens }: Policy, { scopes, lifetime, nowSeconds }: LocalTokenRequest): number {
  const { granted } = grantOf(catalogue, scopes, ALL, nowSeconds);
  let most = { seconds: tokens.maxLifetimeSeconds, whose: "[tokens] max_lifetime" };
  for (const scope of catalogue.scopes) {
    const seconds = has(granted, scope) ? scope.maxLifetimeSeconds : null;
    if (seconds !== null && seconds < most.seconds) most = { seconds, whose: scope.name };
  }
  if (lifetime === null) return Math.min(tokens.defaultLifetimeSeconds, most.seconds);
  if (lifetime.seconds <= most.seconds) return lifetime.seconds;
  throw new Refusal(`${lifetime.written} is over the ${durationText(most.seconds)} of ${most.whose}`);
}

/** A duration in the policy's syntax, in the largest unit that divides it evenly. */
function durationText(seconds: number): string {
  for (const [unit, length] of [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
  ] as const) {
    if (seconds % length === 0) return `${seconds / length}${unit}`;
  }
  return `${seconds}s`;
}
