import fc from "fast-check";
import { expect, test } from "vitest";
import { OWN_SCOPES, type ScopesPolicy, scopesOf } from "../../src/token/scopes.ts";

const PLAIN: ScopesPolicy = {
  scopeClaim: "scope",
  legacyScopes: null,
  wildcards: false,
  scopeMap: new Map(),
  admin: false,
};

test.each<[string, Partial<ScopesPolicy>, Record<string, unknown>, string[]]>([
  ["a string", {}, { scope: "a b" }, ["a", "b"]],
  ["a list", {}, { scope: ["a", "b"] }, ["a", "b"]],
  ["a scope named twice", {}, { scope: "a a" }, ["a"]],
  ["spaces before, after and between", {}, { scope: "  a  b " }, ["a", "b"]],
  ["a tab, which is no separator", {}, { scope: "a\tb" }, []],
  ["a line end, which is no separator", {}, { scope: "a\nb" }, []],
  ["an element with a space, which is one scope and none of ours", {}, { scope: ["a b"] }, []],
  ["a list with a number in it", {}, { scope: ["a", 1] }, []],
  ["a list with a list in it", {}, { scope: ["a", ["b"]] }, []],
  ["an empty string", { legacyScopes: ["a"] }, { scope: "" }, []],
  ["an empty list", { legacyScopes: ["a"] }, { scope: [] }, []],
  ["null", { legacyScopes: ["a"] }, { scope: null }, []],
  ["a number", { legacyScopes: ["a"] }, { scope: 1 }, []],
  ["an object", { legacyScopes: ["a"] }, { scope: { a: true } }, []],
  ["no claim", {}, {}, []],
  ["no claim, with legacy_scopes", { legacyScopes: ["a", "b:*"] }, {}, ["a", "b:*"]],
  ["another claim's name", { legacyScopes: ["l"] }, { scp: "a" }, ["l"]],
  ["scp", { scopeClaim: "scp" }, { scp: ["a"], scope: "b" }, ["a"]],
  ["a path", { scopeClaim: "realm_access.roles" }, { realm_access: { roles: ["a"] } }, ["a"]],
  ["a member of exactly that name before a path", { scopeClaim: "a.b" }, { "a.b": "x", a: { b: "y" } }, ["x"]],
  ["a name that is a URL", { scopeClaim: "https://x.example/roles" }, { "https://x.example/roles": ["a"] }, ["a"]],
  ["a path that ends early", { scopeClaim: "a.b", legacyScopes: ["l"] }, { a: {} }, ["l"]],
  ["a path through null", { scopeClaim: "a.b", legacyScopes: ["l"] }, { a: null }, []],
  ["a path through text", { scopeClaim: "a.length", legacyScopes: ["l"] }, { a: "x" }, []],
  ["a path through a list", { scopeClaim: "a.0", legacyScopes: ["l"] }, { a: ["x"] }, []],
  ["a prototype's member", { scopeClaim: "constructor.name", legacyScopes: ["l"] }, {}, ["l"]],
  ["a member of a nested prototype", { scopeClaim: "a.constructor", legacyScopes: ["l"] }, { a: {} }, ["l"]],
  ["mapped names", { scopeMap: new Map([["Billing.Read", ["a", "b"]]]) }, { scope: "Billing.Read c" }, ["a", "b", "c"]],
  ["a mapped name with a space", { scopeMap: new Map([["Billing Read", ["a"]]]) }, { scope: ["Billing Read"] }, ["a"]],
  ["a name mapped to nothing", { scopeMap: new Map([["x", []]]) }, { scope: "x y" }, ["y"]],
  [
    "what a name is mapped to is not mapped again",
    {
      scopeMap: new Map([
        ["x", ["y"]],
        ["y", ["z"]],
      ]),
    },
    { scope: "x" },
    ["y"],
  ],
  ["a wildcard where the issuer may use none", {}, { scope: "* charges:* charges.* a" }, ["a"]],
  ["a wildcard where the issuer may", { wildcards: true }, { scope: "* charges:*" }, ["*", "charges:*"]],
  ["a mapped wildcard", { scopeMap: new Map([["all", ["charges:*"]]]) }, { scope: "all" }, ["charges:*"]],
  ["a star elsewhere", {}, { scope: "a*b *a" }, ["a*b", "*a"]],
  ["a reserved scope", {}, { scope: "scopegate:admin a" }, ["a"]],
  ["a reserved scope of an administrator's issuer", { admin: true }, { scope: "scopegate:admin" }, ["scopegate:admin"]],
  ["a reserved scope by the map", { scopeMap: new Map([["root", ["scopegate:admin"]]]) }, { scope: "root" }, []],
  ["a reserved scope by legacy_scopes", { legacyScopes: ["scopegate:admin"] }, {}, []],
  ["names of a prototype's members", {}, { scope: "constructor __proto__" }, ["constructor", "__proto__"]],
])("%s", (_what, policy, payload, expected) => {
  expect(scopesOf(payload, { ...PLAIN, ...policy })).toEqual(expected);
});

test("this gateway's own tokens use wildcards and reserved scopes, and have no legacy", () => {
  expect(scopesOf({ scope: "charges:* scopegate:tokens" }, OWN_SCOPES)).toEqual(["charges:*", "scopegate:tokens"]);
  expect(scopesOf({}, OWN_SCOPES)).toEqual([]);
});

test("whatever the claim, joining and splitting the scopes gives the same scopes", () => {
  const claim = fc.oneof(fc.string(), fc.array(fc.string()), fc.jsonValue());
  fc.assert(
    fc.property(claim, fc.boolean(), (value, wildcards) => {
      const scopes = scopesOf({ scope: value }, { ...PLAIN, wildcards });
      expect(scopesOf({ scope: scopes.join(" ") }, { ...PLAIN, wildcards })).toEqual(scopes);
    }),
  );
});
