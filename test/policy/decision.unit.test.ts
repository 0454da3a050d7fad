import { describe, expect, test } from "vitest";
import { readConditions } from "../../src/policy/conditions/conditions.ts";
import { decide, decidePublic } from "../../src/policy/decision.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { readAllowList } from "../../src/policy/resources/allow-list.ts";
import { grantOf } from "../../src/policy/scope.ts";
import { policyText } from "../support/policy-text.ts";

const NOW = 1_800_000_000;
const loaded = loadPolicy(
  policyText({
    scopes: [
      ["ten", 'cidr = ["10.0.0.0/8"]'],
      ["odd", 'cidr = ["10.0.0.1", "192.0.2.1"]'],
      ["doc", 'cidr = ["192.0.2.0/24"]'],
      "free",
    ],
    routes: {
      "GET /both": '{ all = ["ten", "odd"], resource = [] }',
      "GET /either": '{ any = ["ten", "doc"], resource = [] }',
      "GET /free": '{ all = ["free"], resource = [] }',
      "GET /mixed": '{ all = ["free", "ten"], resource = [] }',
      "GET /young": '{ authenticated = true, resource = [], max_token_age = "1m" }',
      "GET /open": '{ public = true, cidr = ["10.0.0.0/8"] }',
      "GET /wide": "{ public = true }",
      "GET /all": "{ authenticated = true }",
    },
  }),
);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
const { policy } = loaded;

interface Call {
  path: string;
  address?: string | null;
  scopes?: string[];
  conditions?: unknown;
  allowList?: unknown;
  issuedAt?: number | null;
}

function outcome({ path, address = "10.0.0.1", scopes = ["*"], conditions, allowList, issuedAt = NOW }: Call): string {
  const found = policy.router.find("GET", path);
  if (found.kind !== "found") throw new Error(`no route ${path}`);
  const { route, values } = found;
  const asked = { values, query: "", header: () => null, address, country: () => null, nowSeconds: NOW };
  const holder = {
    grant: grantOf(policy.catalogue, scopes, { wildcards: true, admin: false }, NOW),
    allowList: readAllowList(allowList),
    conditions: readConditions(conditions),
    issuedAtSeconds: issuedAt,
  };
  const decision = route.requirement.kind === "public" ? decidePublic(route, asked) : decide(route, holder, asked);
  if (decision.allowed) return `allowed with ${decision.alternative?.header ?? "nothing"}`;
  const { denial } = decision;
  return "condition" in denial ? `${denial.reason} ${denial.condition}` : denial.reason;
}

describe("the conditions of the scopes that a call needs", () => {
  test("hold all together, whichever of them stands first", () => {
    expect(outcome({ path: "/both" })).toBe("allowed with ten odd");
    expect(outcome({ path: "/both", address: "10.0.0.2" })).toBe("condition_not_met cidr");
    expect(outcome({ path: "/both", address: "192.0.2.1" })).toBe("condition_not_met cidr");
    expect(outcome({ path: "/mixed", address: "192.0.2.1" })).toBe("condition_not_met cidr");
    expect(outcome({ path: "/mixed" })).toBe("allowed with free ten");
  });

  test("pick among alternatives the first that holds", () => {
    expect(outcome({ path: "/either" })).toBe("allowed with ten");
    expect(outcome({ path: "/either", address: "192.0.2.1" })).toBe("allowed with doc");
    expect(outcome({ path: "/either", address: "203.0.113.1" })).toBe("condition_not_met cidr");
    expect(outcome({ path: "/either", address: "192.0.2.1", scopes: ["ten"] })).toBe("condition_not_met cidr");
    expect(outcome({ path: "/either", scopes: ["free"] })).toBe("scope_insufficient");
  });

  test("are not asked where the scope is not needed", () => {
    expect(outcome({ path: "/free", address: null })).toBe("allowed with free");
  });
});

describe("the conditions of the route and of the token", () => {
  test("hold both, the route's first", () => {
    const german = [{ not_cidr: ["192.0.2.0/24"] }, { countries: ["DE"] }];
    expect(outcome({ path: "/free", conditions: german })).toBe("condition_not_met countries");
    expect(outcome({ path: "/free", conditions: german, address: "192.0.2.1" })).toBe("condition_not_met not_cidr");
    expect(outcome({ path: "/young", conditions: german, issuedAt: null })).toBe("condition_not_met max_token_age");
    expect(outcome({ path: "/free", conditions: { cidr: ["10.0.0.0/8"] } })).toBe("allowed with free");
    expect(outcome({ path: "/free", conditions: { what: 1 } })).toBe("condition_not_met token");
  });

  test("count a token's age to the second", () => {
    expect(outcome({ path: "/young", issuedAt: NOW - 60 })).toBe("allowed with nothing");
    expect(outcome({ path: "/young", issuedAt: NOW - 61 })).toBe("condition_not_met max_token_age");
  });

  test("hold on public routes too", () => {
    expect(outcome({ path: "/open" })).toBe("allowed with nothing");
    expect(outcome({ path: "/open", address: "192.0.2.1" })).toBe("condition_not_met cidr");
    expect(outcome({ path: "/wide", address: null })).toBe("allowed with nothing");
  });
});

test("a list that covers nothing is refused where nothing is touched, and a narrow one where all is", () => {
  expect(outcome({ path: "/free", allowList: [] })).toBe("resource_not_allowed");
  expect(outcome({ path: "/free", allowList: "x" })).toBe("resource_not_allowed");
  expect(outcome({ path: "/free", allowList: ["a:b"] })).toBe("allowed with free");
  expect(outcome({ path: "/all", allowList: ["a:b"] })).toBe("resource_not_allowed");
  expect(outcome({ path: "/all" })).toBe("allowed with nothing");
});

test("asks for the caller's country where a condition reads it, and nowhere else", () => {
  const found = policy.router.find("GET", "/all");
  if (found.kind !== "found") throw new Error("no route");
  let asked = 0;
  const country = (): string => {
    asked++;
    return "DE";
  };
  const call = { values: [], query: "", header: () => null, address: "10.0.0.1", country, nowSeconds: NOW };
  const holder = (conditions: unknown) => ({
    grant: grantOf(policy.catalogue, ["*"], { wildcards: true, admin: false }, NOW),
    allowList: readAllowList(undefined),
    conditions: readConditions(conditions),
    issuedAtSeconds: NOW,
  });
  expect(decide(found.route, holder({ cidr: ["10.0.0.0/8"], max_token_age: "1h" }), call).allowed).toBe(true);
  expect(asked).toBe(0);
  expect(decide(found.route, holder({ countries: ["DE"] }), call).allowed).toBe(true);
  expect(asked).toBe(1);
});
