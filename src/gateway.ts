/**
 * The way of a request, in the contract's order (§3): path, route, credentials, token, revocation, authorization,
 * origin. Each step is one call to one room and answers with its result or a denial; nothing is thrown to say no.
 *
 * Guarantees: the origin receives a request only after every step has passed, at the very path that was decided on.
 * In report mode the steps from the credentials on are judged and logged, and then forwarded all the same.
 */
import type { DecisionLog, LoggedDecision } from "./decision-log.ts";
import { type Denial, denialResponse } from "./denial.ts";
import { guardConnection, isLongLived } from "./origin/connection.ts";
import { forward } from "./origin/forward.ts";
import { compileRemovedHeaders, type Identity, rewriteHeaders } from "./origin/headers.ts";
import type { Origin } from "./origin/origin.ts";
import { deprecationHeaders, withHeaders } from "./origin/response.ts";
import { type Asked, decide, decidePublic } from "./policy/decision.ts";
import { deprecatedScopes } from "./policy/deprecation.ts";
import type { Alternative, Policy, Route } from "./policy/policy.ts";
import { callerAddress, callerCountry } from "./request/caller.ts";
import { corsHeaders, isPreflight, preflightResponse } from "./request/cors.ts";
import { credentials } from "./request/credentials.ts";
import { type CanonicalPath, canonicalPath } from "./request/path.ts";
import type { RevocationFeed } from "./revocation/feed.ts";
import type { Principal } from "./token/principal.ts";
import type { Verifier } from "./token/verify.ts";

/** What the gateway needs of its surroundings; `index.ts` passes it in. */
export interface Surroundings {
  readonly policy: Policy;
  readonly verifier: Verifier;
  readonly revocation: RevocationFeed;
  readonly origin: Origin;
  /** Answers the admin API's routes, once their caller is known and allowed. */
  readonly admin: (request: Request, call: AdminCall) => Promise<Response>;
  /** Answers what is served without a token: keys, metadata, health, the pages of the problems. */
  readonly open: (route: Route, values: readonly string[], requestId: string) => Promise<Response>;
  readonly log: DecisionLog;
  /** Counts a use; returns at once and writes behind the response. */
  readonly countUse: (
    principal: Principal,
    alternative: Alternative | null,
    nowMilliseconds: number,
    behind: Behind,
  ) => void;
  readonly now: () => number;
}

export interface AdminCall {
  readonly principal: Principal;
  readonly requestId: string;
  readonly address: string | null;
  readonly behind: Behind;
}

/** Lets work go on after the response: `ExecutionContext.waitUntil`. */
export type Behind = (work: Promise<unknown>) => void;

export type Gateway = (request: Request, behind: Behind) => Promise<Response>;

/** One request on its way. */
interface Passage {
  readonly request: Request;
  readonly requestId: string;
  readonly startedAtMilliseconds: number;
  readonly behind: Behind;
}

type Judgement =
  | { readonly denial: null; readonly principal: Principal | null; readonly alternative: Alternative | null }
  | { readonly denial: Denial; readonly principal: Principal | null; readonly detail?: string };

export function createGateway(surroundings: Surroundings): Gateway {
  const { policy, verifier, revocation, origin, log, now } = surroundings;
  const removed = compileRemovedHeaders(policy.origin);

  async function answer(passage: Passage): Promise<Response> {
    const { request } = passage;
    const path = canonicalPath(request.url, request.headers.get("host"));
    if (path === null) return refuse(passage, null, { reason: "ambiguous_path" });

    const found = policy.router.find(request.method, path.path);
    if (path.encodedSlash && !(found.kind === "found" && found.route.encodedSlash)) {
      return refuse(passage, null, { reason: "ambiguous_path" });
    }
    if (found.kind === "ambiguous") return refuse(passage, null, { reason: "ambiguous_path" });
    if (found.kind === "not_found") return refuse(passage, null, { reason: "route_not_found" });
    if (found.kind === "method_not_allowed") {
      return refuse(passage, null, { reason: "method_not_allowed", allow: found.allow });
    }
    const { route, values } = found;

    const asked = askedBy(request, path, values, Math.floor(passage.startedAtMilliseconds / 1000));
    const judgement =
      route.requirement.kind === "public" ? judgePublic(route, asked) : await judge(passage, route, asked);
    if (judgement.denial !== null) {
      if (policy.gateway.mode === "report" && route.target === "origin") {
        return reportAndForward(passage, route, path, asked, judgement.denial, judgement);
      }
      return refuse(passage, route, judgement.denial, judgement);
    }
    const { principal, alternative } = judgement;
    if (principal !== null)
      surroundings.countUse(principal, alternative, passage.startedAtMilliseconds, passage.behind);
    switch (route.target) {
      case "origin":
        return forwardTo(passage, route, path, asked, principal, alternative);
      case "admin":
        return answerAdmin(passage, route, principal, asked);
      case "gateway":
        return surroundings.open(route, values, passage.requestId);
    }
  }

  /** From the credentials to the conditions. */
  async function judge(passage: Passage, route: Route, asked: Asked): Promise<Judgement> {
    const { request, behind } = passage;
    const given = credentials(request.headers.get("authorization"));
    if (given.kind === "none") return refusal({ reason: "token_missing" });
    if (given.kind === "malformed") return refusal({ reason: "credentials_malformed" });

    let principal = verifier.recall(given.token, asked.nowSeconds);
    if (principal === undefined) {
      const verified = await verifier.verify(given.token, asked.nowSeconds, behind);
      if ("reason" in verified) return refusal(verified, null, "detail" in verified ? verified.detail : undefined);
      principal = verified;
    }

    const revoked = await isRevoked(route, principal, passage.startedAtMilliseconds, behind);
    if (revoked !== false) return refusal(revoked, principal);

    const decision = decide(route, principal, asked);
    return decision.allowed
      ? { denial: null, principal, alternative: decision.alternative }
      : refusal(decision.denial, principal);
  }

  /** False, or the refusal. Knowledge that is too old decides nothing. */
  async function isRevoked(
    route: Route,
    principal: Principal,
    nowMilliseconds: number,
    behind: Behind,
  ): Promise<false | Denial> {
    const ready = revocation.ready(nowMilliseconds, behind);
    if (ready !== true && !(await ready)) return REVOCATION_UNAVAILABLE;
    const nowSeconds = Math.floor(nowMilliseconds / 1000);
    if (revocation.isRevoked(principal, nowSeconds)) return TOKEN_REVOKED;
    if (!route.strictRevocation) return false;
    const answered = await revocation.isRevokedStrict(principal, nowSeconds);
    if (answered === null) return REVOCATION_UNAVAILABLE;
    return answered ? TOKEN_REVOKED : false;
  }

  async function forwardTo(
    passage: Passage,
    route: Route,
    path: CanonicalPath,
    asked: Asked,
    principal: Principal | null,
    alternative: Alternative | null,
  ): Promise<Response> {
    const { request, requestId } = passage;
    const identity = principal === null ? null : identityOf(principal, alternative);
    const rewrite = (headers: Headers): void => {
      rewriteHeaders(headers, removed, identity, {
        requestId,
        address: asked.address,
        host: request.headers.get("host"),
        proto: request.url.startsWith("https:") ? "https" : "http",
      });
    };
    const answered = await forward(origin, request, path, rewrite, policy.origin.timeoutMilliseconds);
    if (!(answered instanceof Response)) return refuse(passage, route, answered, { principal });
    log.allowed(entry(passage, route, answered.status, principal));

    let response = answered;
    if (principal !== null && alternative !== null) {
      const leaving = deprecatedScopes(policy.catalogue, alternative, principal.grant);
      if (leaving.length > 0) response = withHeaders(response, deprecationHeaders(leaving));
    }
    if (principal === null || route.unboundedConnection || !isLongLived(response)) return response;
    return guardConnection(response, {
      stillGood: () => isStillGood(route, principal, passage.behind),
      expiresAtSeconds: principal.expiresAtSeconds + policy.gateway.clockSkewSeconds,
      intervalMilliseconds: policy.revocation.refreshMilliseconds,
      now,
    });
  }

  /** Asked anew while a connection stays open. Knowledge that is too old ends it, as it would refuse a request. */
  async function isStillGood(route: Route, principal: Principal, behind: Behind): Promise<boolean> {
    return (await isRevoked(route, principal, now(), behind)) === false;
  }

  async function reportAndForward(
    passage: Passage,
    route: Route,
    path: CanonicalPath,
    asked: Asked,
    denial: Denial,
    { principal, detail }: { principal: Principal | null; detail?: string },
  ): Promise<Response> {
    log.refused({ ...entry(passage, route, 0, principal), reason: denial.reason, detail, reported: true });
    const isStanding = denial.reason !== "token_revoked" && denial.reason !== "revocation_unavailable";
    return forwardTo(passage, route, path, asked, isStanding ? principal : null, null);
  }

  async function answerAdmin(
    passage: Passage,
    route: Route,
    principal: Principal | null,
    asked: Asked,
  ): Promise<Response> {
    if (principal === null) return refuse(passage, route, { reason: "internal_error" });
    const { requestId, behind, request } = passage;
    const response = await surroundings.admin(request, { principal, requestId, address: asked.address, behind });
    log.administered(entry(passage, route, response.status, principal));
    return response;
  }

  function refuse(
    passage: Passage,
    route: Route | null,
    denial: Denial,
    known: { principal: Principal | null; detail?: string } = { principal: null },
  ): Response {
    const { publicUrl, adminPath } = policy.gateway;
    const response = denialResponse(denial, { publicUrl, adminPath, requestId: passage.requestId });
    log.refused({
      ...entry(passage, route, response.status, known.principal),
      reason: denial.reason,
      detail: known.detail,
      reported: false,
    });
    return response;
  }

  function entry(passage: Passage, route: Route | null, status: number, principal: Principal | null): LoggedDecision {
    return {
      requestId: passage.requestId,
      method: passage.request.method,
      route: route?.key ?? null,
      status,
      principal,
      startedAtMilliseconds: passage.startedAtMilliseconds,
      finishedAtMilliseconds: now(),
    };
  }

  return async (request, behind) => {
    const passage = { request, requestId: crypto.randomUUID(), startedAtMilliseconds: now(), behind };
    const { cors } = policy;
    const header = (name: string): string | null => request.headers.get(name);
    if (cors !== null && isPreflight(request.method, header)) {
      return preflightResponse(cors, header("Origin"), passage.requestId);
    }
    let response: Response;
    try {
      response = await answer(passage);
    } catch (error) {
      log.failed(passage.requestId, error);
      response = refuse(passage, null, { reason: "internal_error" });
    }
    return cors === null ? response : withHeaders(response, corsHeaders(cors, header("Origin")));
  };
}

const TOKEN_REVOKED: Denial = { reason: "token_revoked" };
const REVOCATION_UNAVAILABLE: Denial = { reason: "revocation_unavailable", retryAfterSeconds: 5 };

function judgePublic(route: Route, asked: Asked): Judgement {
  const decision = decidePublic(route, asked);
  return decision.allowed ? { denial: null, principal: null, alternative: null } : refusal(decision.denial);
}

function refusal(denial: Denial, principal: Principal | null = null, detail?: string): Judgement {
  return detail === undefined ? { denial, principal } : { denial, principal, detail };
}

function identityOf(principal: Principal, alternative: Alternative | null): Identity {
  const { subject, issuer, client, tokenId } = principal;
  return { subject, issuer, client, tokenId, scopes: alternative === null ? null : alternative.header };
}

function askedBy(request: Request, path: CanonicalPath, values: readonly string[], nowSeconds: number): Asked {
  const header = (name: string): string | null => request.headers.get(name);
  return {
    values,
    query: path.query,
    header,
    address: callerAddress(header),
    country: () => callerCountry(request.cf),
    nowSeconds,
  };
}
