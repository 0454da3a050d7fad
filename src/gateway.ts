/**
 * The steps that a request goes through, in the contract's order (§3): path, route, credentials, token, revocation,
 * authorization, origin. Each step is one call to one room and returns its result or a denial; no refusal is thrown.
 *
 * Guarantees: the origin receives a request only after every step has passed, at exactly the path that was decided on.
 * In report mode, refusals on routes to the origin, from the step credentials on, are only logged: the request goes on.
 */
import type { Behind } from "./deadline.ts";
import type { DecisionLog, LoggedDecision } from "./decision-log.ts";
import { type Denial, denialResponse, type Reason } from "./denial.ts";
import { createJudge, isOfRevocation, type Judgement, judgePublic } from "./judgement.ts";
import type { Exchange } from "./origin/exchange.ts";
import { withCors } from "./origin/response.ts";
import type { Asked } from "./policy/decision.ts";
import type { Policy } from "./policy/policy.ts";
import type { Alternative, Route } from "./policy/route.ts";
import type { Found } from "./policy/routing/router.ts";
import { callerAddress, callerCountry } from "./request/caller.ts";
import { corsHeaders, isPreflight, preflightResponse } from "./request/cors.ts";
import { type CanonicalPath, canonicalPath } from "./request/path.ts";
import type { RevocationFeed } from "./revocation/feed.ts";
import type { Principal } from "./token/principal.ts";
import type { Verifier } from "./token/verify.ts";

/** The gateway's dependencies; `index.ts` passes them in. */
export interface Surroundings {
  readonly policy: Policy;
  readonly verifier: Verifier;
  readonly revocation: RevocationFeed;
  readonly exchange: Exchange;
  /** Answers the admin API's routes, once the caller is authenticated and authorized. */
  readonly admin: (request: Request, call: AdminCall) => Promise<Response>;
  /** Answers the gateway's own routes that need no token: public keys, metadata, health, pages about problem types. */
  readonly open: (route: Route, values: readonly string[]) => Promise<Response | Denial>;
  readonly log: DecisionLog;
  /** Counts a use of the token; returns at once and writes after the response. */
  readonly countUse: (
    principal: Principal,
    decided: Alternative | null,
    nowMilliseconds: number,
    behind: Behind,
  ) => void;
  readonly now: () => number;
}

interface AdminCall {
  readonly principal: Principal;
  readonly requestId: string;
  readonly address: string | null;
  readonly behind: Behind;
  /** The admin API calls this with the reason when it refuses the call, for the log. */
  readonly refused: (reason: Reason) => void;
}

export type Gateway = (request: Request, behind: Behind) => Promise<Response>;

/** One request, with what every step and the log need. */
interface Passage {
  readonly request: Request;
  readonly requestId: string;
  readonly startedAtMilliseconds: number;
  readonly behind: Behind;
}

export function createGateway(surroundings: Surroundings): Gateway {
  const { policy, exchange, log, now } = surroundings;
  const { judge, revocationDenial } = createJudge(surroundings);
  const isReporting = policy.gateway.mode === "report";

  async function answer(passage: Passage): Promise<Response> {
    const { request, requestId, behind, startedAtMilliseconds } = passage;
    const path = canonicalPath(request.url, request.headers.get("host"));
    if (path === null) return refuse(passage, null, { reason: "ambiguous_path" });

    const found = policy.router.find(request.method, path.path);
    if (path.encodedSlash && !(found.kind === "found" && found.route.encodedSlash)) {
      return refuse(passage, null, { reason: "ambiguous_path" });
    }
    if (found.kind !== "found") return refuse(passage, null, routeDenial(found));
    const { route, values } = found;

    const asked = askedBy(request, path, values, Math.floor(startedAtMilliseconds / 1000));
    const judgement =
      route.requirement.kind === "public" ? judgePublic(route, asked) : await judge(passage, route, asked);
    const { denial, principal, alternative } = judgement;
    if (denial !== null) {
      if (!isReporting || route.target !== "origin") return refuse(passage, route, denial, judgement);
      report(passage, route, denial, judgement);
    } else if (principal !== null) {
      surroundings.countUse(principal, alternative, startedAtMilliseconds, behind);
    }

    if (route.target === "gateway") {
      const served = await surroundings.open(route, values);
      return served instanceof Response ? served : refuse(passage, route, served);
    }
    if (route.target === "admin") return administer(passage, route, principal, asked);
    const known = isOfRevocation(denial) ? null : principal;
    const stillGood = async (): Promise<boolean> =>
      known === null || (await revocationDenial(route, known, now(), behind)) === null;
    const answered = await exchange({
      request,
      requestId,
      route,
      path,
      asked,
      principal: known,
      alternative,
      stillGood,
    });
    if (!(answered instanceof Response)) return refuse(passage, route, answered, { principal });
    if (denial === null) log.allowed(() => entry(passage, route, answered.status, principal));
    return answered;
  }

  async function administer(
    passage: Passage,
    route: Route,
    principal: Principal | null,
    asked: Asked,
  ): Promise<Response> {
    if (principal === null) throw new Error("an admin route without a principal");
    const { requestId, behind, request } = passage;
    let reason: Reason | null = null;
    const refused = (why: Reason): void => {
      reason = why;
    };
    const call = { principal, requestId, address: asked.address, behind, refused };
    const response = await surroundings.admin(request, call);
    const decision = entry(passage, route, response.status, principal);
    if (reason === null) log.administered(decision);
    else log.refused({ ...decision, reason, reported: false });
    return response;
  }

  function refuse(passage: Passage, route: Route | null, denial: Denial, known?: Known): Response {
    const { publicUrl, adminPath } = policy.gateway;
    const response = denialResponse(denial, { publicUrl, adminPath, requestId: passage.requestId });
    const decision = entry(passage, route, response.status, known?.principal ?? null);
    log.refused({ ...decision, reason: denial.reason, detail: known?.detail, reported: false });
    return response;
  }

  function report(passage: Passage, route: Route, denial: Denial, known: Known): void {
    const decision = entry(passage, route, 0, known.principal);
    log.refused({ ...decision, reason: denial.reason, detail: known.detail, reported: true });
  }

  function entry(passage: Passage, route: Route | null, status: number, principal: Principal | null): LoggedDecision {
    const { requestId, request, startedAtMilliseconds } = passage;
    const key = route === null ? null : route.key;
    return {
      requestId,
      method: request.method,
      route: key,
      status,
      principal,
      startedAtMilliseconds,
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
    return cors === null ? response : withCors(response, corsHeaders(cors, header("Origin")));
  };
}

function routeDenial(found: Exclude<Found, { readonly kind: "found" }>): Denial {
  switch (found.kind) {
    case "ambiguous":
      return { reason: "ambiguous_path" };
    case "not_found":
      return { reason: "route_not_found" };
    case "method_not_allowed":
      return { reason: "method_not_allowed", allow: found.allow };
  }
}

type Known = Pick<Judgement, "principal" | "detail">;

function askedBy(request: Request, path: CanonicalPath, values: readonly string[], nowSeconds: number): Asked {
  const header = (name: string): string | null => request.headers.get(name);
  const country = (): string | null => callerCountry(request.cf);
  return { values, query: path.query, header, address: callerAddress(header), country, nowSeconds };
}
