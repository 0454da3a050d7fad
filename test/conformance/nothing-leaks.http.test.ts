/**
 * Nothing that a client sent as a secret comes back or is written down: every refusal with a marked token, and every byte of
 * answers and logs searched for the mark. (The mark is no claim that the logs may hold, as a subject.)
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { AUDIENCE, policyText } from "../support/policy-text.ts";

const MARK = "mArKeD5eCrEt";
const CLOSED = "http://127.0.0.1:9";
const POLICY = policyText({
  origin: 'timeout = "1s"\nauthorization = "remove"',
  tables: `[[issuers]]\nissuer = "${CLOSED}"\naudience = "${AUDIENCE}"\n
[[issuers]]\nissuer = "https://old.example.com/"\naudience = "${AUDIENCE}"\nalgorithms = ["HS256"]\nsecret = "LEGACY"\n`,
  scopes: ["charges:read", "payouts:write"],
  routes: {
    "GET /open/*": "{ public = true }",
    "GET /v1/charges": '{ all = ["charges:read"], resource = [] }',
    "GET /v1/charges/:charge": '{ all = ["charges:read"], resource = "charge:{charge}" }',
    "POST /v1/payouts": '{ all = ["payouts:write"], resource = "payout:{query.id}", cidr = ["10.0.0.0/8"] }',
    "GET /v1/dead": '{ all = ["charges:read"], resource = [] }',
    "GET /v1/slow": '{ all = ["charges:read"], resource = [] }',
  },
});

let gateway: Gateway;
let withoutDatabase: Gateway;
let withoutKeys: Gateway;
const secrets = new Set([MARK, btoa(MARK), encodeURIComponent(MARK), Buffer.from(MARK).toString("hex")]);

beforeAll(async () => {
  const bindings = { LEGACY: `${MARK} that is long enough for an HMAC of 256 bits` };
  [gateway, withoutDatabase, withoutKeys] = await Promise.all([
    startGateway({
      policy: POLICY,
      bindings,
      origin: (request, response) => {
        if (request.url === "/v1/dead") request.socket.destroy();
        else if (request.url !== "/v1/slow") response.end("fine");
      },
    }),
    startGateway({ policy: POLICY, bindings, database: false }),
    startGateway({ policy: POLICY, bindings: { ...bindings, SIGNING_KEYS: `{"keys":[{"d":"${MARK}"}` } }),
  ]);
});

afterAll(async () => {
  await Promise.all([gateway, withoutDatabase, withoutKeys].map((one) => one?.dispose()));
});

/** A genuine token whose claims hold the mark, and whose every part is a secret from here on. */
async function marked(
  scopes: string,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const token = await gateway.token(scopes, {
    claims: { email: MARK, [MARK]: MARK, allow_list: ["charge:1"], ...claims },
    header,
  });
  remember(token);
  return token;
}

function remember(token: string): void {
  secrets.add(token);
  for (const part of token.split(".")) if (part.length > 20) secrets.add(part.slice(0, 40)).add(part.slice(-24));
  secrets.add(createHash("sha256").update(token).digest("hex"));
}

interface Sent {
  readonly to?: () => Gateway;
  readonly method?: string;
  readonly path: string;
  readonly headers: () => Promise<Record<string, string>> | Record<string, string>;
  readonly body?: string;
  readonly reason: string;
}

const bearer = async (token: string | Promise<string>): Promise<Record<string, string>> => ({
  Authorization: `Bearer ${await token}`,
});
const respelt = async (how: (token: string) => string): Promise<Record<string, string>> =>
  bearer(how(await marked("charges:read")));
const json = { "Content-Type": "application/json" };
const admin = async () => ({ ...json, ...(await bearer(marked("scopegate:admin", { allow_list: undefined }))) });

const CASES: readonly Sent[] = [
  {
    path: `/v1/${MARK}%2Fx?access_token=${MARK}`,
    headers: () => bearer(marked("charges:read")),
    reason: "ambiguous_path",
  },
  { path: `/nowhere?access_token=${MARK}`, headers: () => bearer(marked("charges:read")), reason: "route_not_found" },
  { method: "PUT", path: "/v1/charges", headers: () => bearer(marked("charges:read")), reason: "method_not_allowed" },
  {
    path: `/v1/charges?access_token=${MARK}`,
    headers: () => ({ "X-Api-Key": MARK, Cookie: MARK }),
    reason: "token_missing",
  },
  { path: "/v1/charges", headers: () => ({ Authorization: `Basic ${btoa(`user:${MARK}`)}` }), reason: "token_missing" },
  { path: "/v1/charges", headers: () => bearer(`${MARK} ${MARK}`), reason: "credentials_malformed" },
  { path: "/v1/charges", headers: () => bearer(MARK), reason: "token_invalid" },
  { path: "/v1/charges", headers: () => bearer(`${MARK}.${MARK}.${MARK}`), reason: "token_invalid" },
  { path: "/v1/charges", headers: () => respelt((token) => `${token.slice(0, -4)}AAAA`), reason: "token_invalid" },
  { path: "/v1/charges", headers: () => respelt((token) => `${token}.${MARK}`), reason: "token_invalid" },
  { path: "/v1/charges", headers: () => bearer(marked("charges:read", { iss: MARK })), reason: "token_invalid" },
  { path: "/v1/charges", headers: () => bearer(marked("charges:read", { aud: MARK })), reason: "token_invalid" },
  { path: "/v1/charges", headers: () => bearer(marked("charges:read", { exp: MARK })), reason: "token_invalid" },
  { path: "/v1/charges", headers: () => bearer(marked("charges:read", {}, { kid: MARK })), reason: "token_invalid" },
  { path: "/v1/charges", headers: () => bearer(marked("charges:read", {}, { typ: MARK })), reason: "token_invalid" },
  {
    path: "/v1/charges",
    headers: () => bearer(marked("charges:read", { exp: 1_600_000_000, iat: 1 })),
    reason: "token_expired",
  },
  { path: "/v1/charges", headers: () => bearer(marked("charges:read", { iss: CLOSED })), reason: "keys_unavailable" },
  { path: "/v1/charges", headers: () => bearer(marked(`${MARK} charges:${MARK}`)), reason: "scope_insufficient" },
  { path: `/v1/charges/${MARK}`, headers: () => bearer(marked("charges:read")), reason: "resource_not_allowed" },
  {
    method: "POST",
    path: `/v1/payouts?id=${MARK}&id=${MARK}`,
    headers: () => bearer(marked("payouts:write")),
    reason: "ambiguous_request",
  },
  {
    method: "POST",
    path: "/v1/payouts?id=1",
    headers: async () => ({
      ...(await bearer(marked("payouts:write", { allow_list: undefined }))),
      "X-Forwarded-For": MARK,
    }),
    reason: "condition_not_met",
  },
  { path: "/v1/dead", headers: () => bearer(marked("charges:read")), reason: "origin_unreachable" },
  { path: "/v1/slow", headers: () => bearer(marked("charges:read")), reason: "origin_timeout" },
  {
    to: () => withoutDatabase,
    path: "/v1/charges",
    headers: async () => {
      const token = await withoutDatabase.token("charges:read", { claims: { email: MARK } });
      remember(token);
      return bearer(token);
    },
    reason: "revocation_unavailable",
  },
  {
    to: () => withoutKeys,
    path: "/.well-known/jwks.json",
    headers: () => bearer(marked("charges:read")),
    reason: "keys_unavailable",
  },
  { method: "POST", path: "/_scopegate/tokens", headers: admin, body: `{"name": "${MARK}`, reason: "request_invalid" },
  {
    method: "POST",
    path: "/_scopegate/tokens",
    headers: () => ({ ...json, Authorization: `Bearer ${MARK}` }),
    body: `{"name":"${MARK}"}`,
    reason: "token_invalid",
  },
  { path: `/_scopegate/tokens/${MARK}`, headers: admin, reason: "not_found" },
  {
    method: "POST",
    path: "/_scopegate/tokens",
    headers: admin,
    body: `"${MARK.repeat(7_000)}"`,
    reason: "payload_too_large",
  },
];

describe("a marked secret", () => {
  test.concurrent.for(CASES)("is in no byte of the answer: $reason, $path", async (sent, { expect }) => {
    const to = sent.to?.() ?? gateway;
    const { method = "GET", body } = sent;
    const init = { method, headers: await sent.headers(), ...(body === undefined ? {} : { body }) };
    const response = await to.fetch(sent.path, init);
    const text = await response.text();
    expect(text).toContain(`"reason":"${sent.reason}"`);
    const whole = [response.statusText, ...[...response.headers].flat(), text].join("\n");
    for (const secret of secrets) expect(whole).not.toContain(secret);
  });

  test("is in no line of the logs, which have a line for each refusal", async () => {
    await vi.waitFor(() => {
      for (const { reason } of CASES) expect(allLogs()).toContain(`"reason":"${reason}"`);
    });
    expect(secrets.size).toBeGreaterThan(50);
    for (const secret of secrets) expect(allLogs()).not.toContain(secret);
  });

  test("that was allowed and forwarded is in no line of the logs either, and the origin did not get it", async () => {
    const token = await marked("charges:read");
    expect((await gateway.call(token, "GET", `/v1/charges?key=${MARK}`)).status).toBe(200);
    expect((await gateway.fetch(`/open/x?key=${MARK}`, { headers: { "X-Key": MARK } })).status).toBe(200);
    await vi.waitFor(() => expect(allLogs()).toContain('"route":"GET /open/*"'));
    for (const secret of secrets) expect(allLogs()).not.toContain(secret);
  });

  test("is in no line of what a revocation by the whole token leaves in the logs or the audit", async () => {
    const token = await marked("charges:read");
    const headers = await admin();
    const body = JSON.stringify({ kind: "token", value: token, reason: "it leaked" });
    expect((await gateway.fetch("/_scopegate/revocations", { method: "POST", headers, body })).status).toBe(201);
    for (const path of ["/_scopegate/revocations", "/_scopegate/audit"]) {
      const text = await (await gateway.fetch(path, { headers })).text();
      expect(text).toContain("it leaked");
      for (const secret of secrets) expect(text).not.toContain(secret);
    }
    await vi.waitFor(() => expect(allLogs()).toContain('"event":"administered"'));
    for (const secret of secrets) expect(allLogs()).not.toContain(secret);
  });
});

describe("a decision's line", () => {
  test("has the time, the request, the route, the reason, who, and how long it took", async () => {
    const response = await gateway.call(await gateway.token("payouts:write", { subject: "amy" }), "GET", "/v1/charges");
    const id = response.headers.get("x-request-id") ?? "";
    const line = await vi.waitFor(() => {
      const found = gateway.logs.find((one) => one.includes(id));
      expect(found).toBeDefined();
      return JSON.parse(found ?? "") as Record<string, unknown>;
    });
    expect(line).toMatchObject({
      event: "refused",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      request_id: id,
      method: "GET",
      route: "GET /v1/charges",
      reason: "scope_insufficient",
      status: 403,
      issuer: gateway.issuer,
      subject: "amy",
      token_id: expect.any(String),
      duration_ms: expect.any(Number),
    });
  });

  test("stays one line whatever an issuer wrote into the subject", async () => {
    const subject = 'a"}\\n{"event":"allowed\u2028';
    await gateway.call(await gateway.token("payouts:write", { subject }), "GET", "/v1/charges");
    await vi.waitFor(() => expect(allLogs()).toContain('a\\"}'));
    const lines = gateway.logs.filter((line) => line.startsWith("{"));
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
  });
});

function allLogs(): string {
  return [gateway, withoutDatabase, withoutKeys].flatMap(({ logs }) => logs).join("\n");
}
