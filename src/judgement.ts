/**
 * Who calls, and whether the call is allowed: credentials, token, revocation, authorization, in the contract's order
 * (§3). Each step is one call to one room and returns its result or a denial.
 *
 * Guarantees: where a token is needed, no caller passes unless it is verified, then not revoked, then allowed the call.
 * Leaves to the gateway whether a denial refuses the request or is only reported.
 */
import type { Behind } from "./deadline.ts";
import type { Denial } from "./denial.ts";
import { type Asked, decide, decidePublic } from "./policy/decision.ts";
import type { Alternative, Route } from "./policy/route.ts";
import { credentials } from "./request/credentials.ts";
import type { RevocationFeed } from "./revocation/feed.ts";
import type { Principal } from "./token/principal.ts";
import { isRefusal, type Verifier } from "./token/verify.ts";

/** The caller, as far as known, and why the call is denied; `denial` is `null` where it is allowed. */
export interface Judgement {
  readonly denial: Denial | null;
  readonly principal: Principal | null;
  readonly alternative: Alternative | null;
  /** For the log: the rule that a token broke. */
  readonly detail?: string | undefined;
}

export interface Judge {
  /** Takes the steps from credentials to conditions, on a route that needs a token. */
  readonly judge: (call: Call, route: Route, asked: Asked) => Promise<Judgement>;
  /** A denial if the token is revoked or that cannot be established; else `null`. A promise only if I/O is needed. */
  readonly revocationDenial: (
    route: Route,
    principal: Principal,
    nowMilliseconds: number,
    behind: Behind,
  ) => Denial | null | Promise<Denial | null>;
}

interface Call {
  readonly request: Request;
  readonly startedAtMilliseconds: number;
  readonly behind: Behind;
}

const BEARER = "Bearer ";
const REVOKED: Denial = { reason: "token_revoked" };
const REVOCATION_UNAVAILABLE: Denial = { reason: "revocation_unavailable", retryAfterSeconds: 5 };
const NOBODY: Judgement = { denial: null, principal: null, alternative: null };

export function createJudge({
  verifier,
  revocation,
}: {
  readonly verifier: Verifier;
  readonly revocation: RevocationFeed;
}): Judge {
  async function judge(
    { request, behind, startedAtMilliseconds }: Call,
    route: Route,
    asked: Asked,
  ): Promise<Judgement> {
    const authorization = request.headers.get("authorization");
    // `recall` finds only tokens that passed `credentials` and `verify` before: their characters need no second check.
    let principal = authorization?.startsWith(BEARER)
      ? verifier.recall(authorization.slice(BEARER.length), asked.nowSeconds)
      : undefined;
    if (principal === undefined) {
      const given = credentials(authorization);
      if (given.kind === "none") return denied({ reason: "token_missing" });
      if (given.kind === "malformed") return denied({ reason: "credentials_malformed" });
      const verified = await verifier.verify(given.token, asked.nowSeconds, behind);
      if (isRefusal(verified))
        return denied(verified, null, verified.reason === "token_invalid" ? verified.detail : undefined);
      principal = verified;
    }

    const asking = revocationDenial(route, principal, startedAtMilliseconds, behind);
    const denial = asking instanceof Promise ? await asking : asking;
    if (denial !== null) return denied(denial, principal);

    const decision = decide(route, principal, asked);
    if (!decision.allowed) return denied(decision.denial, principal);
    return { denial: null, principal, alternative: decision.alternative };
  }

  function revocationDenial(
    route: Route,
    principal: Principal,
    nowMilliseconds: number,
    behind: Behind,
  ): Denial | null | Promise<Denial | null> {
    const ready = revocation.ready(nowMilliseconds, behind);
    const nowSeconds = Math.floor(nowMilliseconds / 1000);
    if (ready !== true || route.strictRevocation) return askRevocation(ready, route, principal, nowSeconds);
    return revocation.isRevoked(principal, nowSeconds) ? REVOKED : null;
  }

  /** Denies with `revocation_unavailable` where the revocation data is too old to decide on. */
  async function askRevocation(
    ready: true | Promise<boolean>,
    route: Route,
    principal: Principal,
    nowSeconds: number,
  ): Promise<Denial | null> {
    if (!(await ready)) return REVOCATION_UNAVAILABLE;
    if (revocation.isRevoked(principal, nowSeconds)) return REVOKED;
    if (!route.strictRevocation) return null;
    const answered = await revocation.isRevokedStrict(principal, nowSeconds);
    if (answered === null) return REVOCATION_UNAVAILABLE;
    return answered ? REVOKED : null;
  }
  return { judge, revocationDenial };
}

/** Checks the conditions of a public route, which are all that it requires. */
export function judgePublic(route: Route, asked: Asked): Judgement {
  const decision = decidePublic(route, asked);
  return decision.allowed ? NOBODY : denied(decision.denial);
}

/** Whether a token is denied as revoked, or perhaps revoked: report mode then does not tell the origin who calls. */
export function isOfRevocation(denial: Denial | null): boolean {
  return denial === REVOKED || denial === REVOCATION_UNAVAILABLE;
}

function denied(denial: Denial, principal: Principal | null = null, detail?: string): Judgement {
  return { denial, principal, alternative: null, detail };
}
