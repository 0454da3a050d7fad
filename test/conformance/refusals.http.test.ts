/**
 * Every refusal as the contract's section 3 has it: status, challenge, problem document, and which comes first where
 * several would.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { REASONS } from "../../src/denial.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { AUDIENCE, PUBLIC_URL, policyText } from "../support/policy-text.ts";

const CHALLENGE = `Bearer realm="${PUBLIC_URL}", resource_metadata="${PUBLIC_URL}/.well-known/oauth-protected-resource"`;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Nothing listens there. */
const CLOSED = "http://127.0.0.1:9";

const POLICY = policyText({
  origin: 'timeout = "1s"',
  revocation: 'refresh = "1s"\nmax_staleness = "2s"',
  tables: `[[issuers]]\nissuer = "${CLOSED}"\naudience = "${AUDIENCE}"\n`,
  scopes: ["charges:read", "charges:write", "payouts:write", "payouts:approve"],
  routes: {
    "GET /health": "{ public = true }",
    "GET /v1/me": "{ authenticated = true, resource = [] }",
    "GET /v1/charges": '"charges:read"',
    "GET /v1/charges/:charge": '{ all = ["charges:read"], resource = "charge:{charge}" }',
    "POST,PATCH /v1/charges": '{ all = ["charges:read", "charges:write"] }',
    "GET /v1/either": '{ any = ["charges:read", ["payouts:write", "payouts:approve"]], resource = [] }',
    "POST /v1/payouts": '{ all = ["payouts:write"], resource = "payout:{query.id}", cidr = ["10.0.0.0/8"] }',
    "GET /v1/aged": '{ authenticated = true, resource = [], max_token_age = "1m" }',
    "GET /v1/closed": '{ public = true, not_cidr = ["0.0.0.0/0", "::/0"] }',
    "GET /v1/slow": "{ public = true }",
    "GET /v1/dead": "{ public = true }",
  },
});

type Call = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
};

let gateway: Gateway;
let withoutDatabase: Gateway;
let withoutOrigin: Gateway;
let revoked: string;

beforeAll(async () => {
  [gateway, withoutDatabase, withoutOrigin] = await Promise.all([
    startGateway({
      policy: POLICY,
      origin: (request, response) => {
        if (request.url === "/v1/dead") request.socket.destroy();
        else if (request.url !== "/v1/slow") response.end("from the origin");
      },
    }),
    startGateway({ policy: POLICY, database: false }),
    startGateway({ policy: POLICY, bindings: { ORIGIN_URL: "ftp://nowhere" } }),
  ]);
  revoked = await gateway.token("charges:read");
  const answer = await gateway.call(await admin(), "POST", "/_scopegate/revocations", {
    kind: "token",
    value: revoked,
    reason: "a test",
  });
  expect(answer.status).toBe(201);
  await vi.waitFor(async () => expect((await gateway.call(revoked, "GET", "/v1/charges")).status).toBe(401), {
    timeout: 10_000,
    interval: 200,
  });
});

afterAll(async () => {
  await Promise.all([gateway, withoutDatabase, withoutOrigin].map((one) => one?.dispose()));
});

function admin(): Promise<string> {
  return gateway.token("scopegate:admin");
}

async function bearer(
  scopes: string,
  claims: Record<string, unknown> = {},
  more: object = {},
): Promise<Record<string, string>> {
  return { Authorization: `Bearer ${await gateway.token(scopes, { claims, ...more })}` };
}

interface Expected {
  readonly status: number;
  readonly challenge: string | null;
  /** Members besides those that every problem has. */
  readonly members?: Record<string, unknown>;
  readonly headers?: Record<string, unknown>;
}

interface Case extends Expected {
  readonly reason: keyof typeof REASONS;
  readonly from?: () => Gateway;
  readonly call: () => Call | Promise<Call>;
}

const seconds = expect.stringMatching(/^[1-9]\d?$/);
const fields = [expect.objectContaining({ field: expect.any(String), message: expect.any(String) })];

const CASES: readonly Case[] = [
  { reason: "ambiguous_path", status: 400, challenge: null, call: () => ({ path: "/v1/a%2Fb" }) },
  {
    reason: "ambiguous_request",
    status: 400,
    challenge: null,
    call: async () => ({ method: "POST", path: "/v1/payouts?id=1&id=2", headers: await bearer("payouts:write") }),
  },
  {
    reason: "credentials_malformed",
    status: 400,
    challenge: `${CHALLENGE}, error="invalid_request"`,
    call: () => ({ path: "/v1/charges", headers: { Authorization: "Bearer" } }),
  },
  { reason: "route_not_found", status: 404, challenge: null, call: () => ({ path: "/v2" }) },
  {
    reason: "method_not_allowed",
    status: 405,
    challenge: null,
    headers: { allow: "GET, HEAD, PATCH, POST" },
    call: () => ({ method: "DELETE", path: "/v1/charges" }),
  },
  { reason: "token_missing", status: 401, challenge: CHALLENGE, call: () => ({ path: "/v1/charges" }) },
  {
    reason: "token_invalid",
    status: 401,
    challenge: `${CHALLENGE}, error="invalid_token"`,
    call: () => ({ path: "/v1/charges", headers: { Authorization: "Bearer not.a.token" } }),
  },
  {
    reason: "token_expired",
    status: 401,
    challenge: `${CHALLENGE}, error="invalid_token", error_description="The token has expired"`,
    call: async () => ({
      path: "/v1/charges",
      headers: await bearer("charges:read", { iat: 1_600_000_000 }, { lifetimeSeconds: -60 }),
    }),
  },
  {
    reason: "token_revoked",
    status: 401,
    challenge: `${CHALLENGE}, error="invalid_token", error_description="The token has been revoked"`,
    call: () => ({ path: "/v1/charges", headers: { Authorization: `Bearer ${revoked}` } }),
  },
  {
    reason: "scope_insufficient",
    status: 403,
    challenge: `${CHALLENGE}, error="insufficient_scope", scope="charges:read charges:write"`,
    members: { required_scopes: ["charges:read", "charges:write"] },
    call: async () => ({ method: "PATCH", path: "/v1/charges", headers: await bearer("charges:read") }),
  },
  {
    reason: "resource_not_allowed",
    status: 403,
    challenge: null,
    members: { resource: "charge:{charge}" },
    call: async () => ({ path: "/v1/charges/2", headers: await bearer("charges:read", { allow_list: ["charge:1"] }) }),
  },
  {
    reason: "condition_not_met",
    status: 403,
    challenge: null,
    members: { condition: "cidr" },
    call: async () => ({ method: "POST", path: "/v1/payouts?id=1", headers: await bearer("payouts:write") }),
  },
  {
    reason: "keys_unavailable",
    status: 503,
    challenge: null,
    headers: { "retry-after": seconds },
    call: async () => ({ path: "/v1/charges", headers: await bearer("charges:read", { iss: CLOSED }) }),
  },
  {
    reason: "revocation_unavailable",
    status: 503,
    challenge: null,
    headers: { "retry-after": seconds },
    from: () => withoutDatabase,
    call: async () => ({
      path: "/v1/charges",
      headers: { Authorization: `Bearer ${await withoutDatabase.token("charges:read")}` },
    }),
  },
  { reason: "origin_unreachable", status: 502, challenge: null, call: () => ({ path: "/v1/dead" }) },
  { reason: "origin_timeout", status: 504, challenge: null, call: () => ({ path: "/v1/slow" }) },
  {
    reason: "internal_error",
    status: 500,
    challenge: null,
    from: () => withoutOrigin,
    call: () => ({ path: "/v1/charges" }),
  },
  {
    reason: "request_invalid",
    status: 400,
    challenge: null,
    members: { errors: expect.arrayContaining(fields) },
    call: async () => adminCall("/tokens", await bearer("scopegate:admin"), "{}"),
  },
  {
    reason: "grant_exceeds_issuer",
    status: 403,
    challenge: null,
    members: { errors: expect.arrayContaining(fields) },
    call: async () =>
      adminCall(
        "/tokens",
        await bearer("scopegate:tokens"),
        JSON.stringify({ name: "more", scopes: ["charges:write"] }),
      ),
  },
  {
    reason: "not_found",
    status: 404,
    challenge: null,
    members: { errors: expect.any(Array) },
    call: async () => ({ path: "/_scopegate/tokens/nobody", headers: await bearer("scopegate:admin") }),
  },
  {
    reason: "conflict",
    status: 409,
    challenge: null,
    members: { errors: expect.arrayContaining(fields), record: expect.objectContaining({ name: "once" }) },
    call: async () => {
      const headers = { ...(await bearer("scopegate:admin")), "Idempotency-Key": "one-and-the-same" };
      const call = adminCall("/tokens", headers, JSON.stringify({ name: "once", scopes: ["charges:read"] }));
      await (await send(gateway, call)).arrayBuffer();
      return call;
    },
  },
  {
    reason: "payload_too_large",
    status: 413,
    challenge: null,
    members: { errors: [{ field: "body", message: expect.any(String) }] },
    call: async () => adminCall("/tokens", await bearer("scopegate:admin"), `{"name":"${"a".repeat(70_000)}"}`),
  },
  {
    reason: "unsupported_media_type",
    status: 415,
    challenge: null,
    members: { errors: [{ field: "Content-Type", message: expect.any(String) }] },
    call: async () =>
      adminCall("/tokens", { ...(await bearer("scopegate:admin")), "Content-Type": "text/plain" }, "{}"),
  },
];

function adminCall(path: string, headers: Record<string, string>, body: string): Call {
  return {
    method: "POST",
    path: `/_scopegate${path}`,
    headers: { "Content-Type": "application/json", ...headers },
    body,
  };
}

function send(to: Gateway, { method = "GET", path, headers = {}, body }: Call): Promise<Response> {
  return to.fetch(path, { method, headers, ...(body === undefined ? {} : { body }) });
}

describe("every reason", () => {
  test("is among the cases here", () => {
    expect(CASES.map(({ reason }) => reason).toSorted()).toEqual(Object.keys(REASONS).toSorted());
  });

  test.concurrent.for(CASES)(
    "$reason is $status, a problem (RFC 9457 §3), with the challenge that is due (RFC 6750 §3, RFC 9728 §5.1)",
    async (expected, { expect }) => {
      const response = await send(expected.from?.() ?? gateway, await expected.call());
      const problem = (await response.json()) as Record<string, unknown>;
      expect(problem).toEqual({
        type: `${PUBLIC_URL}/_scopegate/problems/${expected.reason}`,
        title: REASONS[expected.reason].title,
        status: expected.status,
        reason: expected.reason,
        instance: expect.stringMatching(UUID),
        ...expected.members,
      });
      expect(response.status).toBe(expected.status);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "x-request-id": problem["instance"],
        ...expected.headers,
      });
      expect(response.headers.get("www-authenticate")).toBe(expected.challenge);
      for (const name of ["allow", "retry-after"])
        expect(response.headers.has(name)).toBe(expected.headers !== undefined && name in expected.headers);
    },
  );

  test.each(Object.keys(REASONS))("%s has a page where its type says", async (reason) => {
    const page = await gateway.fetch(`/_scopegate/problems/${reason}`);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await page.text()).toContain(reason);
  });

  test.each(["nothing", "__proto__", "constructor", "toString"])("no page is there for %s", async (reason) => {
    expect((await gateway.fetch(`/_scopegate/problems/${reason}`)).status).toBe(404);
  });
});

describe("a refusal", () => {
  test("with alternatives names every scope of every one of them (RFC 6750 §3)", async () => {
    const response = await send(gateway, { path: "/v1/either", headers: await bearer("payouts:write") });
    expect(await response.json()).toMatchObject({
      required_scopes: ["charges:read", "payouts:write", "payouts:approve"],
    });
    expect(response.headers.get("www-authenticate")).toContain('scope="charges:read payouts:write payouts:approve"');
  });

  test("of HEAD has GET's status and headers, and no body (RFC 9110 §9.3.2)", async () => {
    const response = await send(gateway, { method: "HEAD", path: "/v1/charges" });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(CHALLENGE);
    expect(await response.text()).toBe("");
  });

  test("has an id of its own each time, and never the client's", async () => {
    const headers = { "X-Request-Id": "mine" };
    const ids = await Promise.all(
      [1, 2].map(async () => (await send(gateway, { path: "/v2", headers })).headers.get("x-request-id")),
    );
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(UUID);
  });

  test("of a condition on a public route is one too", async () => {
    const response = await send(gateway, { path: "/v1/closed" });
    expect(await response.json()).toMatchObject({ status: 403, reason: "condition_not_met", condition: "not_cidr" });
  });

  test("of a token without iat where its age counts says so", async () => {
    const response = await send(gateway, { path: "/v1/aged", headers: await bearer("", { iat: nowSeconds() - 120 }) });
    expect(await response.json()).toMatchObject({ reason: "condition_not_met", condition: "max_token_age" });
  });
});

describe("where several steps would refuse, the first one answers", () => {
  const badToken = { Authorization: "Bearer not.a.token" };
  const malformed = { Authorization: "Bearer a b" };
  const elsewhere = { allow_list: ["payout:2"] };

  test.each<[string, string, () => Call | Promise<Call>]>([
    ["ambiguous_path", "before the route", () => ({ path: "/v2/a%2Fb", headers: malformed })],
    ["ambiguous_path", "before the method", () => ({ method: "DELETE", path: "/v1//charges", headers: malformed })],
    ["route_not_found", "before the credentials", () => ({ path: "/v2", headers: malformed })],
    [
      "method_not_allowed",
      "before the credentials",
      () => ({ method: "DELETE", path: "/v1/charges", headers: malformed }),
    ],
    ["credentials_malformed", "before the token", () => ({ path: "/v1/charges", headers: malformed })],
    ["token_invalid", "before scopes", () => ({ method: "POST", path: "/v1/payouts?id=1&id=2", headers: badToken })],
    [
      "token_expired",
      "before scopes",
      async () => ({ path: "/v1/charges", headers: await bearer("", { iat: 1 }, { lifetimeSeconds: -60 }) }),
    ],
    [
      "token_revoked",
      "before scopes",
      () => ({ method: "POST", path: "/v1/payouts?id=1&id=2", headers: { Authorization: `Bearer ${revoked}` } }),
    ],
    [
      "scope_insufficient",
      "before the resource",
      async () => ({ method: "POST", path: "/v1/payouts?id=1&id=2", headers: await bearer("charges:read", elsewhere) }),
    ],
    [
      "ambiguous_request",
      "before the allow list",
      async () => ({
        method: "POST",
        path: "/v1/payouts?id=1&id=2",
        headers: await bearer("payouts:write", elsewhere),
      }),
    ],
    [
      "resource_not_allowed",
      "before the conditions",
      async () => ({ method: "POST", path: "/v1/payouts?id=1", headers: await bearer("payouts:write", elsewhere) }),
    ],
    [
      "condition_not_met",
      "last of all",
      async () => ({ method: "POST", path: "/v1/payouts?id=2", headers: await bearer("payouts:write", elsewhere) }),
    ],
  ])("%s %s", async (reason, _, call) => {
    expect(await (await send(gateway, await call())).json()).toMatchObject({ reason });
  });
});

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
