/**
 * A soak: many mixed requests through the whole Worker in workerd, each answer checked against the oracle, and each request
 * that reached the origin against what was decided. Revocations come and go in between, through the admin API.
 *
 * Leaves to other tests what Miniflare, which stands before the Worker as the edge does, rewrites or refuses itself: dot
 * segments, headers over 16 KiB.
 * Trade-off: between a revocation's answer and `IN_FORCE_MILLISECONDS` later both answers are right; they are counted apart.
 */
import { execFile } from "node:child_process";
import { Agent, type IncomingHttpHeaders, request as sendRequest } from "node:http";
import { promisify } from "node:util";
import { listen, makeSigningKey, startGateway } from "./gateway.ts";
import { verdict } from "./oracle.ts";
import type { OracleRequest, Verdict } from "./oracle-policy.ts";
import { bad, type Caller, family, foreignKey, type Keys, pick, publicPart } from "./soak-callers.ts";
import {
  ADMIN_PATH,
  FOREIGN_ISSUER,
  IN_FORCE_MILLISECONDS,
  PUBLIC_URL,
  SOAK_POLICY,
  soakPolicyText,
} from "./soak-policy.ts";
import { canonicalTarget, drawnRequest } from "./soak-requests.ts";

export interface SoakOptions {
  readonly count: number;
  readonly seed: number;
  /** Requests under way at once. */
  readonly width: number;
  readonly progress?: (sofar: SoakResult) => void;
}

export interface SoakResult {
  readonly count: number;
  readonly seconds: number;
  /** By what was answered: `allowed`, or the reason. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly wrong: number;
  /** The first ten, whole. */
  readonly wrongAnswers: readonly string[];
  /** Requests that the origin received. */
  readonly reachedOrigin: number;
  readonly revocations: number;
  readonly withdrawals: number;
  /** Answers while a revocation or its end was on its way. */
  readonly unsure: number;
  /** Log lines that hold a token, or a piece that looks like one. */
  readonly leaks: number;
  /** workerd's resident memory; empty where `ps` does not tell. */
  readonly memory: readonly { readonly requests: number; readonly megabytes: number }[];
  /** In milliseconds, ascending: one for each answer. */
  readonly latencies: Float64Array;
  readonly slowest: readonly { readonly milliseconds: number; readonly what: string }[];
}

const FAMILIES = 100;
const REVOKED_KEPT = 25;
const REVOKE_EVERY = 300;
const BAD_AGE = 50_000;
const WRONG_KEPT = 10;
const SLOWEST_KEPT = 10;
const MEMORY_SAMPLES = 20;
const ANSWER_MILLISECONDS = 30_000;
const HOUR = 3600;

const STATUS: Readonly<Record<string, number>> = {
  ambiguous_path: 400,
  ambiguous_request: 400,
  credentials_malformed: 400,
  route_not_found: 404,
  method_not_allowed: 405,
  token_missing: 401,
  token_invalid: 401,
  token_expired: 401,
  token_revoked: 401,
  scope_insufficient: 403,
  resource_not_allowed: 403,
  condition_not_met: 403,
};

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Arrival {
  times: number;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

interface Entry {
  readonly sequence: number;
  readonly callers: readonly Caller[];
}

/** Runs the soak. Rejects only where the gateway does not start. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { count, seed, width } = options;
  const random = randomFrom(seed);
  const keys: Keys = { own: await makeSigningKey(), foreign: await foreignKey() };
  const issuer = await listen((_, response) =>
    response.setHeader("Content-Type", "application/json").end(JSON.stringify({ keys: [publicPart(keys.foreign)] })),
  );

  const arrivals = new Map<string, Arrival>();
  let reachedOrigin = 0;
  const gateway = await startGateway({
    policy: soakPolicyText(`${issuer.url}/jwks`),
    signingKeys: [keys.own],
    origin: ({ method = "", url = "", headers }, response) => {
      reachedOrigin++;
      const id = String(headers["x-soak"]);
      const before = arrivals.get(id);
      if (before !== undefined) before.times++;
      else arrivals.set(id, { times: 1, method, url, headers });
      response.end("from the origin");
    },
  }).catch(async (error: unknown) => {
    await issuer.close();
    throw error;
  });
  const agent = new Agent({ keepAlive: true, maxSockets: width });
  const admin = await gateway.token("scopegate:admin", { lifetimeSeconds: 24 * HOUR });

  const began = performance.now();
  const outcomes = new Map<string, number>();
  const wrongAnswers: string[] = [];
  const memory: { requests: number; megabytes: number }[] = [];
  const latencies = new Float64Array(count);
  const slowest: { milliseconds: number; what: string }[] = [];
  let [started, done, wrong, revocations, withdrawals, unsure, leaks] = [0, 0, 0, 0, 0, 0, 0];
  let families = await Promise.all(Array.from({ length: FAMILIES }, () => family(keys, random)));
  let bads = await bad(keys);
  let entries: Entry[] = [];

  const result = (): SoakResult => ({
    count: done,
    seconds: (performance.now() - began) / 1000,
    outcomes,
    wrong,
    wrongAnswers,
    reachedOrigin,
    revocations,
    withdrawals,
    unsure,
    leaks,
    memory,
    latencies: latencies.slice(0, done).sort(),
    slowest,
  });

  function report(text: string): void {
    wrong++;
    if (wrongAnswers.length < WRONG_KEPT) wrongAnswers.push(text);
  }

  async function ask(id: string): Promise<void> {
    const caller = random() < 0.65 ? pick(pick(families, random), random) : pick(bads, random);
    const request = drawnRequest(random);
    const sentAt = performance.now();
    const sent = { sure: caller.unsureUntil <= sentAt, state: caller.state, seconds: Math.floor(Date.now() / 1000) };
    let answer: Answer;
    try {
      answer = await send(gateway.url, agent, request, caller.authorization, id);
    } catch (error) {
      report(`no answer: ${String(error)}\n  ${told(caller, request)}`);
      return;
    }
    const milliseconds = performance.now() - sentAt;
    latencies[done] = milliseconds;
    keepSlowest(slowest, milliseconds, `${answer.status} ${told(caller, request)}`);

    const sure = sent.sure && caller.unsureUntil <= performance.now() && caller.state === sent.state;
    const times = [...new Set([sent.seconds, Math.floor(Date.now() / 1000)])];
    const right = times.flatMap((nowSeconds) => rightOnes(caller, { ...request, nowSeconds }, sure));
    if (!sure) unsure++;
    const arrival = arrivals.get(id);
    arrivals.delete(id);
    const faults = right.map((each) => faultsOf(each, answer, arrival, request, caller));
    const best = faults.find((each) => each.length === 0) ?? faults[0] ?? [];
    const word = reasonOf(answer) ?? "allowed";
    outcomes.set(word, (outcomes.get(word) ?? 0) + 1);
    if (best.length > 0) {
      report(
        `${best.join("; ")}\n  ${told(caller, request)}\n  right: ${JSON.stringify(right)}\n  answer: ${JSON.stringify(answer)}\n` +
          `  at the origin: ${JSON.stringify(arrival ?? null)}\n  claims: ${JSON.stringify(caller.token)}`,
      );
    }
  }

  async function revoke(): Promise<void> {
    const chosen = families.filter((each) =>
      each.every(({ state, unsureUntil }) => state === "live" && unsureUntil === 0),
    );
    const members = pick(chosen, random);
    const [first] = members ?? [];
    if (members === undefined || first === undefined) return;
    const kind = pick(["token", "whole token", "subject", "client", "subject, issued before"], random);
    const before = Math.floor(Date.now() / 1000) - 10 * HOUR;
    const body = {
      kind: kind === "whole token" ? "token" : kind.replace(/,.*/, ""),
      ...(first.issuer === FOREIGN_ISSUER && kind !== "whole token" ? { issuer: FOREIGN_ISSUER } : {}),
      value:
        kind === "token"
          ? first.id
          : kind === "whole token"
            ? (first.authorization?.slice("Bearer ".length) ?? "")
            : kind === "client"
              ? first.client
              : first.subject,
      ...(kind === "subject, issued before" ? { issued_before: new Date(before * 1000).toISOString() } : {}),
      reason: "soak",
    };
    const met = kind.endsWith("token")
      ? [first]
      : members.filter(({ token }) => kind !== "subject, issued before" || (token.iat ?? 0) < before);
    for (const each of met) Object.assign(each, { state: "revoked", unsureUntil: Number.POSITIVE_INFINITY });
    const response = await gateway.call(admin, "POST", `${ADMIN_PATH}/revocations`, body);
    const answered = (await response.json()) as { sequence?: number };
    if (response.status !== 201 || answered.sequence === undefined) {
      report(`a revocation was answered ${response.status}: ${JSON.stringify({ body, answered })}`);
    } else {
      revocations++;
      entries.push({ sequence: answered.sequence, callers: met });
    }
    // Those that it does not meet are asked on too, and never revoked a second time.
    const unsureUntil = performance.now() + IN_FORCE_MILLISECONDS;
    for (const each of members) each.unsureUntil = met.includes(each) ? unsureUntil : 1;
  }

  async function withdraw(): Promise<void> {
    const entry = entries.find(({ callers }) => callers.every(({ unsureUntil }) => unsureUntil <= performance.now()));
    if (entry === undefined) return;
    entries = entries.filter((each) => each !== entry);
    for (const each of entry.callers) Object.assign(each, { state: "live", unsureUntil: Number.POSITIVE_INFINITY });
    const response = await gateway.call(admin, "DELETE", `${ADMIN_PATH}/revocations/${entry.sequence}`);
    await response.arrayBuffer();
    if (!response.ok) report(`a withdrawal was answered ${response.status}`);
    else withdrawals++;
    for (const each of entry.callers) each.unsureUntil = performance.now() + IN_FORCE_MILLISECONDS;
  }

  async function renew(): Promise<void> {
    const used = families.filter((each) => each.some(({ unsureUntil }) => unsureUntil > 0));
    if (used.length > REVOKED_KEPT) {
      const oldest = used[0];
      const fresh = await family(keys, random);
      families = [...families.filter((each) => each !== oldest), fresh];
      entries = entries.filter(({ callers }) => !callers.some((each) => oldest?.includes(each)));
    }
  }

  async function lane(): Promise<void> {
    while (started < count) {
      const number = ++started;
      if (number % REVOKE_EVERY === 0) await revoke();
      if (number % (3 * REVOKE_EVERY) === 0) await withdraw();
      if (number % REVOKE_EVERY === 0) await renew();
      if (number % BAD_AGE === 0) bads = await bad(keys);
      await ask(String(number));
      done++;
      if (done % Math.max(1, Math.floor(count / MEMORY_SAMPLES)) === 0) {
        for (const line of gateway.logs.splice(0)) if (/eyJ/.test(line)) leaks++;
        const megabytes = await workerdMegabytes();
        if (megabytes !== null) memory.push({ requests: done, megabytes });
        options.progress?.(result());
      } else if (done % 1000 === 0) {
        for (const line of gateway.logs.splice(0)) if (/eyJ/.test(line)) leaks++;
      }
    }
  }

  try {
    await Promise.all(Array.from({ length: width }, lane));
    for (const id of arrivals.keys()) report(`reached the origin and was never asked, or twice: ${id}`);
    for (const line of gateway.logs.splice(0)) if (/eyJ/.test(line)) leaks++;
    return result();
  } finally {
    agent.destroy();
    await gateway.dispose();
    await issuer.close();
  }
}

/** What the contract allows to answer; more than one while a revocation is on its way. */
function rightOnes(caller: Caller, request: OracleRequest, sure: boolean): Verdict[] {
  const without = verdict(SOAK_POLICY, null, request);
  if (without.allowed || without.reason !== "token_missing") return [without];
  if (caller.refusal !== null) return [{ ...without, reason: caller.refusal }];
  const revoked: Verdict = { ...without, reason: "token_revoked" };
  if (sure) return [caller.state === "revoked" ? revoked : verdict(SOAK_POLICY, caller.token, request)];
  return [verdict(SOAK_POLICY, caller.token, request), revoked];
}

/** In what the answer, or what reached the origin, differs from a verdict. */
function faultsOf(
  right: Verdict,
  answer: Answer,
  arrival: Arrival | undefined,
  request: OracleRequest,
  caller: Caller,
): string[] {
  const faults: string[] = [];
  const same = (what: string, is: unknown, should: unknown): void => {
    if (is !== should) faults.push(`${what} is ${String(is)}, not ${String(should)}`);
  };
  if (right.allowed) {
    same("status", answer.status, 200);
    same("arrivals at the origin", arrival?.times ?? 0, 1);
    same("the body", answer.body, request.method === "HEAD" ? "" : "from the origin");
    same("the origin's method", arrival?.method, request.method);
    same("the origin's path", arrival?.url, canonicalTarget(request.target));
    same("the scopes", arrival?.headers["x-scopegate-scopes"] ?? "", right.scopes.join(" "));
    const isPublic = SOAK_POLICY.routes.get(right.route)?.public === true;
    same("the subject", arrival?.headers["x-scopegate-subject"], isPublic ? undefined : caller.subject);
    same("the token's id", arrival?.headers["x-scopegate-token-id"], isPublic ? undefined : caller.id);
    return faults;
  }
  same("status", answer.status, STATUS[right.reason]);
  same("arrivals at the origin", arrival?.times ?? 0, 0);
  same("Cache-Control", answer.headers["cache-control"], "no-store");
  const challenge = answer.headers["www-authenticate"] ?? "";
  const error = /error="([^"]*)"/.exec(challenge)?.[1] ?? null;
  const errors: Record<string, string> = {
    token_missing: "",
    credentials_malformed: "invalid_request",
    token_invalid: "invalid_token",
    token_expired: "invalid_token",
    token_revoked: "invalid_token",
    scope_insufficient: "insufficient_scope",
  };
  same("the challenge's error", error ?? "", errors[right.reason] ?? "");
  same("a challenge", challenge.startsWith("Bearer "), Object.hasOwn(errors, right.reason));
  if (right.reason === "method_not_allowed") {
    same("Allow", sorted(String(answer.headers.allow).split(", ")), sorted(right.allOf ?? []));
  }
  if (request.method === "HEAD") return faults;
  const body = objectIn(answer.body);
  if (body === null) return [...faults, "the body is no JSON object"];
  same("reason", body["reason"], right.reason);
  same("type", body["type"], `${PUBLIC_URL}${ADMIN_PATH}/problems/${right.reason}`);
  same("instance", body["instance"], answer.headers["x-request-id"]);
  if (right.reason === "scope_insufficient")
    same("required_scopes", sorted([body["required_scopes"] ?? []].flat().map(String)), sorted(right.allOf ?? []));
  if (right.reason === "resource_not_allowed" && !(right.oneOf ?? []).includes(String(body["resource"])))
    faults.push(`the resource is ${String(body["resource"])}`);
  if (right.reason === "condition_not_met" && !(right.oneOf ?? []).includes(String(body["condition"])))
    faults.push(`the condition is ${String(body["condition"])}`);
  return faults;
}

function sorted(words: readonly string[]): string {
  return [...new Set(words)].sort().join(" ");
}

/** The word of a refusal; `null` where it is none, or has no body. */
function reasonOf({ status, body }: Answer): string | null {
  if (status === 200) return null;
  return String(objectIn(body)?.["reason"] ?? `${status} without a body`);
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** `fetch` would rewrite the path; the raw client does not. */
function send(
  base: string,
  agent: Agent,
  asked: OracleRequest,
  authorization: string | null,
  id: string,
): Promise<Answer> {
  const { hostname, port } = new URL(base);
  const headers: Record<string, string> = {
    "x-soak": id,
    ...asked.headers,
    ...(asked.address === null ? {} : { "cf-connecting-ip": asked.address }),
    ...(authorization === null ? {} : { authorization }),
  };
  return new Promise((resolve, reject) => {
    const request = sendRequest(
      { hostname, port, agent, method: asked.method, path: asked.target, headers, timeout: ANSWER_MILLISECONDS },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          body += text;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
        response.on("error", reject);
      },
    );
    request.on("timeout", () => request.destroy(new Error("no answer in 30 s")));
    request.on("error", reject);
    request.end(asked.method === "POST" || asked.method === "PUT" ? `{"id":${id}}` : undefined);
  });
}

function keepSlowest(slowest: { milliseconds: number; what: string }[], milliseconds: number, what: string): void {
  const least = slowest.at(-1)?.milliseconds ?? 0;
  if (slowest.length >= SLOWEST_KEPT && milliseconds <= least) return;
  slowest.push({ milliseconds, what });
  slowest.sort((a, b) => b.milliseconds - a.milliseconds);
  slowest.length = Math.min(slowest.length, SLOWEST_KEPT);
}

function told(caller: Caller, { method, target, headers, address }: OracleRequest): string {
  return `${method} ${target} ${JSON.stringify(headers)} from ${address} with ${caller.kind} (${caller.state})`;
}

/** Resident memory of the workerd processes that this process has started; `null` where it cannot be told. */
async function workerdMegabytes(): Promise<number | null> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "ppid=,rss=,comm="]);
    const kilobytes = stdout.split("\n").flatMap((line) => {
      const [parent, size, name = ""] = line.trim().split(/\s+/);
      return Number(parent) === process.pid && name.includes("workerd") ? [Number(size)] : [];
    });
    return kilobytes.length === 0 ? null : Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1024);
  } catch {
    return null;
  }
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
