/**
 * The admin API under `admin_path` (contract §5), as a Hono app; `hc` makes a typed client from its type.
 *
 * Relies on the gateway, which has verified the token, checked that it is not revoked and checked the call's scopes.
 * Guarantees: the database query itself limits what a caller with only `scopegate:tokens` may see or revoke; every refusal
 * is a problem document (RFC 9457), as the gateway's own are; no response may be cached.
 * Leaves to the gateway: exceptions. An exception here is a bug or an outage, and becomes the gateway's 500.
 */
import { type Context, Hono, type MiddlewareHandler, type TypedResponse } from "hono";
import type * as v from "valibot";
import { type Denial, denialResponse, type FieldError } from "../denial.ts";
import type { Policy } from "../policy/policy.ts";
import { canonicalPath } from "../request/path.ts";
import type { RevocationFeed } from "../revocation/feed.ts";
import { packWhenDue } from "../revocation/packing.ts";
import { readReceipts } from "../revocation/receipts.ts";
import { MISCONFIGURED_RETRY_SECONDS } from "../token/key-source.ts";
import type { SigningKeys } from "../token/signing-keys.ts";
import type { Verifier } from "../token/verify.ts";
import { AUDIT_LIST, listAudit } from "./audit.ts";
import { type BodyRules, bySchema, readJson } from "./body.ts";
import { type AdminCall, changeableBy, issuerOf, visibleTo } from "./caller.ts";
import { listRoutes, listScopes, ROUTE_LIST, SCOPE_LIST } from "./catalogue.ts";
import { type ExplainBody, explainCall, explainSchema } from "./explain.ts";
import { pageOf, pageQuery, readQuery, tokensQuery } from "./query.ts";
import { type Outcome, refused } from "./refusal.ts";
import { type RevocationsBody, revocationsSchema } from "./revocations/request.ts";
import {
  addToList,
  findRevocation,
  listRevocations,
  noSuchEntry,
  REVOCATION_LIST,
  withdraw,
} from "./revocations/revocations.ts";
import { readIdempotencyKey } from "./tokens/idempotency.ts";
import { type Issuance, issue } from "./tokens/issue.ts";
import { findToken, listName, listTokens, recordOf } from "./tokens/records.ts";
import { type IssueBody, type IssueRequest, readIssueRequest } from "./tokens/request.ts";
import { revoke } from "./tokens/revoke.ts";
import { type RotateBody, rotate, rotateSchema } from "./tokens/rotate.ts";
import type { Write } from "./write.ts";

export interface AdminDependencies {
  readonly policy: Policy;
  readonly db: D1Database;
  readonly kv: KVNamespace;
  readonly signingKeys: () => Promise<Pick<SigningKeys, "signer">>;
  readonly feed: Pick<RevocationFeed, "ready" | "isRevoked">;
  readonly verifier: Pick<Verifier, "verify">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Admin {
  /** Answers a call that the gateway has allowed. Rejects if D1 fails or does not answer in time. */
  fetch(request: Request, call: AdminCall): Promise<Response>;
}

/** For a typed client: `hc<AdminApp>(publicUrl + adminPath)`. */
export type AdminApp = ReturnType<typeof createApp>;

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly reason: string;
  readonly instance: string;
  /** The faults in the request; absent where the request is not the cause. */
  readonly errors?: FieldError[];
  /** For a conflict: the existing record. */
  readonly record?: unknown;
}

type RefusedResponse = Response & TypedResponse<Problem, 400 | 403 | 404 | 409 | 413 | 415 | 503, "json">;

/** Hono calls the second argument of `fetch` bindings. */
type Env = { Bindings: AdminCall };

const KEYS_UNAVAILABLE = {
  refusal: { reason: "keys_unavailable", retryAfterSeconds: MISCONFIGURED_RETRY_SECONDS },
} as const;

/** After every so many rows, check whether a snapshot is due. */
const PACK_LOOK_ROWS = 1_000;

/** The admin API of one isolate. */
export function createAdmin(dependencies: AdminDependencies): Admin {
  // Created at the first call: most isolates never serve the admin API.
  let app: AdminApp | null = null;
  return {
    async fetch(request, call) {
      app ??= createApp(dependencies);
      return app.fetch(request, call);
    },
  };
}

function createApp(dependencies: AdminDependencies) {
  const { policy, db, kv, now } = dependencies;
  const { publicUrl, adminPath } = policy.gateway;
  const nowSeconds = (): number => Math.floor(now() / 1000);

  return new Hono<Env>({ getPath: (request) => pathUnder(adminPath, request) })
    .onError((error) => {
      throw error;
    })
    .notFound((c) => {
      c.env.refused("route_not_found");
      return denialResponse({ reason: "route_not_found" }, { publicUrl, adminPath, requestId: c.env.requestId });
    })
    .use(async (c, next) => {
      await next();
      c.header("Cache-Control", "no-store");
      c.header("X-Request-Id", c.env.requestId);
    })
    .post(
      "/tokens",
      body<IssueBody, IssueRequest>((value) => readIssueRequest(value, policy, nowSeconds())),
      async (c) => {
        const caller = issuerOf(policy, c.env.principal, c.req.header("Authorization") ?? null);
        const request = c.req.valid("json");
        const key = await readIdempotencyKey(c.req.header("Idempotency-Key"), c.env.principal, request);
        if (!key.ok) return refuse(c, key);
        const issuance = await issuanceNow();
        if (issuance === null) return refuse(c, KEYS_UNAVAILABLE);
        const issued = await issue(issuance, writeOf(c), caller, request, key.value);
        return issued.ok ? c.json(issued.value, 201) : refuse(c, issued);
      },
    )
    .get("/tokens", query(tokensQuery), async (c) => {
      const { limit, cursor, ...filter } = c.req.valid("query");
      const owner = visibleTo(policy, c.env.principal);
      const list = listName(filter);
      const page = pageOf({ limit, cursor }, list);
      if (!page.ok) return refuse(c, page);
      return c.json(await listTokens(db, filter, owner, { list, nowSeconds: nowSeconds(), ...page.value }), 200);
    })
    .get("/tokens/:id", async (c) => {
      const row = await findToken(db, c.req.param("id"), visibleTo(policy, c.env.principal));
      return row === null ? refuse(c, noSuchToken()) : c.json(recordOf(row, nowSeconds()), 200);
    })
    .delete("/tokens/:id", async (c) => {
      const owner = changeableBy(policy, c.env.principal);
      const revoked = await revoke(db, publicUrl, writeOf(c), c.req.param("id"), owner);
      return revoked.ok ? c.json(revoked.value, 200) : refuse(c, revoked);
    })
    .post("/tokens/:id/rotate", body<RotateBody, RotateBody>(bySchema(rotateSchema), { optional: true }), async (c) => {
      const caller = issuerOf(policy, c.env.principal, c.req.header("Authorization") ?? null);
      const issuance = await issuanceNow();
      if (issuance === null) return refuse(c, KEYS_UNAVAILABLE);
      const rotated = await rotate(issuance, writeOf(c), caller, {
        id: c.req.param("id"),
        owner: changeableBy(policy, c.env.principal),
        overlap: c.req.valid("json").overlap,
      });
      return rotated.ok ? c.json(rotated.value, 201) : refuse(c, rotated);
    })
    .post(
      "/revocations",
      body<RevocationsBody, RevocationsBody>(bySchema(revocationsSchema), { list: true }),
      async (c) => {
        const asked = c.req.valid("json");
        const added = await addToList(db, policy, writeOf(c), asked);
        if (!added.ok) return refuse(c, added);
        const items = added.value;
        const [last] = items.slice(-1);
        if (last !== undefined && last.sequence % PACK_LOOK_ROWS < items.length) c.env.behind(packWhenDue(db, kv));
        // The response has the form of the request: one entry, or a list.
        return Array.isArray(asked) || last === undefined ? c.json({ items }, 201) : c.json(last, 201);
      },
    )
    .get("/revocations", query(pageQuery), async (c) => {
      const page = pageOf(c.req.valid("query"), REVOCATION_LIST);
      if (!page.ok) return refuse(c, page);
      return c.json(await listRevocations(db, page.value.after, page.value.limit), 200);
    })
    .get("/revocations/:sequence", async (c) => {
      const sequence = sequenceOf(c.req.param("sequence"));
      const found = sequence === null ? null : await findRevocation(db, sequence, readReceipts);
      return found === null ? refuse(c, noSuchEntry()) : c.json(found, 200);
    })
    .delete("/revocations/:sequence", async (c) => {
      const sequence = sequenceOf(c.req.param("sequence"));
      const withdrawn = sequence === null ? noSuchEntry() : await withdraw(db, writeOf(c), sequence);
      return withdrawn.ok ? c.json(withdrawn.value, 200) : refuse(c, withdrawn);
    })
    .get("/scopes", query(pageQuery), async (c) => {
      const page = pageOf(c.req.valid("query"), SCOPE_LIST);
      return page.ok ? c.json(await listScopes(db, policy, page.value, nowSeconds()), 200) : refuse(c, page);
    })
    .get("/routes", query(pageQuery), (c) => {
      const page = pageOf(c.req.valid("query"), ROUTE_LIST);
      return page.ok ? c.json(listRoutes(policy, page.value), 200) : refuse(c, page);
    })
    .get("/audit", query(pageQuery), async (c) => {
      const page = pageOf(c.req.valid("query"), AUDIT_LIST);
      if (!page.ok) return refuse(c, page);
      return c.json(await listAudit(db, page.value.after, page.value.limit), 200);
    })
    .post("/explain", body<ExplainBody, ExplainBody>(bySchema(explainSchema)), async (c) => {
      const explained = await explainCall(dependencies, c.req.valid("json"), now(), c.env.behind);
      return explained.ok ? c.json(explained.value, 200) : refuse(c, explained);
    })
    .get("/openapi.json", async (c) => {
      // Imported on demand: it is an eighth of the bundle.
      const { default: openapi } = await import("./openapi.json", { with: { type: "json" } });
      return c.json({ ...(openapi as object), servers: [{ url: publicUrl + adminPath }] }, 200);
    });

  /** `null` if there is no usable signing key: answered as an outage. Only the verifier logs why, at a token of this gateway. */
  async function issuanceNow(): Promise<Issuance | null> {
    try {
      return { policy, db, signer: (await dependencies.signingKeys()).signer };
    } catch {
      return null;
    }
  }

  function writeOf(c: Context<Env>): Write {
    const { principal, address, requestId } = c.env;
    return { id: crypto.randomUUID(), nowSeconds: nowSeconds(), actor: principal, address, requestId };
  }

  function refuse(c: Context<Env>, { refusal }: { readonly refusal: Denial }): RefusedResponse {
    c.env.refused(refusal.reason);
    return denialResponse(refusal, { publicUrl, adminPath, requestId: c.env.requestId }) as RefusedResponse;
  }

  /** Middleware that parses the body with `read`, or refuses with its faults. `In` is what a typed client may send. */
  function body<In, Out>(
    read: (value: unknown) => Outcome<Out>,
    rules: BodyRules = {},
  ): MiddlewareHandler<Env, string, { in: { json: In }; out: { json: Out } }> {
    return async (c, next) => {
      const json = await readJson(c.req.raw, rules);
      const outcome = json.ok ? read(json.value) : json;
      if (!outcome.ok) return refuse(c, outcome);
      c.req.addValidatedData("json", outcome.value as object);
      return next();
    };
  }

  function query<Schema extends v.GenericSchema>(
    schema: Schema,
  ): MiddlewareHandler<Env, string, { in: { query: v.InferInput<Schema> }; out: { query: v.InferOutput<Schema> } }> {
    return async (c, next) => {
      const { query: search = "" } = canonicalPath(c.req.url, c.req.header("Host") ?? null) ?? {};
      const outcome = readQuery(schema, new URLSearchParams(search));
      if (!outcome.ok) return refuse(c, outcome);
      c.req.addValidatedData("query", outcome.value as object);
      return next();
    };
  }
}

/** The path after `admin_path`, from the canonical path as in the gateway, without a trailing slash. */
function pathUnder(adminPath: string, request: Request): string {
  const path = canonicalPath(request.url, request.headers.get("host"))?.path ?? "";
  if (!path.startsWith(`${adminPath}/`)) return "/";
  return path.slice(adminPath.length).replace(/(?<=.)\/$/, "");
}

function sequenceOf(text: string): number | null {
  return /^[1-9][0-9]{0,15}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null;
}

function noSuchToken() {
  return refused("not_found", [{ field: "id", message: "is not the id of a token" }]);
}
