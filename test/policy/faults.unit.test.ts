/** Where a fault is told to lie, and what is said to be known there. */
import { describe, expect, test } from "vitest";
import { faultsOf } from "../../src/policy/faults.ts";
import { faultText, loadPolicy } from "../../src/policy/load.ts";

const TEXT = `[gateway]
public_url = "https://api.example.com"
# a comment = "no key"
[scopes."a.b"]
owner = "o"

[[issuers]]
issuer = "one"
[[issuers]]
issuer = "two"
scope_map = { x = ["y"] }
[[other]]
issuer = "three"
[ routes ] # spaced
"GET /x" = "a"
'GET /y' = "b"
"GET \\"z\\"" = "c"
dotted.key."w x" = 1
`;

describe("a fault lies", () => {
  test.each<[(string | number)[], string, number | null]>([
    [["gateway"], "gateway", 1],
    [["gateway", "public_url"], "gateway.public_url", 2],
    [["gateway", "a"], "gateway.a", 1],
    [["scopes", "a.b", "owner"], 'scopes."a.b".owner', 5],
    [["scopes", "a.b", "description"], 'scopes."a.b".description', 4],
    [["issuers", 0, "issuer"], "issuers[0].issuer", 8],
    [["issuers", 1, "issuer"], "issuers[1].issuer", 10],
    [["issuers", 1, "scope_map", "x", 0], "issuers[1].scope_map.x[0]", 11],
    [["issuers", 1], "issuers[1]", 9],
    [["other", 0, "issuer"], "other[0].issuer", 13],
    [["routes", "GET /x"], 'routes."GET /x"', 15],
    [["routes", "GET /y"], 'routes."GET /y"', 16],
    [["routes", "dotted", "key", "w x"], 'routes.dotted.key."w x"', 18],
    [["routes"], "routes", 14],
    [["missing"], "missing", null],
    [[], "policy", null],
  ])("at %j: %s, line %j", (path, written, line) => {
    const faults = faultsOf(TEXT);
    faults.add(path, "m");
    expect(faults.list).toEqual([{ path: written, line, message: "m" }]);
  });

  test("on the first line that has its key, where there are two", () => {
    const faults = faultsOf("[a]\nx = 1\n[b]\n[a]\nx = 2\n");
    faults.add(["a", "x"], "m");
    expect(faults.list[0]?.line).toBe(2);
  });

  test("nowhere, where its key is nowhere, and not in a text that looks like a table without a name", () => {
    const faults = faultsOf('[a]\nx = """\n[!]\n"""\n');
    faults.add(["missing"], "m");
    faults.add(["a", "x"], "m");
    expect(faults.list.map(({ line }) => line)).toEqual([null, 2]);
  });

  test("and is told in one line, with the file, and the line where there is one", () => {
    expect(faultText({ path: "gateway", line: 3, message: "m" })).toBe("scopegate.toml:3 gateway: m");
    expect(faultText({ path: "gateway", line: null, message: "m" }, "p.toml")).toBe("p.toml gateway: m");
  });
});

const BASE = `gateway = { public_url = "https://api.example.com" }\n`;

function messageOf(text: string): string[] {
  const loaded = loadPolicy(BASE + text);
  return loaded.ok ? [] : loaded.faults.map((fault) => `${fault.path}: ${fault.message}`);
}

describe("what may have one of two shapes", () => {
  test.each([
    ["and has neither is told once, with both", "5", ["issuers[0].audience: expected a string or a list, found 5"]],
    ["and nearly has one is told where it differs", '["a", 5]', ["issuers[0].audience[1]: expected a string, found 5"]],
    ["and has one is not told", '["a"]', []],
  ])("%s", (_name, audience, messages) => {
    expect(messageOf(`[routes]\n[[issuers]]\nissuer = "https://a.test"\naudience = ${audience}`)).toEqual(messages);
  });
});

describe("an unknown key", () => {
  test.each([
    [
      '[routes]\n[revocation]\nsomething = "5s"',
      'revocation.something: unknown key "something"; known here: refresh, max_staleness',
    ],
    ['[routes]\n[revocation]\nrefersh = "5s"', 'revocation.refersh: unknown key "refersh"; did you mean "refresh"?'],
    [
      '[routes]\n[[issuers]]\nissuer = "https://a.test"\naudience = "a"\nalgoritms = ["RS256"]',
      'issuers[0].algoritms: unknown key "algoritms"; did you mean "algorithms"?',
    ],
    [
      '[routes]\n[scopes.a]\ndescription = "d"\nowner = "o"\nimplys = []',
      'scopes.a.implys: unknown key "implys"; did you mean "implies"?',
    ],
    [
      '[routes]\n[scopes.a]\ndescription = "d"\nowner = "o"\nhours = { tz = "UTC", from = "00:00", to = "01:00", dayz = [] }',
      'scopes.a.hours.dayz: unknown key "dayz"; did you mean "days"?',
    ],
    [
      '[routes]\n[[checks.silence]]\nrule = "1"\nreason = "r"\nwhere = "x"',
      'checks.silence[0].where: unknown key "where"; known here: rule, at, reason',
    ],
    ['[routes]\n"GET /x" = { scope = "a" }', /^routes\."GET \/x"\.scope: unknown key "scope"; known here: all, any, /],
    ["[routes]\nabcdefgh = 1", "routes.abcdefgh: expected a scope, a list of scopes or a table; found 1"],
  ])("%s", (text, message) => {
    const messages = messageOf(text);
    expect(messages).toHaveLength(1);
    if (typeof message === "string") expect(messages[0]).toBe(message);
    else expect(messages[0]).toMatch(message);
  });

  test("does not hide what is wrong beside it, and is not told of twice", () => {
    expect(messageOf('[revocation]\nrefersh = "5s"\n[routes]\n"GET /x" = "nope"')).toEqual([
      'revocation.refersh: unknown key "refersh"; did you mean "refresh"?',
      'routes."GET /x": unknown scope "nope"; declare it as [scopes."nope"]',
    ]);
    // The key that does not have the shape is left out, and the rest of its route is judged.
    expect(messageOf('[routes]\n"GET /x" = { all = ["nope"], resorce = [] }\n"GET /xy" = "nope"')).toEqual([
      'routes."GET /x".resorce: unknown key "resorce"; did you mean "resource"?',
      'routes."GET /x".all: unknown scope "nope"; declare it as [scopes."nope"]',
      'routes."GET /xy": unknown scope "nope"; declare it as [scopes."nope"]',
    ]);
  });

  test("in a list of tables leaves the others standing", () => {
    const text =
      '[routes]\n"GET /x" = "nope"\n[[issuers]]\nissuer = "https://a.test"\naudience = "a"\nx = 1\n[[issuers]]\nissuer = "https://a.test"\naudience = "a"';
    expect(messageOf(text).map((message) => message.replace(/;.*/, ""))).toEqual([
      'issuers[0].x: unknown key "x"',
      'issuers[1].issuer: "https://a.test" stands here twice',
      'routes."GET /x": unknown scope "nope"',
    ]);
  });
});

test("what is no TOML is told with its line, and nothing else is", () => {
  const loaded = loadPolicy("[gateway]\npublic_url = \n[routes]");
  expect(loaded.ok).toBe(false);
  if (loaded.ok) return;
  expect(loaded.faults).toHaveLength(1);
  expect(loaded.faults[0]).toMatchObject({ path: "policy", line: 2 });
});
