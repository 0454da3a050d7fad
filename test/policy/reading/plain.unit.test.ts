/** What is taken without asking the schema is what the schema makes of it; and what most policies consist of is so taken. */
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { plainRoute, plainScope } from "../../../src/policy/reading/plain.ts";
import { policySchema } from "../../../src/policy/reading/schema.ts";
import { routeSchema } from "../../../src/policy/reading/schema-route.ts";

const SCALARS = [undefined, null, true, 1, "", "a", new Date(0), [], ["a"], {}];

describe("a route", () => {
  const plain = ["a", { all: ["a"] }, { all: ["a", "b"] }, { all: ["a"], resource: "x:{y}" }];

  test.each(plain.map((value) => [JSON.stringify(value), value]))("%s is plain", (_text, value) => {
    expect(plainRoute(value)).toEqual(value);
    expect(v.parse(routeSchema, value)).toEqual(value);
  });

  const others = [
    ...SCALARS.filter((value) => typeof value !== "string"),
    { all: "a" },
    { all: [] },
    { all: [1] },
    { all: ["a", 1] },
    { resource: "x:*" },
    { all: ["a"], resource: ["x:*"] },
    { all: ["a"], resource: 1 },
    { all: ["a"], revocation: "strict" },
    { any: ["a"] },
  ];

  test.each(others.map((value) => [JSON.stringify(value), value]))("%s is not", (_text, value) => {
    expect(plainRoute(value)).toBeNull();
  });
});

describe("a scope", () => {
  const scopeOf = (value: unknown): unknown =>
    v.parse(policySchema, { gateway: { public_url: "x" }, scopes: { a: value }, routes: {} }).scopes["a"];

  test("with a description and an owner is plain", () => {
    const value = { description: "d", owner: "o" };
    expect(plainScope(value)).toEqual({ ...value, implies: [], replaced_by: [] });
    expect(plainScope(value)).toEqual(scopeOf(value));
    expect(Object.keys(plainScope(value) ?? {})).toEqual(Object.keys(scopeOf(value) as object));
  });

  const others = [
    ...SCALARS,
    { description: "d" },
    { owner: "o" },
    { description: "", owner: "o" },
    { description: "d", owner: "" },
    { description: "d", owner: 1 },
    { description: ["d"], owner: "o" },
    { description: "d", owner: "o", implies: [] },
    { description: "d", owner: "o", other: 1 },
  ];

  test.each(others.map((value) => [JSON.stringify(value), value]))("%s is not", (_text, value) => {
    expect(plainScope(value)).toBeNull();
  });
});
