/**
 * The caller behind a token, for `scopegate explain`. Does not trust the token: whatever was not checked is marked as assumed.
 * Verifies a token of this gateway if the local signing keys can; judges only the claims of other issuers', fetching nothing.
 */

import { readConditions } from "../policy/conditions/conditions.ts";
import type { IssuerPolicy, Policy } from "../policy/policy.ts";
import { readAllowList } from "../policy/resources/allow-list.ts";
import type { Caller } from "../policy/review/explain.ts";
import { credentials } from "../request/credentials.ts";
import { authenticatedAt, type ClaimsOutcome, judgeClaims, judgeOwnClaims } from "../token/claims.ts";
import { grantsUnder } from "../token/grants.ts";
import { type Jws, parseJws } from "../token/jws.ts";
import { canonicalAlgorithm } from "../token/keys.ts";
import { OWN_SCOPES, scopesOf } from "../token/scopes.ts";
import { createVerifier, isRefusal } from "../token/verify.ts";
import { faultWords, issuerWords, missingScopesWords } from "./claim-words.ts";
import { localSigningKeys } from "./dev-vars.ts";
import { signingKeysFrom } from "./local-token.ts";

type Refused = Extract<Caller, { kind: "refused" }>;

/** The caller that this token stands for at `nowSeconds`, as far as this machine can tell; or why it is refused. */
export async function callerOfToken(policy: Policy, token: string, nowSeconds: number): Promise<Caller> {
  if (credentials(`Bearer ${token}`).kind !== "bearer") {
    return refused("credentials", "credentials_malformed", "is no bearer token (RFC 6750 §2.1)");
  }
  const jws = parseJws(token);
  if (jws === null) return refused("token", "token_invalid", unreadable(token));
  if (jws.payload["iss"] !== policy.gateway.publicUrl) return callerOfOther(policy, jws, nowSeconds);

  const outcome = judgeOwnClaims(jws, policy.tokens.audience, nowSeconds, policy.gateway.clockSkewSeconds);
  const unchecked = await verifyLocally(policy, token, jws, outcome, nowSeconds);
  if (typeof unchecked !== "string") return unchecked;
  return callerOfClaims(policy, jws, outcome, null, unchecked, nowSeconds);
}

function unreadable(token: string): string {
  const parts = token.split(".");
  return parts.length === 3 && !parts.includes("")
    ? "is no JWS in compact form that could be read strictly"
    : "is not a whole JWT (three parts joined by dots): was it cut off?";
}

/** The caller, verified or refused; or a text that says why the local keys cannot decide. */
async function verifyLocally(
  policy: Policy,
  token: string,
  { payload }: Jws,
  outcome: ClaimsOutcome,
  nowSeconds: number,
): Promise<Caller | string> {
  const local = localSigningKeys();
  if (local === null) return "its signature is not checked: there are no local SIGNING_KEYS";
  const keys = await signingKeysFrom(local.secret);
  const verifier = createVerifier({
    policy,
    bindings: {},
    signingKeys: async () => keys,
    fetch: async () => {
      throw new Error("nothing is fetched here");
    },
    now: () => nowSeconds,
    copies: null,
    report: () => {},
  });
  const verified = await verifier.verify(token, nowSeconds, () => {});
  if (!isRefusal(verified)) {
    return {
      kind: "holder",
      holder: verified,
      token: {
        detail: `of ${verified.subject ?? "nobody"}, verified with the local SIGNING_KEYS${missingScopesWords(payload, null)}`,
      },
      revocation: NOT_ASKED,
    };
  }
  if (verified.reason !== "token_invalid") {
    return refused("token", verified.reason, outcome.kind === "expired" ? EXPIRED : OUTLIVED);
  }
  if (verified.detail === "key") return "its signature is not checked: its key is not among the local SIGNING_KEYS";
  return refused("token", verified.reason, faultWords(verified.detail, payload, [policy.tokens.audience]));
}

function callerOfOther(policy: Policy, jws: Jws, nowSeconds: number): Caller {
  const issuer = policy.issuers.find((each) => each.issuer === jws.payload["iss"]);
  if (issuer === undefined) return refused("token", "token_invalid", issuerWords(policy, jws.payload));
  if (!issuer.algorithms.some((name) => canonicalAlgorithm(name) === canonicalAlgorithm(jws.header.alg))) {
    return refused("token", "token_invalid", "is signed by an algorithm that the policy does not accept");
  }
  const outcome = judgeClaims(jws, issuer, nowSeconds, policy.gateway.clockSkewSeconds);
  const unchecked = `its signature is not checked: the keys of ${issuer.issuer} are not here`;
  return callerOfClaims(policy, jws, outcome, issuer, unchecked, nowSeconds);
}

/** `issuer` is `null` for a token of this gateway. */
function callerOfClaims(
  policy: Policy,
  jws: Jws,
  outcome: ClaimsOutcome,
  issuer: IssuerPolicy | null,
  unchecked: string,
  nowSeconds: number,
): Caller {
  const { payload } = jws;
  const own = issuer === null;
  if (outcome.kind === "invalid") {
    const audiences = own ? [policy.tokens.audience] : issuer.audiences;
    return refused("token", "token_invalid", faultWords(outcome.fault, payload, audiences));
  }
  if (outcome.kind === "expired") return refused("token", "token_expired", EXPIRED);
  const scopes = scopesOf(payload, issuer ?? OWN_SCOPES);
  const { grant, maxLifetimeSeconds } = grantsUnder(policy.catalogue)(scopes, nowSeconds);
  const { issuedAtSeconds } = outcome.claims;
  const since = own ? authenticatedAt(payload, issuedAtSeconds) : issuedAtSeconds;
  if (since === undefined) return refused("token", "token_invalid", "is not valid here: times");
  const ends = (issuedAtSeconds ?? 0) + maxLifetimeSeconds + policy.gateway.clockSkewSeconds;
  if (own && nowSeconds >= ends) return refused("token", "token_expired", OUTLIVED);
  return {
    kind: "holder",
    holder: {
      grant,
      allowList: readAllowList(Object.hasOwn(payload, "allow_list") ? payload["allow_list"] : undefined),
      conditions: own ? readConditions(Object.hasOwn(payload, "conditions") ? payload["conditions"] : undefined) : [],
      issuedAtSeconds: since,
    },
    token: { detail: `${unchecked}${missingScopesWords(payload, issuer)}`, assumed: true },
    revocation: NOT_ASKED,
  };
}

const EXPIRED = "has expired";
const OUTLIVED = "has outlived the max_lifetime of its scopes";
const NOT_ASKED = { detail: "is not asked from here; POST /explain on the gateway does", assumed: true } as const;

function refused(step: Refused["step"], reason: Refused["reason"], detail: string): Refused {
  return { kind: "refused", step, reason, detail: `the token ${detail}` };
}
