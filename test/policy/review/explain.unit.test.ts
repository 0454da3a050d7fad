import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadPolicy } from "../../../src/policy/load.ts";
import type { Policy } from "../../../src/policy/policy.ts";
import { parseAllowList } from "../../../src/policy/resources/allow-list.ts";
import { type Caller, type Explanation, explain } from "../../../src/policy/review/explain.ts";
import { holderOfScopes } from "../../../src/policy/review/hypothetical.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z") / 1000;

const POLICY = policyOf(`
[gateway]
public_url = "https://api.example.com"
[scopes."charges:read"]
description = "d"
owner = "o"
[scopes."charges:write"]
description = "d"
owner = "o"
implies = ["charges:read"]
[scopes."charges:old"]
description = "d"
owner = "o"
deprecated = "2025-01-01"
sunset = "2026-01-01"
[scopes."office"]
description = "d"
owner = "o"
cidr = ["10.0.0.0/8"]
[routes]
"GET /health" = { public = true, cidr = ["192.0.2.0/24"] }
"GET /me" = { authenticated = true, resource = [] }
"GET /charges" = "charges:read"
"GET /charges/export" = "charges:write"
"GET /charges/:charge" = { all = ["charges:read"], resource = "charge:{charge}" }
"DELETE /charges/:charge" = { all = ["charges:write", "charges:old"], resource = "charge:{charge}" }
"GET /charges/*" = { all = ["charges:write"], resource = "path:{*}" }
"POST /payouts" = { any = ["office", "charges:write"], max_token_age = "15m", countries = ["DE"] }
"GET /search" = { all = ["charges:read"], resource = "project:{query.project}" }
"GET /Files/:f" = { all = ["charges:read"], resource = [], encoded_slash = true }
`);

function policyOf(text: string): Policy {
  const loaded = loadPolicy(text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.policy;
}

interface Asked {
  readonly scopes?: readonly string[];
  readonly list?: readonly string[];
  readonly ip?: string;
  readonly country?: string;
}

function ask(method: string, target: string, { scopes, list, ip, country }: Asked = {}): Explanation {
  const parsed = list === undefined ? null : parseAllowList(list);
  if (parsed?.ok === false) throw new Error("not a list");
  const caller: Caller =
    scopes === undefined
      ? { kind: "anonymous" }
      : holderOfScopes(POLICY, { scopes, nowSeconds: NOW, ...(parsed === null ? {} : { allowList: parsed.list }) });
  return explain(POLICY, {
    method,
    target,
    header: () => null,
    address: ip ?? null,
    country: country ?? null,
    nowSeconds: NOW,
    caller,
  });
}

const step = (explanation: Explanation, name: string) => explanation.steps.find((each) => each.step === name);

test.each<[string, string, Asked, number, string | undefined]>([
  ["GET", "/charges", { scopes: ["charges:read"] }, 200, undefined],
  ["HEAD", "/charges", { scopes: ["charges:write"] }, 200, undefined],
  ["GET", "/charges", { scopes: ["charges:*"] }, 200, undefined],
  ["GET", "/charges", {}, 401, "token_missing"],
  ["GET", "/charges", { scopes: ["nothing"] }, 403, "scope_insufficient"],
  ["GET", "/charges", { scopes: ["charges:read"], list: ["charge:1"] }, 403, "resource_not_allowed"],
  ["GET", "/charges/1", { scopes: ["charges:read"], list: ["charge:1"] }, 200, undefined],
  ["GET", "/charges/2", { scopes: ["charges:read"], list: ["charge:1"] }, 403, "resource_not_allowed"],
  ["GET", "/search?project=1&project=2", { scopes: ["charges:read"] }, 400, "ambiguous_request"],
  ["DELETE", "/charges/1", { scopes: ["*"] }, 403, "scope_insufficient"],
  ["POST", "/payouts", { scopes: ["office"], country: "DE" }, 403, "condition_not_met"],
  ["POST", "/payouts", { scopes: ["office"], country: "DE", ip: "10.1.1.1" }, 200, undefined],
  ["POST", "/payouts", { scopes: ["office", "charges:write"], country: "DE", ip: "1.1.1.1" }, 200, undefined],
  ["POST", "/payouts", { scopes: ["charges:write"] }, 403, "condition_not_met"],
  ["GET", "/health", { ip: "192.0.2.9" }, 200, undefined],
  ["GET", "/health", { ip: "192.0.3.9" }, 403, "condition_not_met"],
  ["GET", "/me", { scopes: [] }, 200, undefined],
  ["GET", "/nowhere", { scopes: ["*"] }, 404, "route_not_found"],
  ["PUT", "/charges", { scopes: ["*"] }, 405, "method_not_allowed"],
  ["GET", "/charges//1", { scopes: ["*"] }, 400, "ambiguous_path"],
  ["GET", "/charges/%2e%2e/x", { scopes: ["*"] }, 400, "ambiguous_path"],
  ["GET", "/charges/a%2Fb", { scopes: ["*"] }, 400, "ambiguous_path"],
  ["GET", "/Files/a%2Fb", { scopes: ["charges:read"] }, 200, undefined],
  ["GET", "/charges/EXPORT", { scopes: ["*"] }, 400, "ambiguous_path"],
  ["GET", "charges", { scopes: ["*"] }, 400, "ambiguous_path"],
  ["GET", "x/charges", { scopes: ["*"] }, 400, "ambiguous_path"],
  ["GET", "/_scopegate/routes", { scopes: ["scopegate:read"] }, 200, undefined],
  ["GET", "/_scopegate/routes", { scopes: ["*"] }, 403, "scope_insufficient"],
])("explains %s %s with %j as %s %s", (method, target, asked, status, reason) => {
  const explanation = ask(method, target, asked);
  expect([explanation.status, explanation.reason]).toEqual([status, reason]);
  expect(explanation.allowed).toBe(status === 200);
  expect(explanation.steps.every(({ passed }) => passed)).toBe(explanation.allowed);
  expect(explanation.steps[0]?.step).toBe("path");
  for (const each of explanation.steps) {
    expect(each).toMatchObject({
      step: expect.stringMatching(/^[a-z]+$/),
      passed: expect.any(Boolean),
      detail: expect.stringMatching(/./),
    });
  }
});

describe("says", () => {
  test("the canonical path that is matched and forwarded", () => {
    const explanation = ask("GET", "/charges/%61?x=%61", { scopes: ["charges:read"] });
    expect(explanation.path).toBe("/charges/a");
    expect(step(explanation, "path")?.detail).toContain("/charges/a");
  });

  test("which route won, which others have the path, and why they did not win", () => {
    const explanation = ask("GET", "/charges/export", { scopes: ["charges:write"] });
    expect(explanation.route).toBe("GET /charges/export");
    expect(explanation.candidates).toEqual([
      { route: "GET /charges/export", won: true, why: "is the most specific pattern that has GET" },
      { route: "GET /charges/:charge", won: false, why: 'is less specific: its segment 2 is ":charge", not "export"' },
      { route: "DELETE /charges/:charge", won: false, why: "does not have GET" },
      { route: "GET /charges/*", won: false, why: 'is less specific: its segment 2 is "*", not "export"' },
    ]);
  });

  test("what would satisfy a scope, and that nothing grants one past its sunset", () => {
    const lacking = step(ask("GET", "/charges", { scopes: ["x"] }), "scopes");
    expect(lacking).toMatchObject({ passed: false, needs: [["charges:read"]] });
    expect(lacking?.detail).toContain("charges:write also grants");
    expect(step(ask("DELETE", "/charges/1", { scopes: ["*"] }), "scopes")?.detail).toContain("past its sunset");
  });

  test("each requirement, also behind the first that fails", () => {
    const explanation = ask("POST", "/payouts", { scopes: ["x"], list: ["charge:1"] });
    expect(explanation.reason).toBe("scope_insufficient");
    expect(step(explanation, "resources")).toMatchObject({ passed: false, needs: ["*:*"] });
    expect(step(explanation, "conditions")?.needs).toEqual([
      { of: "route", condition: "countries", holds: false, wants: "a caller from DE" },
      { of: "route", condition: "max_token_age", holds: true, wants: "a token of at most 900 s" },
    ]);
  });

  test("what was taken for granted", () => {
    const explanation = ask("GET", "/charges", { scopes: ["charges:read", "typo"] });
    expect(step(explanation, "token")).toMatchObject({ passed: true, assumed: true });
    expect(step(explanation, "token")?.detail).toContain("does not know typo");
    expect(step(explanation, "revocation")).toMatchObject({ passed: true, assumed: true });
  });

  test("where a token stops before its scopes are asked", () => {
    const caller: Caller = { kind: "refused", step: "token", reason: "token_expired", detail: "the token has expired" };
    const question = { method: "GET", target: "/charges", header: () => null, address: null, country: null };
    const explanation = explain(POLICY, { ...question, nowSeconds: NOW, caller });
    expect(explanation).toMatchObject({ allowed: false, status: 401, reason: "token_expired" });
    expect(explanation.steps.map(({ step: name, passed }) => [name, passed])).toEqual([
      ["path", true],
      ["route", true],
      ["credentials", true],
      ["token", false],
      ["scopes", false],
      ["resources", false],
      ["conditions", true],
    ]);
  });
});

test("passes every step if and only if the decision allows the call, whoever asks from wherever", () => {
  const scopes = ["charges:read", "charges:write", "charges:old", "office", "*", "scopegate:admin"];
  const targets = [
    "/charges",
    "/charges/1",
    "/charges/2/x",
    "/payouts",
    "/me",
    "/health",
    "/search?project=1",
    "/search?project=1&project=",
    "/Files/a%2Fb",
    "/_scopegate/audit",
  ];
  fc.assert(
    fc.property(
      fc.constantFrom("GET", "HEAD", "POST", "DELETE"),
      fc.constantFrom(...targets),
      fc.option(fc.subarray(scopes)),
      fc.constantFrom(undefined, ["charge:1"], ["charge:*", "project:1"], ["*:*"]),
      fc.constantFrom(undefined, "10.0.0.1", "192.0.2.1"),
      fc.constantFrom(undefined, "DE", "FR"),
      (method, target, held, list, ip, country) => {
        const explanation = ask(method, target, {
          ...(held === null ? {} : { scopes: held }),
          ...(list === undefined ? {} : { list }),
          ...(ip === undefined ? {} : { ip }),
          ...(country === undefined ? {} : { country }),
        });
        expect(explanation.steps.every(({ passed }) => passed)).toBe(explanation.allowed);
        const first = explanation.steps.find(({ passed }) => !passed)?.step;
        if (explanation.reason === "scope_insufficient") expect(first).toBe("scopes");
        if (explanation.reason === "resource_not_allowed") expect(first).toBe("resources");
        if (explanation.reason === "condition_not_met") expect(first).toBe("conditions");
      },
    ),
    { numRuns: 1000 },
  );
});
