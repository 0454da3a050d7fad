/**
 * Who asks, and whether they may: credentials, token, revocation, authorization, in the contract's order (§3). Each step is one
 * call to one room and answers with its result or a denial.
 *
 * Guarantees: nobody passes whose token was not verified, asked of the revocation list and decided on, in this order.
 * Leaves to the gateway what becomes of a denial.
 */
import type { Denial } from "./denial.ts";
import { type Asked, decide, decidePublic } from "./policy/decision.ts";
import type { Alternative, Route } from "./policy/route.ts";
import { credentials } from "./request/credentials.ts";
import type { RevocationFeed } from "./revocation/feed.ts";
import type { Principal } from "./token/principal.ts";
import { isRefusal, type Verifier } from "./token/verify.ts";

/** Who asks, as far as it is known, and why not, if not. */
export interface Judgement {
  readonly denial: Denial | null;
  readonly principal: Principal | null;
  readonly alternative: Alternative | null;
  /** For the log: which rule a token broke. */
  readonly detail?: string | undefined;
}

/** Lets work go on after the response: `ExecutionContext.waitUntil`. */
export type Behind = (work: Promise<unknown>) => void;

export interface Judge {
  /** From the credentials to the conditions, on a route that asks for a token. */
  readonly judge: (call: Call, route: Route, asked: Asked) => Promise<Judgement>;
  /** Whether revocation stands against a principal: at once, unless somebody has to be asked. */
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
    // Only what has been read and verified whole is recalled, so that its characters need no second look.
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

  /** Knowledge that is too old decides nothing. */
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

/** The conditions of a route that asks for no token. */
export function judgePublic(route: Route, asked: Asked): Judgement {
  const decision = decidePublic(route, asked);
  return decision.allowed ? NOBODY : denied(decision.denial);
}

/** Whether it is revocation that stands against the caller, or might: nobody who is refused so is told to the origin. */
export function isOfRevocation(denial: Denial | null): boolean {
  return denial === REVOKED || denial === REVOCATION_UNAVAILABLE;
}

function denied(denial: Denial, principal: Principal | null = null, detail?: string): Judgement {
  return { denial, principal, alternative: null, detail };
}
