/**
 * Tokens signed with the local signing keys, so that nobody needs an identity provider, or a deployed gateway, to begin.
 * They have no record: a gateway that has the same keys accepts them, and revokes them by their `jti`.
 */

import { closest } from "../policy/near.ts";
import type { Policy } from "../policy/policy.ts";
import { formatAllowList, type IssuableAllowList } from "../policy/resources/allow-list.ts";
import { covers, isScopeToken, isWildcard } from "../policy/scope.ts";
import { grantsUnder } from "../token/grants.ts";
import { newTokenId, type TokenContents } from "../token/issue.ts";
import { generateSigningKeys, loadSigningKeys, type SigningKeys, SigningKeysError } from "../token/signing-keys.ts";
import { Refusal } from "./command.ts";
import { addDevVar, DEV_VARS } from "./dev-vars.ts";

export interface LocalTokenRequest {
  readonly scopes: readonly string[];
  readonly subject: string;
  /** `null`: the policy's default, cut to what the scopes allow. */
  readonly lifetimeSeconds: number | null;
  /** `null`: the token has no list. */
  readonly allowList: IssuableAllowList | null;
  readonly nowSeconds: number;
}

/** What a token of this gateway will say. Throws `Refusal` for what the policy does not allow. */
export function planLocalToken(policy: Policy, request: LocalTokenRequest): TokenContents {
  const { scopes, subject, allowList, nowSeconds } = request;
  checkScopes(policy, scopes);
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

/** Makes signing keys where there are none, as the first `npm start` does, and says so. */
export async function freshSigningKeys(tell: (done: string) => void): Promise<string> {
  const keys = await generateSigningKeys();
  addDevVar("SIGNING_KEYS", keys);
  tell(`made ${DEV_VARS} with fresh signing keys`);
  return keys;
}

/** The local signing keys. Throws `Refusal` where they are not usable. */
export async function signingKeysFrom(secret: string): Promise<SigningKeys> {
  try {
    return await loadSigningKeys(secret);
  } catch (error) {
    if (error instanceof SigningKeysError) throw new Refusal(error.message);
    throw error;
  }
}

function checkScopes({ catalogue }: Policy, names: readonly string[]): void {
  if (names.length === 0) throw new Refusal("a token needs at least one scope");
  const unknown = names.filter((name) => {
    if (!isScopeToken(name)) return true;
    if (!isWildcard(name)) return !catalogue.byName.has(name);
    return !catalogue.scopes.some((scope) => covers(name, scope.name));
  });
  if (unknown.length === 0) return;
  const list = unknown.map((name) => {
    const near = closest(name, catalogue.byName.keys());
    return near === null ? JSON.stringify(name) : `${JSON.stringify(name)} (did you mean "${near}"?)`;
  });
  throw new Refusal(`the policy has no scope ${list.join(", ")}`);
}

function lifetimeOf({ catalogue, tokens }: Policy, request: LocalTokenRequest): number {
  const { scopes, lifetimeSeconds, nowSeconds } = request;
  const { maxLifetimeSeconds: ofScopes } = grantsUnder(catalogue)(scopes, nowSeconds);
  const most = Math.min(tokens.maxLifetimeSeconds, ofScopes);
  if (lifetimeSeconds === null) return Math.min(tokens.defaultLifetimeSeconds, most);
  if (lifetimeSeconds <= most) return lifetimeSeconds;
  const whose = ofScopes < tokens.maxLifetimeSeconds ? "the max_lifetime of its scopes" : "[tokens] max_lifetime";
  throw new Refusal(`a lifetime of ${lifetimeSeconds} s is over ${whose}, ${most} s`);
}
