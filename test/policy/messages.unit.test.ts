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

describe("a value of the wrong type", () => {
  test.each([
    ['"GET /x" = true', 'routes."GET /x": expected a scope, a list of scopes or a table; found true'],
    ['"GET /x" = 5', 'routes."GET /x": expected a scope, a list of scopes or a table; found 5'],
    [
      '"GET /x" = { all = "charges:read" }',
      'routes."GET /x".all: expected a list, as ["charges:read"]; found "charges:read"',
    ],
    ['"GET /x" = { all = true }', 'routes."GET /x".all: expected a list, found true'],
    ['"GET /x" = []', 'routes."GET /x": must not be empty'],
    ['"GET /x" = { any = [] }', 'routes."GET /x".any: must not be empty'],
    ['"GET /x" = { any = [[]] }', 'routes."GET /x".any[0]: must not be empty'],
    ['"GET /x" = { public = "yes" }', 'routes."GET /x".public: expected true, found "yes"'],
    [
      '"GET /x" = { all = ["charges:read"], encoded_slash = 1 }',
      'routes."GET /x".encoded_slash: expected true or false, found 1',
    ],
    [
      '"GET /x" = { public = true, cidr = "10.0.0.0/8" }',
      'routes."GET /x".cidr: expected a list, as ["10.0.0.0/8"]; found "10.0.0.0/8"',
    ],
    [
      '"GET /x" = { public = true, hours = { tz = "UTC", from = 08:00:00, to = "18:00" } }',
      'routes."GET /x".hours.from: expected a string; write it in quotes, as "08:00"',
    ],
    ["[origin]\ntimeout = 30", 'origin.timeout: expected a duration such as "15m"; found 30'],
    ['[origin]\nurl = ""', "origin.url: must not be empty"],
    [
      '[origin]\nauthorization = "forwrad"',
      'origin.authorization: expected "forward" or "remove" (did you mean "forward"?), found "forwrad"',
    ],
    ["[log]\nsample_rate = 2", "log.sample_rate: must be from 0 to 1; found 2"],
    ['[log]\nsample_rate = "1"', 'log.sample_rate: expected a number, found "1"'],
    [
      '[issuers]\nissuer = "https://i.example"\naudience = "a"',
      "issuers: write [[issuers]], with two brackets; found a table",
    ],
    [
      '[checks.silence]\nrule = "SG101"\nreason = "r"',
      "checks.silence: write [[checks.silence]], with two brackets; found a table",
    ],
    ['[[cors]]\norigins = ["*"]', "cors: expected a table; write [cors]"],
    [`${scope("b", "sunset = 2030-01-01")}`, 'scopes.b.sunset: expected a string; write it in quotes, as "2030-01-01"'],
    [
      `${scope("b", "deprecated = 2030-01-01T10:00:00.000+02:00")}`,
      'scopes.b.deprecated: expected a string; write it in quotes, as "2030-01-01T10:00:00+02:00"',
    ],
    [
      `${scope("b", `implies = "${"x".repeat(101)}"`)}`,
      `scopes.b.implies: expected a list, as ["${"x".repeat(100)}…"]; found "${"x".repeat(100)}…"`,
    ],
  ])("%s: %s", (routes, message) => {
    expect(told(ROUTES + routes)).toContain(message);
  });
});

describe("a key in the wrong table is told where it belongs", () => {
  const top = (lines: string): string[] => told(`${lines}\n${ROUTES}`);
  test.each([
    ["at the top", 'mode = "report"', 'mode: unknown key "mode"; "mode" belongs under [gateway]'],
    ["in another", '[origin]\nmode = "report"', 'origin.mode: unknown key "mode"; "mode" belongs under [gateway]'],
    [
      "for one of two",
      'audience = "x"',
      'audience: unknown key "audience"; "audience" belongs under [[issuers]] or [tokens]',
    ],
    ["unless a letter lacks", 'issuer = "x"', 'issuer: unknown key "issuer"; did you mean "issuers"?'],
    [
      "in an issuer",
      '[[issuers]]\nissuer = "https://i.example"\naudience = "a"\nrefresh = "5s"',
      'issuers[0].refresh: unknown key "refresh"; "refresh" belongs under [revocation]',
    ],
  ])("%s: %s", (_name, lines, message) => {
    expect(top(lines)).toEqual([message]);
  });

  test("but not one of a route, whose own keys lie nearer", () => {
    const [message] = told(`${ROUTES}"GET /x" = { public = true, max_age = "1h" }`);
    expect(message).toContain('unknown key "max_age"; known here: all, any, ');
  });
});

describe("what is no TOML", () => {
  test.each([
    ["[scopes.charges:read]", 'illegal character in key; a name with ":", "/" or a space needs quotes'],
    ['[routes]\nGET /x = "a"', 'illegal character in key; a name with ":", "/" or a space needs quotes'],
    ['[routes]\n"GET /x = "a"', "illegal character in key; is a closing quote missing?"],
    ["[routes\nx = 1", "illegal character in key; is a closing bracket missing?"],
    ['a = "x\nb = 1', "control characters are not allowed in strings; is a closing quote missing?"],
    ['a = "x\r\nb = 1', "control characters are not allowed in strings; is a closing quote missing?"],
    ["a = 'x\nb = 1", "control characters are not allowed in strings; is a closing quote missing?"],
    ['a = "x\u0001y"', "control characters are not allowed in strings"],
    ['a = "x', "unfinished string; is a closing quote missing?"],
    [
      '[routes]\n"GET /x" = "a"\n\n"GET /x" = "b"',
      'trying to redefine an already defined table or value; routes."GET /x" stands on line 2 already',
    ],
    ["[a]\nx = 1\n[b]\n[a]", "trying to redefine an already defined table or value; a stands on line 1 already"],
    ["a = { x = 1, x = 2 }", "trying to redefine an already defined value"],
    ["a = ", "invalid value"],
  ])("%j: %s", (text, message) => {
    expect(told(text)).toEqual([`policy: not TOML: ${message}`]);
  });
});

test("no fault holds a control character, or one that turns a terminal's text", () => {
  const evil = "\\u001b[2J\\u0085\\u202e\\n";
  const raw = [
    `[gateway]\npublic_url = "${evil}"\n"${evil}" = 1\nmode = "${evil}"`,
    `[routes]\n"GET /x" = "${evil}"\n"GET${evil} /x" = "a"\n"GET /${evil}" = ["${evil}"]\n"GET /:x" = { all = ["a"], resource = "${evil}:{${evil}}" }`,
    `[scopes."${evil}"]\ndescription = "d"\nowner = "o"\nimplies = ["${evil}"]\nsunset = "${evil}"`,
    `[[issuers]]\nissuer = "https://i.example/${evil}"\naudience = "a"\nalgorithms = ["${evil}"]\nlegacy_scopes = ["${evil}", "${evil}:*"]\nscope_map = { "${evil}" = ["${evil}"] }`,
    `[cors]\norigins = ["${evil}"]\nmethods = ["${evil}"]`,
    `[bundles."${evil}"]\ndescription = "d"\nscopes = ["${evil}"]`,
  ];
  const texts = [
    raw.join("\n"),
    raw
      .join("\n")
      .replace(`"${evil}" = 1`, "")
      .replace(/^(mode|sunset) .*$/gm, ""),
    '"\u202e\u0007" = "\u202e"\n"\u202e" = 1\n"\u202e" = 1',
  ];
  for (const text of texts) {
    const faults = told(text);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.filter((fault) => /[\p{Cc}\u2028\u202e]/u.test(fault))).toEqual([]);
  }
});
