/** `mode = "report"`: what would be refused is logged and forwarded, and what is ambiguous, unknown or the gateway's own is not. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Echo, type Gateway, startGateway } from "../support/gateway.ts";
import { policyText } from "../support/policy-text.ts";

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway({
    policy: policyText({
      gateway: 'mode = "report"',
      scopes: ["charges:read", "payouts:write"],
      routes: {
        "GET /open": "{ public = true }",
        "GET /v1/charges": '{ all = ["charges:read"], resource = [] }',
        "GET /v1/charges/:charge": '{ all = ["charges:read"], resource = "charge:{charge}" }',
        "POST /v1/payouts": '{ all = ["payouts:write"], resource = "payout:{query.id}", cidr = ["10.0.0.0/8"] }',
        "GET /v1/closed": '{ public = true, not_cidr = ["0.0.0.0/0", "::/0"] }',
      },
    }),
  });
});

beforeEach(() => {
  gateway.logs.length = 0;
});

afterAll(() => gateway?.dispose());

async function bearer(scopes: string, claims: Record<string, unknown> = {}): Promise<Record<string, string>> {
  return { Authorization: `Bearer ${await gateway.token(scopes, { claims })}` };
}

type Line = Record<string, unknown>;

async function linesOf(event: string): Promise<Line[]> {
  return vi.waitFor(() => {
    const lines = gateway.logs.flatMap((line): Line[] => (line.startsWith("{") ? [JSON.parse(line) as Line] : []));
    const found = lines.filter((line) => line["event"] === event);
    expect(found.length).toBeGreaterThan(0);
    return found;
  });
}

type Case = readonly [
  reason: string,
  method: string,
  path: string,
  headers: () => Promise<Record<string, string>> | Record<string, string>,
];

describe("what is forwarded all the same, and logged as a refusal", () => {
  test.each<Case>([
    ["token_missing", "GET", "/v1/charges", () => ({})],
    ["credentials_malformed", "GET", "/v1/charges", () => ({ Authorization: "Bearer a b" })],
    ["token_invalid", "GET", "/v1/charges", () => ({ Authorization: "Bearer not.a.token" })],
    ["token_expired", "GET", "/v1/charges", () => bearer("charges:read", { iat: 1, exp: 1_600_000_000 })],
    ["scope_insufficient", "GET", "/v1/charges", () => bearer("payouts:write")],
    ["resource_not_allowed", "GET", "/v1/charges/2", () => bearer("charges:read", { allow_list: ["charge:1"] })],
    ["ambiguous_request", "POST", "/v1/payouts?id=1&id=2", () => bearer("payouts:write")],
    ["condition_not_met", "POST", "/v1/payouts?id=1", () => bearer("payouts:write")],
    ["condition_not_met", "GET", "/v1/closed", () => ({})],
  ])("%s: %s %s", async (reason, method, path, headers) => {
    const response = await gateway.fetch(path, { method, headers: await headers() });
    expect(response.status).toBe(200);
    const echo = (await response.json()) as Echo;
    expect(echo.url).toBe(path);
    const [line] = await linesOf("would_refuse");
    expect(line).toMatchObject({ reason, method, request_id: echo.headers["x-request-id"] });
  });

  test("has no identity where there is none, whatever the client says", async () => {
    for (const headers of [{}, { Authorization: "Bearer not.a.token" }, await bearer("charges:read", { exp: 1 })]) {
      const response = await gateway.fetch("/v1/charges", { headers: { ...headers, "X-Scopegate-Subject": "root" } });
      const echo = (await response.json()) as Echo;
      expect(Object.keys(echo.headers).filter((name) => name.startsWith("x-scopegate"))).toEqual([]);
    }
  });

  test("says who calls where that is known, and claims no scope that decided", async () => {
    const response = await gateway.fetch("/v1/charges", { headers: await bearer("payouts:write") });
    const { headers } = (await response.json()) as Echo;
    expect(headers["x-scopegate-subject"]).toBe("tester");
    expect(headers["x-scopegate-scopes"]).toBeUndefined();
  });
});

describe("what is refused as ever", () => {
  test.each<readonly [string, number, string, string]>([
    ["ambiguous_path", 400, "GET", "/v1/charges%2F1"],
    ["ambiguous_path", 400, "GET", "/v1//charges"],
    ["route_not_found", 404, "GET", "/v2"],
    ["method_not_allowed", 405, "DELETE", "/v1/charges"],
    ["token_missing", 401, "GET", "/_scopegate/tokens"],
    ["token_missing", 401, "POST", "/_scopegate/revocations"],
  ])("%s: %i for %s %s", async (reason, status, method, path) => {
    const response = await gateway.fetch(path, { method });
    expect(await response.json()).toMatchObject({ reason, status });
    const [line] = await linesOf("refused");
    expect(line).toMatchObject({ reason, status });
  });

  test("the admin API, for a token without its scope", async () => {
    const response = await gateway.fetch("/_scopegate/tokens", { headers: await bearer("charges:read") });
    expect(await response.json()).toMatchObject({ reason: "scope_insufficient", status: 403 });
  });
});

test("what would be allowed anyway is logged as allowed", async () => {
  expect((await gateway.fetch("/v1/charges", { headers: await bearer("charges:read") })).status).toBe(200);
  expect(await linesOf("allowed")).toMatchObject([{ status: 200, route: "GET /v1/charges", subject: "tester" }]);
});
