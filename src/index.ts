/**
 * The Worker's entry: builds the gateway's dependencies from the bindings, once per isolate. An invalid policy throws
 * when this module loads, before anything is served.
 */
import policyText from "../scopegate.toml";
import { createAdmin } from "./admin/app.ts";
import { createUsage } from "./admin/usage.ts";
import { createDecisionLog, placeOf } from "./decision-log.ts";
import { denialResponse } from "./denial.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { createOpen } from "./open.ts";
import { createExchange } from "./origin/exchange.ts";
import { createOrigin } from "./origin/origin.ts";
import { withCors } from "./origin/response.ts";
import { faultText, loadPolicy } from "./policy/load.ts";
import type { Policy } from "./policy/policy.ts";
import { corsHeaders } from "./request/cors.ts";
import { createRevocationFeed } from "./revocation/feed.ts";
import { dropExpired, packWhenDue } from "./revocation/packing.ts";
import { sealedCopies } from "./token/sealed-copies.ts";
import { loadSigningKeys, type SigningKeys } from "./token/signing-keys.ts";
import { createVerifier } from "./token/verify.ts";

export interface Env {
  readonly DB: D1Database;
  readonly REVOCATIONS: KVNamespace;
  /** A private JWK Set; its first key signs, all of them verify. */
  readonly SIGNING_KEYS?: string;
  readonly ORIGIN?: Fetcher;
  readonly ORIGIN_URL?: string;
  /** Counts every decision, in addition to the log. */
  readonly ANALYTICS?: AnalyticsEngineDataset;
  /** Secrets that `[[issuers]] secret` names. */
  readonly [binding: string]: unknown;
}

const policy = policyOf(policyText);

let gateway: Gateway | null = null;
/** The Cloudflare location of this isolate, read from its first request; `null` where the runtime gives none. */
let colo: string | null | undefined;

export default {
  async fetch(request, env, context) {
    if (colo === undefined) colo = typeof request.cf?.colo === "string" ? request.cf.colo : null;
    try {
      gateway ??= assemble(env);
    } catch (error) {
      return misconfigured(error, request);
    }
    return gateway(request, (work) => context.waitUntil(work));
  },

  async scheduled(_event, env, context) {
    context.waitUntil(packWhenDue(env.DB, env.REVOCATIONS));
    context.waitUntil(dropExpired(env.DB));
  },
} satisfies ExportedHandler<Env>;

function assemble(env: Env): Gateway {
  const now = (): number => Date.now();
  const signingKeys = once(() => loadSigningKeys(env.SIGNING_KEYS));
  const revocation = createRevocationFeed({
    db: env.DB,
    kv: env.REVOCATIONS,
    cache: { open: () => caches.open("scopegate"), url: policy.gateway.publicUrl.replace(/^http:/, "https:") },
    now,
    ...policy.revocation,
    location: () => colo ?? null,
  });
  const write = (line: string): void => console.log(line);
  const verifier = createVerifier({
    policy,
    bindings: env,
    signingKeys,
    fetch: (url, init) => fetch(url, init),
    now: () => Math.floor(now() / 1000),
    copies: sealedCopies(env.REVOCATIONS, signingKeys),
    report: (trouble) => write(JSON.stringify(trouble)),
  });
  const admin = createAdmin({ policy, db: env.DB, kv: env.REVOCATIONS, signingKeys, feed: revocation, verifier, now });
  return createGateway({
    policy,
    verifier,
    revocation,
    exchange: createExchange(policy, createOrigin(env, policy.origin.url), now),
    admin: (request, call) => admin.fetch(request, call),
    open: createOpen({
      policy,
      publicKeys: async () => (await signingKeys()).publicJwks,
      revocationState: () => revocation.state(now()),
      now,
    }),
    log: createDecisionLog(policy.logSampleRate, write, Math.random, env.ANALYTICS ?? null),
    countUse: createUsage(env.DB, (error) => write(JSON.stringify({ event: "usage_failed", ...placeOf(error) }))),
    now,
  });
}

/** A 500 for unusable bindings; only the log says why. The errors of `assemble` quote no binding's value. */
function misconfigured(error: unknown, request: Request): Response {
  const requestId = crypto.randomUUID();
  const cause = error instanceof Error ? error.message : "unknown";
  console.log(JSON.stringify({ event: "misconfigured", request_id: requestId, cause }));
  const response = denialResponse({ reason: "internal_error" }, { ...policy.gateway, requestId });
  return policy.cors === null ? response : withCors(response, corsHeaders(policy.cors, request.headers.get("Origin")));
}

function policyOf(text: string): Policy {
  const loaded = loadPolicy(text);
  if (loaded.ok) return loaded.policy;
  throw new Error(
    `The policy is not valid, and nothing is served.\n${loaded.faults.map((fault) => faultText(fault)).join("\n")}`,
  );
}

/** Calls `make` once and shares its promise; after a rejection, the next call tries again. */
function once(make: () => Promise<SigningKeys>): () => Promise<SigningKeys> {
  let made: Promise<SigningKeys> | null = null;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = null;
      throw error;
    });
    return made;
  };
}
