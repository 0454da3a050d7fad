/**
 * `POST /explain`: what the gateway would answer to a call, step by step, from the functions that enforce.
 *
 * A token is verified as if it arrived now; its lifetime, its revocation (by the current list) and the decision are judged at
 * `at`. Accepted: this shows what the policy allows, addresses and hours too, to every caller who may read the policy.
 */
import * as v from "valibot";
import type { Behind } from "../deadline.ts";
import { parseAddress } from "../policy/conditions/cidr.ts";
import type { Policy } from "../policy/policy.ts";
import { readAllowList } from "../policy/resources/allow-list.ts";
import { type Caller, type Explanation, explain } from "../policy/review/explain.ts";
import { holderOfScopes } from "../policy/review/hypothetical.ts";
import { grantOf } from "../policy/scope.ts";
import { credentials } from "../request/credentials.ts";
import type { RevocationFeed } from "../revocation/feed.ts";
import type { Principal } from "../token/principal.ts";
import type { Verifier } from "../token/verify.ts";
import { parseInstant } from "./instant.ts";
import { done, invalid, type Outcome } from "./refusal.ts";

const texts = v.array(v.string());

export const explainSchema = v.strictObject({
  method: v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, "must be a method")),
  path: v.pipe(
    v.string(),
    v.startsWith("/", "must begin with a slash"),
    v.description("With its query, as a client sends it."),
  ),
  token: v.optional(v.pipe(v.string(), v.description("Whose holder calls. Neither this nor scopes: nobody's."))),
  scopes: v.optional(
    v.pipe(
      v.union([v.string(), texts]),
      v.description("A token of this gateway with these scopes, issued at that time."),
    ),
  ),
  allow_list: v.optional(v.pipe(texts, v.description("The list of that token. Absent: it has none."))),
  ip: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => parseAddress(text) !== null, "must be an IP address"),
    ),
  ),
  country: v.optional(v.pipe(v.string(), v.regex(/^[A-Z]{2}$/, 'must be a country code, as "DE"'))),
  headers: v.optional(v.pipe(v.record(v.string(), v.string()), v.description("For resources that read one."))),
  at: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => parseInstant(text) !== null, 'must be an RFC 3339 time, as "2026-11-22T08:00:00Z"'),
    ),
  ),
});

export type ExplainBody = v.InferOutput<typeof explainSchema>;

export interface ExplainSurroundings {
  readonly policy: Policy;
  readonly verifier: Pick<Verifier, "verify">;
  readonly feed: Pick<RevocationFeed, "ready" | "isRevoked">;
}

/** Explains a call. `nowMilliseconds` is the current time; `at` in the body overrides it where the file comment says so. */
export async function explainCall(
  surroundings: ExplainSurroundings,
  body: ExplainBody,
  nowMilliseconds: number,
  behind: Behind,
): Promise<Outcome<Explanation>> {
  const { token, scopes, allow_list: allowList } = body;
  if (token !== undefined && (scopes !== undefined || allowList !== undefined)) {
    return invalid("token", "brings its own scopes and allow_list");
  }
  if (allowList !== undefined && scopes === undefined) return invalid("allow_list", "goes with scopes");
  const at = body.at === undefined ? null : parseInstant(body.at);
  const nowSeconds = Math.floor(at ?? nowMilliseconds / 1000);
  const headers = new Map(Object.entries(body.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));

  let caller: Caller = { kind: "anonymous" };
  if (token !== undefined) caller = await callerOfToken(surroundings, token, nowSeconds, nowMilliseconds, behind);
  else if (scopes !== undefined) {
    const list = allowList === undefined ? {} : { allowList: readAllowList(allowList) };
    const names = typeof scopes === "string" ? scopes.split(" ").filter(Boolean) : scopes;
    caller = holderOfScopes(surroundings.policy, { scopes: names, nowSeconds, ...list });
  }
  return done(
    explain(surroundings.policy, {
      method: body.method,
      target: body.path,
      header: (name) => headers.get(name.toLowerCase()) ?? null,
      address: body.ip ?? null,
      country: body.country ?? null,
      nowSeconds,
      caller,
    }),
  );
}

async function callerOfToken(
  { policy, verifier, feed }: ExplainSurroundings,
  token: string,
  nowSeconds: number,
  nowMilliseconds: number,
  behind: Behind,
): Promise<Caller> {
  const given = credentials(`Bearer ${token}`);
  if (given.kind !== "bearer") return refused("credentials", "credentials_malformed", "is no bearer token");
  const verified = await verifier.verify(given.token, Math.floor(nowMilliseconds / 1000), behind);
  if ("reason" in verified) {
    const why = "detail" in verified ? `is not valid here: ${verified.detail}` : "cannot be used now";
    return refused("token", verified.reason, verified.reason === "token_expired" ? "has expired" : why);
  }
  const skew = policy.gateway.clockSkewSeconds;
  if (nowSeconds >= verified.expiresAtSeconds + skew) return refused("token", "token_expired", "has expired by then");
  if (verified.issuedAtSeconds !== null && nowSeconds < verified.issuedAtSeconds - skew) {
    return refused("token", "token_invalid", "is not issued by then");
  }
  const ready = feed.ready(nowMilliseconds, behind);
  if (ready !== true && !(await ready)) {
    return refused("revocation", "revocation_unavailable", "cannot be looked up: the revocation list is unavailable");
  }
  if (feed.isRevoked(verified, nowSeconds)) return refused("revocation", "token_revoked", "has been revoked");
  return {
    kind: "holder",
    holder: atTime(policy, verified, nowSeconds),
    token: { detail: `of ${verified.subject ?? "nobody"}, ${verified.issuer}` },
    revocation: { detail: "is not revoked" },
  };
}

/** The principal with the grant that its scopes have at `nowSeconds`: scopes end at their sunset. */
function atTime(policy: Policy, principal: Principal, nowSeconds: number): Principal {
  return {
    ...principal,
    grant: grantOf(policy.catalogue, principal.scopes, { wildcards: true, admin: true }, nowSeconds),
  };
}

function refused(
  step: "credentials" | "token" | "revocation",
  reason: Extract<Caller, { kind: "refused" }>["reason"],
  detail: string,
): Caller {
  return { kind: "refused", step, reason, detail: `the token ${detail}` };
}
