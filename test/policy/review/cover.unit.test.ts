import * as fc from "fast-check";
import { expect, test } from "vitest";
import { loadPolicy } from "../../../src/policy/load.ts";
import type { Policy } from "../../../src/policy/policy.ts";
import { coversPattern, lets } from "../../../src/policy/review/cover.ts";
import { type Pattern, parsePattern } from "../../../src/policy/routing/pattern.ts";

function patternOf(text: string): Pattern {
  const pattern = parsePattern(text);
  if ("error" in pattern) throw new Error(pattern.error);
  return pattern;
}

test.each([
  ["/a/*", "/a", true],
  ["/a/*", "/a/b/:c", true],
  ["/a/*", "/a/b/*", true],
  ["/a/*", "/ab", false],
  ["/a/b/*", "/a/*", false],
  ["/:x", "/a", true],
  ["/:x", "/a-:y", true],
  ["/:x", "/a/*", false],
  ["/:x", "/:y+", false],
  ["/:x+", "/a", true],
  ["/:x+", "/a/b", true],
  ["/:x+", "/a/*", true],
  ["/:x+", "/", false],
  ["/:x+/z", "/a/b/z", true],
  ["/:x+/z", "/a/b", false],
  ["/a-:x", "/a-b", true],
  ["/a-:x", "/b-a", false],
  ["/a-:x", "/a-:y", true],
  ["/a-:x", "/b-:y", false],
  ["/:x-b", "/a-b", true],
  ["/:x-b", "/-b", false],
  ["/a", "/:x", false],
  ["/*", "/", true],
])("says whether %s has every path of %s: %s", (wide, narrow, expected) => {
  expect(coversPattern(patternOf(wide), patternOf(narrow))).toBe(expected);
});

const segment = fc.constantFrom("a", "b", ":n", "a-:n", ":n+");
const patternText = fc
  .tuple(fc.array(segment, { maxLength: 4 }), fc.boolean())
  .map(
    ([segments, star]) =>
      `/${[...segments.map((text, at) => text.replace("n", `n${at}`)), ...(star ? ["*"] : [])].join("/")}`,
  );
const path = fc.array(fc.constantFrom("a", "b", "a-b", "c"), { maxLength: 6 }).map((parts) => `/${parts.join("/")}`);

function routerOf(pattern: string): Policy["router"] {
  const loaded = loadPolicy(
    `[gateway]\npublic_url = "https://a.example"\n[routes]\n"GET ${pattern}" = { public = true }`,
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.policy.router;
}

test("never says that a pattern covers another which has a path that the router finds only there", () => {
  fc.assert(
    fc.property(patternText, patternText, fc.array(path, { minLength: 20, maxLength: 40 }), (wide, narrow, paths) => {
      if (!coversPattern(patternOf(wide), patternOf(narrow))) return;
      const [wider, narrower] = [routerOf(wide), routerOf(narrow)];
      for (const each of paths) {
        if (narrower.find("GET", each).kind === "found") expect(wider.find("GET", each).kind).toBe("found");
      }
    }),
    { numRuns: 300 },
  );
});

test("orders requirements: public, any token, implied scope, scope", () => {
  const loaded = loadPolicy(`
[gateway]
public_url = "https://a.example"
[scopes.r]
description = "d"
owner = "o"
[scopes.w]
description = "d"
owner = "o"
implies = ["r"]
[routes]
"GET /p" = { public = true }
"GET /a" = { authenticated = true }
"GET /r" = "r"
"GET /w" = "w"
`);
  if (!loaded.ok) throw new Error("the policy does not load");
  const { routes, catalogue } = loaded.policy;
  const order = routes.map(({ requirement }) => requirement);
  for (const [i, from] of order.entries()) {
    for (const [j, to] of order.entries()) expect(lets(from, to, catalogue), `${i} ${j}`).toBe(i >= j);
  }
});
