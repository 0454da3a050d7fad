/**
 * Why a call is allowed or refused, step by step, for `scopegate explain` and `POST {admin_path}/explain`.
 *
 * The outcome comes from the functions that enforce (`canonicalPath`, the router, `decide`). The steps call the same
 * functions part by part, so that each requirement, even after the first that fails, says whether it is met and what
 * would meet it. Pure: the time is passed in.
 * Leaves to its caller to read the token, verify it and look up its revocation, and to pass in the results.
 * Accepted: discloses what the policy allows (addresses, hours), so it is only for those who may read the policy.
 */
import { REASONS, type Reason } from "../../denial.ts";
import { type CanonicalPath, canonicalPath } from "../../request/path.ts";
import { type Asked, type Decision, decide, decidePublic, type Holder } from "../decision.ts";
import type { Policy } from "../policy.ts";
import type { Route } from "../route.ts";
import { conditionsStep, resourcesStep, scopesStep } from "./explain-requirements.ts";
import { type Candidate, candidatesOf } from "./explain-route.ts";
import type { Step } from "./step.ts";

export interface Explanation {
  readonly allowed: boolean;
  /** The status of the refusal, also in report mode; 200 where the call is allowed. */
  readonly status: number;
  readonly reason?: Reason;
  /** In report mode, on routes to the origin, a refusal after the step route is logged and the call is forwarded. */
  readonly mode: "enforce" | "report";
  readonly method: string;
  /** The canonical path; where there is none, the target of the question. */
  readonly path: string;
  /** The key of the route that was found. */
  readonly route?: string;
  /** Every route whose pattern matches the path, the most specific first, and why it was chosen or not. */
  readonly candidates: readonly Candidate[];
  readonly steps: readonly Step[];
}

export interface Question {
  readonly method: string;
  /** Path and query as a client sends them: `/v1/charges?limit=3`. */
  readonly target: string;
  readonly header: (name: string) => string | null;
  readonly address: string | null;
  readonly country: string | null;
  readonly nowSeconds: number;
  readonly caller: Caller;
}

/** What is known of the caller. */
export type Caller =
  | { readonly kind: "anonymous" }
  /** Refused for its credentials, its token or a revocation, before the route's requirement is decided. */
  | {
      readonly kind: "refused";
      readonly step: "credentials" | "token" | "revocation";
      readonly reason: Reason;
      readonly detail: string;
    }
  | {
      readonly kind: "holder";
      readonly holder: Holder;
      readonly token: Checked;
      readonly revocation: Checked;
    };

/** The result of a step that was taken elsewhere. */
interface Checked {
  readonly detail: string;
  readonly assumed?: true;
}

/** Explains one call under one policy. Does not ask the origin, nor anything else outside the policy. */
export function explain(policy: Policy, question: Question): Explanation {
  const { method, target } = question;
  const canonical = target.startsWith("/") ? canonicalPath(`http://gateway${target}`, null) : null;
  const base = { mode: policy.gateway.mode, method, path: canonical?.path ?? target };
  if (canonical === null) {
    return refused({ ...base, candidates: [] }, { reason: "ambiguous_path" }, [
      {
        step: "path",
        passed: false,
        detail: "the path has no canonical spelling: it can be read in more than one way",
      },
    ]);
  }
  const spelt = target.split(/[?#]/, 1)[0] ?? "";
  const path: Step = {
    step: "path",
    passed: true,
    detail: spelt === canonical.path ? "is canonical" : `is matched and forwarded as ${canonical.path}`,
  };
  const found = policy.router.find(method, canonical.path);
  if (canonical.encodedSlash && !(found.kind === "found" && found.route.encodedSlash)) {
    const detail = "the path holds an encoded slash, and no route that says encoded_slash = true decides it";
    return refused({ ...base, candidates: [] }, { reason: "ambiguous_path" }, [{ ...path, passed: false, detail }]);
  }
  const candidates = candidatesOf(policy, method, canonical.path, found.kind === "found" ? found.route : null);
  const asked = { ...base, candidates };
  switch (found.kind) {
    case "not_found":
      return refused(asked, { reason: "route_not_found" }, [
        path,
        { step: "route", passed: false, detail: "no route has this path, and what is not mapped is refused" },
      ]);
    case "method_not_allowed":
      return refused(asked, { reason: "method_not_allowed" }, [
        path,
        { step: "route", passed: false, detail: `no route has ${method} here`, needs: found.allow },
      ]);
    case "ambiguous":
      return refused(asked, { reason: "ambiguous_path" }, [
        path,
        {
          step: "route",
          passed: false,
          detail: `${spellingOf(canonical, found.read)} the path falls on ${otherRoute(policy, method, found.read)}`,
        },
      ]);
    case "found":
      return explainRoute(policy, question, canonical, { ...asked, route: found.route.key }, path, found);
  }
}

function spellingOf({ path }: CanonicalPath, read: string): string {
  return read === path.toLowerCase() ? "in another case" : `read as ${read}`;
}

/** The other route, for the message: by its key where the path as it may be read reaches one. */
function otherRoute(policy: Policy, method: string, read: string): string {
  const other = policy.router.find(method, read);
  return other.kind === "found" ? `another route, ${other.route.key}` : "another route";
}

type Base = Omit<Explanation, "allowed" | "status" | "reason" | "steps">;

function explainRoute(
  policy: Policy,
  question: Question,
  canonical: CanonicalPath,
  base: Base,
  path: Step,
  { route, values }: { readonly route: Route; readonly values: readonly string[] },
): Explanation {
  const won = base.candidates.find((candidate) => candidate.route === route.key);
  const steps: Step[] = [path, { step: "route", passed: true, detail: `${route.key}: ${won?.why ?? "decides"}` }];
  const { header, address, country, nowSeconds, caller } = question;
  const asked: Asked = { values, query: canonical.query, header, address, country: () => country, nowSeconds };

  if (route.requirement.kind === "public") {
    steps.push({ step: "credentials", passed: true, detail: "the route is public: no token is looked at" });
    steps.push(conditionsStep(route, null, asked));
    return outcome(base, decidePublic(route, asked), steps);
  }
  steps.push(...callerSteps(caller));
  const holder = caller.kind === "holder" ? caller.holder : null;
  const scopes = scopesStep(policy, route, holder, nowSeconds);
  steps.push(scopes, resourcesStep(route, holder, asked), conditionsStep(route, holder, asked));
  if (caller.kind === "anonymous") return refused(base, { reason: "token_missing" }, steps);
  if (caller.kind === "refused") return refused(base, { reason: caller.reason }, steps);
  return outcome(base, decide(route, caller.holder, asked), steps);
}

function callerSteps(caller: Caller): Step[] {
  switch (caller.kind) {
    case "anonymous":
      return [
        { step: "credentials", passed: false, detail: "there is no token", needs: "Authorization: Bearer <token>" },
      ];
    case "refused": {
      const steps: Step[] = [];
      for (const step of ["credentials", "token"] as const) {
        if (step === caller.step) break;
        steps.push({
          step,
          passed: true,
          detail: step === "credentials" ? "one bearer token" : "is genuine and current",
        });
      }
      return [...steps, { step: caller.step, passed: false, detail: caller.detail }];
    }
    case "holder":
      return [
        { step: "credentials", passed: true, detail: "one bearer token" },
        { step: "token", passed: true, ...caller.token },
        { step: "revocation", passed: true, ...caller.revocation },
      ];
  }
}

function outcome(base: Base, decision: Decision, steps: readonly Step[]): Explanation {
  if (!decision.allowed) return refused(base, decision.denial, steps);
  return { allowed: true, status: 200, ...base, steps };
}

function refused(base: Base, { reason }: { readonly reason: Reason }, steps: readonly Step[]): Explanation {
  return { allowed: false, status: REASONS[reason].status, reason, ...base, steps };
}
