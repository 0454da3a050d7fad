/** What an author is told who wrote a policy in another way than it is written, to the letter: people act on it. */
import { describe, expect, test } from "vitest";
import { faultText, loadPolicy } from "../../src/policy/load.ts";
import { grantOf } from "../../src/policy/scope.ts";

const HEAD = `[gateway]
public_url = "https://api.example.com"
[scopes."charges:read"]
description = "d"
owner = "o"
`;
const ROUTES = `${HEAD}[routes]\n`;

function told(text: string): string[] {
  const loaded = loadPolicy(text);
  return loaded.ok ? [] : loaded.faults.map((fault) => faultText(fault).replace(/^scopegate.toml(:\d+)? /, ""));
}

const scope = (name: string, more = ""): string => `[scopes.${name}]\ndescription = "d"\nowner = "o"\n${more}\n`;

describe("a route that names", () => {
  const WILDCARD =
    '"charges:*" is a wildcard; a route names scopes one by one; wildcards stand in tokens, bundles and scope_map';
  test.each([
    ["a wildcard", '"charges:*"', `: ${WILDCARD}`],
    ["a wildcard among others", '{ any = ["charges:read", "charges:*"] }', `.any[1]: ${WILDCARD}`],
    [
      "public as a scope",
      '"public"',
      ': unknown scope "public"; declare it as [scopes."public"], or did you mean { public = true }?',
    ],
    [
      "authenticated as a scope",
      '["authenticated"]',
      ': unknown scope "authenticated"; declare it as [scopes."authenticated"], or did you mean { authenticated = true }?',
    ],
  ])("%s", (_name, value, message) => {
    expect(told(`${ROUTES}"GET /x" = ${value}`)).toEqual([`routes."GET /x"${message}`]);
  });

  test("a scope called public that the catalogue has, is no fault", () => {
    expect(told(`${HEAD}${scope("public")}[routes]\n"GET /x" = "public"`)).toEqual([]);
  });
});

test("a scope that implies a wildcard is told that it cannot", () => {
  expect(told(`${HEAD}${scope("all", 'implies = ["charges:*"]')}[routes]`)).toEqual([
    'scopes.all.implies[0]: "charges:*" is a wildcard; implies names scopes one by one; wildcards stand in tokens, bundles and scope_map',
  ]);
});

test.each([
  ["GET  /x", "one space between the methods and the pattern"],
  ["GET \\t/x", "one space between the methods and the pattern"],
  ["GET /x ", "no space after the pattern"],
])("a route's key %j: %s", (key, message) => {
  expect(told(`${ROUTES}"${key}" = "charges:read"`)).toEqual([`routes."${key}": ${message}`]);
});

describe("a chain of 20,000 scopes", () => {
  const COUNT = 20_000;
  const chain = (last: string): string => {
    const scopes = Array.from({ length: COUNT }, (_, at) => scope(`s${at}`, `implies = ["s${at + 1}"]`));
    return `${HEAD}${scopes.join("")}${scope(`s${COUNT}`, last)}[routes]\n"GET /x" = "s${COUNT}"`;
  };

  test("loads, and its first grants its last", () => {
    const loaded = loadPolicy(chain(""));
    if (!loaded.ok) throw new Error("it does not load");
    const { catalogue } = loaded.policy;
    const { granted } = grantOf(catalogue, ["s0"], { wildcards: true, admin: false }, 0);
    const last = catalogue.byName.get(`s${COUNT}`)?.index ?? 0;
    expect(((granted[last >>> 5] ?? 0) >>> (last & 31)) & 1).toBe(1);
  });

  test("that ends where it began is a cycle, told in brief", () => {
    expect(told(chain('implies = ["s0"]'))).toEqual([
      "scopes.s0.implies: is a cycle: s0 → s1 → s2 → s3 → … 19994 more … → s19998 → s19999 → s20000 → s0",
    ]);
  });
});
