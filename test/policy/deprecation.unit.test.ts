import { expect, test } from "vitest";
import { deprecatedScopes } from "../../src/policy/deprecation.ts";
import { catalogueOf, grantOf, type Scope } from "../../src/policy/scope.ts";

const NOW = 1_800_000_000;

function scope(name: string, implies: string[] = [], more: Partial<Scope> = {}): Omit<Scope, "index"> {
  return {
    name,
    description: "d",
    owner: "o",
    implies,
    maxLifetimeSeconds: null,
    deprecatedAtSeconds: null,
    sunsetAtSeconds: null,
    replacedBy: [],
    conditions: null,
    ...more,
  };
}

const catalogue = catalogueOf([
  scope("a:read"),
  scope("a:write", ["a:read"]),
  scope("a:old", ["a:write"], { deprecatedAtSeconds: NOW - 1 }),
  scope("a:ending", ["a:read"], { sunsetAtSeconds: NOW + 1000 }),
  scope("a:new", ["a:old"]),
  scope("older", ["a:old"], { sunsetAtSeconds: NOW + 10 }),
  scope("b:read"),
  scope("b:old", ["b:read"], { deprecatedAtSeconds: NOW - 1 }),
]);

function told(held: string[], decided: string[]): string[] {
  const grant = grantOf(catalogue, held, { wildcards: true, admin: false }, NOW);
  const scopes = decided.flatMap((name) => catalogue.byName.get(name) ?? []);
  return deprecatedScopes(catalogue, { scopes, header: decided.join(" ") }, grant).map(({ name }) => name);
}

test.each<[held: string[], decided: string[], told: string[]]>([
  [["a:read"], ["a:read"], []],
  [["a:write"], ["a:read", "a:write"], []],
  [["a:read"], [], []],
  // The scope that decided is itself on its way out.
  [["a:old"], ["a:old"], ["a:old"]],
  [["a:*"], ["a:old"], ["a:old"]],
  [["a:new"], ["a:old"], ["a:old"]],
  // It was granted by one that is, and may go earlier.
  [["older"], ["a:old"], ["a:old", "older"]],
  [["*"], ["a:old"], ["a:old", "older"]],
  [["a:old"], ["a:write"], ["a:old"]],
  [["a:old"], ["a:read"], ["a:old"]],
  [["a:ending"], ["a:read"], ["a:ending"]],
  [["a:old", "a:ending"], ["a:read"], ["a:old", "a:ending"]],
  [["a:old", "b:old"], ["a:read"], ["a:old"]],
  [
    ["a:old", "b:old"],
    ["a:read", "b:read"],
    ["a:old", "b:old"],
  ],
  // Another that stays grants it as well.
  [["a:old", "a:write"], ["a:read"], []],
  [["a:old", "a:write", "b:old"], ["a:read", "b:read"], ["b:old"]],
  [["a:*"], ["a:read"], []],
])("with %j, a call that %j decided tells of %j", (held, decided, expected) => {
  expect(told(held, decided)).toEqual(expected);
});
