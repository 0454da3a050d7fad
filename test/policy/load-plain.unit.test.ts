/**
 * Most routes of a large policy say scopes and a resource and nothing else, and many say the same. Those are read in a
 * shorter way, which must come to what the longer one comes to.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { faultText, loadPolicy } from "../../src/policy/load.ts";

const scope = (name: string): string => `[scopes."${name}"]\ndescription = "d"\nowner = "o"\n`;
const textOf = (routes: string): string =>
  `[gateway]\npublic_url = "https://api.example.com"\n${scope("a")}${scope("b")}[routes]\n${routes}\n`;

/** What the last of these routes comes to. */
function comesTo(routes: string) {
  const loaded = loadPolicy(textOf(routes));
  if (!loaded.ok) return loaded.faults.map((fault) => faultText(fault));
  const { written: _, key: __, ...rest } = loaded.policy.routes.at(-1) ?? { key: "", written: "" };
  return rest;
}

const word = fc.constantFrom(
  '"a"',
  '"b"',
  '"a b"',
  '""',
  '"zzz"',
  '"scopegate:admin"',
  "1",
  "2026-01-01",
  "true",
  "[]",
);
const list = fc.array(word, { maxLength: 3 }).map((words) => `[${words.join(", ")}]`);
const resource = fc.constantFrom(
  '"x:{y}"',
  '"x:*"',
  '"*:*"',
  '"x:{z}"',
  '"x"',
  '""',
  "[]",
  "5",
  "2026-01-01",
  '["x:{y}"]',
  "{}",
);
const entries = fc
  .tuple(fc.option(fc.oneof(list, word)), fc.option(resource), fc.boolean())
  .map(([all, target, other]) => [
    ...(all === null ? [] : [`all = ${all}`]),
    ...(target === null ? [] : [`resource = ${target}`]),
    ...(other ? ['other = "x"'] : []),
  ]);

test("a table of scopes and a resource comes to the same with a key beside them that changes nothing", () => {
  fc.assert(
    fc.property(entries, (written) => {
      const short = comesTo(`"GET /v1/:y" = { ${written.join(", ")} }`);
      const long = comesTo(`"GET /v1/:y" = { ${[...written, "encoded_slash = false"].join(", ")} }`);
      expect(short).toEqual(long);
    }),
    { numRuns: 1000 },
  );
});

const valid = fc
  .tuple(
    fc.constantFrom('["a"]', '["b"]', '["a", "b"]'),
    fc.constantFrom("", 'resource = "x:{y}"', 'resource = "x:*"', 'resource = ["x:{y}"]', "resource = []"),
  )
  .map(([all, target]) => [`all = ${all}`, ...(target === "" ? [] : [target])]);

test("a route comes to the same after another that says alike, or nearly", () => {
  fc.assert(
    fc.property(valid, entries, (before, written) => {
      const route = `"GET /v1/:y" = { ${written.join(", ")} }`;
      const after = comesTo(`"GET /v2/:y" = { ${before.join(", ")} }\n${route}`);
      expect(withoutLines(after)).toEqual(withoutLines(comesTo(route)));
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ["one scope with a space in its name", '{ all = ["a", "b"] }', '{ all = ["a b"] }', 'unknown scope "a b"'],
  [
    "one resource with a line break in it",
    '{ all = ["a"], resource = ["x:1", "y:2"] }',
    '{ all = ["a"], resource = "x:1\\ny:2" }',
    "is spelt as in a canonical path",
  ],
])("%s is not two, whatever another route says", (_name, first, second, message) => {
  expect(comesTo(`"GET /v1" = ${first}\n"GET /v2" = ${second}`)).toEqual([expect.stringContaining(message)]);
});

test.each([
  ["two scopes, after one of them twice", '/v1" = { all = ["a", "a"] }', '/v2" = { all = ["a", "b"] }'],
  [
    "two resources, after the first of them",
    '/v1" = { all = ["a"], resource = "x:1" }',
    '/v2" = { all = ["a"], resource = ["x:1", "y:2"] }',
  ],
  [
    "a resource of a star that its pattern lacks, after one whose pattern has it",
    '/v1/*" = { all = ["a"], resource = "x:{*}" }',
    '/v2" = { all = ["a"], resource = "x:{*}" }',
  ],
  ["all and any at once, after the same", '/v1" = { all = ["a"], any = ["b"] }', '/v2" = { all = ["a"], any = ["b"] }'],
  [
    "two resources of which one is none, after the same",
    '/v1" = { all = ["a"], resource = ["x:1", "y"] }',
    '/v2" = { all = ["a"], resource = ["x:1", "y"] }',
  ],
])("a route comes to the same as alone with %s", (_name, before, written) => {
  const alone = withoutLines(comesTo(`"GET ${written}`));
  const after = withoutLines(comesTo(`"GET ${before}\n"GET ${written}`));
  expect(Array.isArray(alone) && Array.isArray(after) ? after.slice(-alone.length) : after).toEqual(alone);
  expect(Array.isArray(after)).toBe(Array.isArray(alone));
});

test("routes share what they say alike, and only that", () => {
  const loaded = loadPolicy(
    textOf(`"GET /v1/:y" = { all = ["a"], resource = "x:{y}" }
"GET /v2/:y" = { all = ["a"], resource = "x:{y}" }
"GET /v3/:z" = { resource = "x:*", all = ["a"] }
"GET /v4/:z" = { resource = "x:*", all = ["a"] }
"GET /v5/:y/:z" = { all = ["a"], resource = "x:{y}" }
"PUT /v6/:z/:y" = { all = ["a"], resource = "x:{y}" }
"GET /v7" = { any = ["a"] }
"GET /v8" = ["a"]`),
  );
  if (!loaded.ok) throw new Error(loaded.faults.map((fault) => faultText(fault)).join());
  const [first, second, third, fourth, fifth, sixth, any, last] = loaded.policy.routes;
  for (const route of [second, third, fourth, fifth, sixth, last]) expect(route?.requirement).toBe(first?.requirement);
  expect(any?.requirement).not.toBe(first?.requirement);
  expect(any?.requirement).toEqual(first?.requirement);
  expect(second?.resources).toBe(first?.resources);
  expect(fourth?.resources).toBe(third?.resources);
  expect(fifth?.resources).toEqual(first?.resources);
  expect(sixth?.resources).not.toEqual(first?.resources);
  expect(second?.methods).toBe(first?.methods);
  expect(sixth?.methods).toEqual(["PUT"]);
});

test("a name that no record may have is told of a scope that is not plain", () => {
  const scopes = ["constructor", "__proto__", "prototype"].map(
    (name) => `[scopes.${name}]\ndescription = "d"\nowner = "o"\nimplies = []\n`,
  );
  const loaded = loadPolicy(textOf("").replace("[routes]", `${scopes.join("")}[routes]`));
  expect(loaded).toMatchObject({ ok: false, faults: { length: 3 } });
});

function withoutLines(result: ReturnType<typeof comesTo>) {
  return Array.isArray(result) ? result.map((text) => text.replace(/:\d+/, "")) : result;
}
