import { readFileSync } from "node:fs";
import { METHODS } from "node:http";
import { expect, test } from "vitest";
import { loadPolicy } from "../../../src/policy/load.ts";
import { checkPolicy } from "../../../src/policy/review/check.ts";
import { oddMethod } from "../../../src/policy/review/method.ts";
import { RULES } from "../../../src/policy/review/rules.ts";

const NOW = Date.parse("2026-06-01T00:00:00Z") / 1000;

/** Scopes r (read), w (write, implies r) and x, so that a case says only what it is about. */
function policyText(routes: string, more = ""): string {
  return `
[gateway]
public_url = "https://api.example.com"
[scopes.r]
description = "reads"
owner = "o"
[scopes.w]
description = "writes"
owner = "o"
implies = ["r"]
${more}
[routes]
"GET /base" = "r"
"PUT /base" = "w"
${routes}
`;
}

/** `SG101 scope`, for each finding. */
function found(text: string, nowSeconds = NOW): string[] {
  const loaded = loadPolicy(text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return checkPolicy(loaded.policy, nowSeconds).map(({ rule, at }) => `${rule} ${at}`);
}

const scope = (name: string, more = ""): string => `[scopes."${name}"]\ndescription = "d"\nowner = "o"\n${more}`;

const CASES: readonly (readonly [name: string, routes: string, more: string, expected: readonly string[]])[] = [
  ["nothing in a policy that is in order", "", "", []],
  ["a scope that no route needs", "", scope("idle"), ["SG101 idle"]],
  ["not a scope that implies one that a route needs", "", scope("all", 'implies = ["w"]'), []],
  [
    "not one of several scopes that imply the same",
    "",
    `${scope("all", 'implies = ["w"]')}\n${scope("more", 'implies = ["w"]')}`,
    [],
  ],
  ["not a scope that a route names in an any", '"GET /a" = { any = ["r", ["w", "x"]] }', scope("x"), ["SG102 w"]],
  ["a scope on a GET and on a POST", '"GET /a" = "x"\n"POST /a" = "x"', scope("x"), ["SG102 x"]],
  ["a scope on one route with both kinds of method", '"GET,PATCH /a" = "x"', scope("x"), ["SG102 x"]],
  ["a scope on a route of any method", '"* /a" = "x"', scope("x"), ["SG102 x"]],
  ["a scope on a HEAD and on a DELETE", '"HEAD,DELETE /a" = "x"\n"GET /a" = "r"', scope("x"), ["SG102 x"]],
  ["a public DELETE", '"GET /a" = "r"\n"DELETE /a" = { public = true }', "", ["SG103 DELETE /a"]],
  ["a public PATCH", '"GET,PATCH /a" = { public = true }', "", ["SG103 GET,PATCH /a"]],
  ["a POST for any token", '"GET,POST /a" = { authenticated = true }', "", ["SG103 GET,POST /a"]],
  ["not a public GET", '"GET /a" = { public = true }', "", []],
  [
    "a wide route that any token may use over a narrow one",
    '"GET /a/*" = { authenticated = true, resource = [] }\n"GET /a/b" = "r"',
    "",
    ["SG104 GET /a/*"],
  ],
  [
    "a wide route whose scope is implied by the narrow one's",
    '"GET /a/*" = { all = ["r"], resource = [] }\n"GET /a/:b/c" = "x"',
    scope("x", 'implies = ["r"]'),
    ["SG104 GET /a/*"],
  ],
  [
    "a wide route that one of two scopes opens, over one that only the other opens",
    '"GET /a/*" = { any = ["r", "x"], resource = [] }\n"GET /a/b" = "r"',
    scope("x"),
    ["SG104 GET /a/*"],
  ],
  [
    "not a wide route over one that its scope opens too",
    '"GET /a/*" = { all = ["r"], resource = [] }\n"GET /a/b" = { any = ["x", "r"] }',
    scope("x"),
    [],
  ],
  [
    "a wide route that shares one of its methods with the narrow one, or any",
    '"GET,OPTIONS /a/*" = { authenticated = true, resource = [] }\n"PROPFIND,GET /a/b" = "r"\n"GET /c/*" = { authenticated = true, resource = [] }\n"* /c/d" = { all = ["x"] }',
    scope("x"),
    ["SG102 x", "SG104 GET,OPTIONS /a/*", "SG104 GET /c/*"],
  ],
  [
    "not a wide route that asks for more",
    '"GET /a/*" = { all = ["r", "x"], resource = [] }\n"GET /a/:b/c" = "r"',
    scope("x"),
    [],
  ],
  [
    "not a wide route beside the narrow one",
    '"GET /a/b/*" = { authenticated = true, resource = [] }\n"GET /a/c" = "r"',
    "",
    [],
  ],
  [
    "not a wide route of another method",
    '"GET /a/*" = { authenticated = true, resource = [] }\n"PUT /a/c" = "w"',
    "",
    [],
  ],
  [
    "a route of any method under which a named one asks for more",
    '"* /a" = { all = ["x"] }\n"DELETE /a" = { all = ["x", "w"] }',
    scope("x"),
    ["SG102 x", "SG104 * /a"],
  ],
  [
    "not a wide route of one method beside one of any method on the same paths",
    '"GET /a/*" = { authenticated = true, resource = [] }\n"* /a/*" = { all = ["x"], resource = [] }',
    scope("x"),
    ["SG102 x"],
  ],
  [
    "not a wide GET beside a HEAD of the same paths",
    '"GET /a/*" = { authenticated = true, resource = [] }\n"HEAD /a/*" = { all = ["r"], resource = [] }',
    "",
    [],
  ],
  [
    "a path with :name+ over a narrower one",
    '"GET /a/:p+" = { authenticated = true, resource = [] }\n"GET /a/b/c" = "r"',
    "",
    ["SG104 GET /a/:p+"],
  ],
  ["a path that is only written", '"POST /a" = "w"\n"PUT /b" = "w"', "", ["SG105 POST /a", "SG105 PUT /b"]],
  ["not a write that a wider GET reads", '"GET /a/*" = { all = ["r"], resource = [] }\n"POST /a/b" = "w"', "", []],
  ["not a path that is neither read nor written", '"OPTIONS /a" = { public = true }', "", []],
  ["not a write that a GET with another name reads", '"GET /a/:x" = "r"\n"POST /a/:y" = "w"', "", []],
  ["a star without a resource", '"GET /a/*" = "r"', "", ["SG106 GET /a/*"]],
  ["a :name+ without a resource", '"GET /a/:b+/c" = "r"', "", ["SG106 GET /a/:b+/c"]],
  [
    "not a star with a resource, nor a public one",
    '"GET /a/*" = { all = ["r"], resource = "a:{*}" }\n"GET /b/*" = { public = true }',
    "",
    [],
  ],
  [
    "a sunset that has passed",
    '"GET /a" = "x"',
    scope("x", 'deprecated = "2025-01-01"\nsunset = "2026-05-31"'),
    ["SG107 x"],
  ],
  ["not a sunset to come", '"GET /a" = "x"', scope("x", 'deprecated = "2025-01-01"\nsunset = "2026-06-02"'), []],
  [
    "an issuer over plain http",
    "",
    '[[issuers]]\nissuer = "http://localhost:9/"\naudience = "a"',
    ["SG108 http://localhost:9/"],
  ],
  [
    "an issuer over plain HTTP, and not one that only says so",
    "",
    '[[issuers]]\nissuer = "HTTP://localhost:9/"\naudience = "a"\n[[issuers]]\nissuer = "https://i.example/http:"\naudience = "a"',
    ["SG108 HTTP://localhost:9/"],
  ],
  [
    "keys over plain http",
    "",
    '[[issuers]]\nissuer = "https://i.example/"\naudience = "a"\njwks_uri = "http://127.0.0.1/k"',
    ["SG108 https://i.example/"],
  ],
  ["a max_lifetime over a year", '"GET /a" = "x"', scope("x", 'max_lifetime = "366d"'), ["SG109 x"]],
  ["the gateway's max_lifetime over a year", "", '[tokens]\nmax_lifetime = "400d"', ["SG109 tokens"]],
  [
    "tokens without scopes that may do everything",
    "",
    '[[issuers]]\nissuer = "https://i.example/"\naudience = "a"\nlegacy_scopes = ["*"]',
    ["SG110 https://i.example/"],
  ],
  ["an origin over plain http", "", '[origin]\nurl = "http://10.0.0.1"', ["SG112 origin"]],
  ["a method that nobody sends", '"GETT /a" = "r"', "", ["SG113 GETT /a"]],
  ["two methods in one word", '"GET|PUT /a" = "x"', scope("x"), ["SG113 GET|PUT /a"]],
  [
    "not a method that few send",
    '"PROPFIND,PURGE,M-SEARCH,QUERY,VERSION-CONTROL /a" = "r"\n"* /b" = { all = ["x"] }',
    scope("x"),
    ["SG102 x"],
  ],
  ["a name to the letter", '"GET /a/:b" = { all = ["r"], resource = "a::b" }', "", ["SG114 GET /a/:b"]],
  ["an id that begins with a colon", '"GET /a/:b" = { all = ["r"], resource = "a::c" }', "", ["SG114 GET /a/:b"]],
  [
    "a name to the letter behind another",
    '"GET /a/:b/:c" = { all = ["r"], resource = ["a:*", "a:{b}/:c"] }',
    "",
    ["SG114 GET /a/:b/:c"],
  ],
  [
    "not a colon within an id, nor a name that the pattern lacks",
    '"GET /a/:b" = { all = ["r"], resource = ["a:urn:b", "a:x/:other", "a:b", "b:{b}", "*:*", "c:{b}:b"] }',
    "",
    [],
  ],
  ["a route of another case", '"GET /v/A" = "r"\n"GET /v/a" = "r"', "", ["SG115 GET /v/A"]],
  ["a route of another case, with names", '"GET /v/A/:x" = "r"\n"GET /v/a/:y" = "r"', "", ["SG115 GET /v/A/:x"]],
  [
    "a star of another case",
    '"GET /v/A/*" = { all = ["r"], resource = [] }\n"GET /v/a/*" = { all = ["r"], resource = [] }',
    "",
    ["SG115 GET /v/A/*"],
  ],
  [
    "a star of another case in the middle of which a name stands",
    '"GET /v/A/:x/end/*" = { all = ["r"], resource = [] }\n"GET /v/a/:x/end/*" = { all = ["r"], resource = [] }',
    "",
    ["SG115 GET /v/A/:x/end/*"],
  ],
  [
    "a :name+ of another case, alone and before more",
    '"GET /v/A/:x+" = { all = ["r"], resource = [] }\n"GET /v/a/:y+" = { all = ["r"], resource = [] }\n"GET /v/B/:x+/end" = { all = ["r"], resource = [] }\n"GET /v/b/:y+/end" = { all = ["r"], resource = [] }',
    "",
    ["SG115 GET /v/A/:x+", "SG115 GET /v/B/:x+/end"],
  ],
  [
    "a route of another case, with a name in part of a segment",
    '"GET /v/A-:x" = "r"\n"GET /v/a-:y" = "r"',
    "",
    ["SG115 GET /v/A-:x"],
  ],
  [
    "a route of any method of another case",
    '"* /v/A" = { all = ["x"] }\n"* /v/a" = { all = ["x"] }',
    scope("x"),
    ["SG102 x", "SG115 * /v/A"],
  ],
  [
    "a route in lower case whose every path falls on a more specific one of another case",
    '"GET /v/:x+" = { all = ["r"], resource = [] }\n"GET /V/:x/*" = { all = ["r"], resource = [] }',
    "",
    ["SG115 GET /v/:x+"],
  ],
  ["a method of another case", '"GET,OPTIONS /v/A" = "r"\n"GET /v/a" = "r"', "", ["SG115 GET,OPTIONS /v/A"]],
  ["the gateway's own path in another case", '"GET /_Scopegate/x" = "r"', "", ["SG115 GET /_Scopegate/x"]],
  ["an encoded slash that the route does not take", '"GET /v/a%2Fb" = "r"', "", ["SG115 GET /v/a%2Fb"]],
  [
    "not one that it takes, nor a route with capitals by itself",
    '"GET /v/a%2Fb" = { all = ["r"], encoded_slash = true }\n"GET /V/A/:Id" = "r"\n"GET /é" = "r"'.replace(
      "é",
      "%C3%89",
    ),
    "",
    [],
  ],
  [
    "not a route of another case with paths or methods left",
    '"GET /v/A/*" = { all = ["r"], resource = [] }\n"GET /v/a/:x" = "r"\n"GET /v/C/*" = { all = ["r"], resource = [] }\n"GET /v/c" = "r"\n"GET /v/D/:x+" = { all = ["r"], resource = [] }\n"GET /v/d/:y" = "r"\n"* /v/B" = { all = ["x"] }\n"GET,POST,PUT,PATCH,DELETE,OPTIONS,PURGE /v/b" = { all = ["x"] }',
    scope("x"),
    ["SG102 x"],
  ],
  [
    "not a name of another case that stands for more than what the others have",
    '"GET /v/A/:x" = "r"\n"GET /v/a/0" = "r"\n"GET /v/B/:x" = "r"\n"GET /v/b/~-~" = "r"',
    "",
    [],
  ],
  ...[["/:x+"], ["", "/:x/:y+"], ["", "/:x", "/:x/:y/:z+"], ["", "/:x", "/:x/:y"]].map(
    (others) =>
      [
        `not a star of another case where the others have only ${others.map((below) => `/v/a${below}`).join(", ")}`,
        ["/v/A/*", ...others.map((below) => `/v/a${below}`)]
          .map((pattern) => `"GET ${pattern}" = { all = ["r"], resource = [] }`)
          .join("\n"),
        "",
        [],
      ] as const,
  ),
  [
    "not a route of another case where the origin tells them apart",
    '"GET /v/A" = "r"\n"GET /v/a" = "r"',
    "[origin]\ncase_sensitive_paths = true",
    [],
  ],
  ["an origin that is the gateway", "", '[origin]\nurl = "https://API.example.com:443/base"', ["SG116 origin"]],
  ["not an origin on another port", "", '[origin]\nurl = "https://api.example.com:8443"', []],
  ["not an origin on loopback", "", '[origin]\nurl = "http://127.0.0.1:3000"', []],
];

test.each(CASES)("finds %s", (_, routes, more, expected) => {
  expect(found(policyText(routes, more))).toEqual(expected);
});

test("finds report mode", () => {
  expect(found(policyText("").replace("[scopes.r]", 'mode = "report"\n[scopes.r]'))).toEqual(["SG111 gateway"]);
});

test("says where in the policy each finding stands", () => {
  const loaded = loadPolicy(
    policyText(
      '"GETT,GET,PUT /a/*" = { public = true }',
      `${scope("x", 'sunset = "2026-01-01"\nmax_lifetime = "400d"')}
[tokens]
max_lifetime = "366d"
[origin]
url = "http://api.example.com"
[[issuers]]
issuer = "https://i.example/"
audience = "a"
[[issuers]]
issuer = "http://localhost/"
audience = "a"
legacy_scopes = ["*"]
[[checks.silence]]
rule = "SG112"
at = "nobody"
reason = "r"`,
    ).replace("[scopes.r]", 'mode = "report"\n[scopes.r]'),
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const places = checkPolicy(loaded.policy, NOW).map(({ rule, path }) => [rule, ...path].join(" "));
  expect(places).toEqual([
    "SG101 scopes x",
    "SG103 routes GETT,GET,PUT /a/*",
    "SG107 scopes x",
    "SG108 issuers 1",
    "SG109 tokens max_lifetime",
    "SG109 scopes x",
    "SG110 issuers 1 legacy_scopes",
    "SG111 gateway mode",
    "SG112 origin url",
    "SG113 routes GETT,GET,PUT /a/*",
    "SG190 checks silence 0",
  ]);
  const looped = loadPolicy(policyText("", '[origin]\nurl = "https://api.example.com"'));
  expect(looped.ok && checkPolicy(looped.policy, NOW)).toMatchObject([{ rule: "SG116", path: ["origin", "url"] }]);
});

test("takes no method that Node's own server takes for one that nobody sends", () => {
  expect(METHODS.map(oddMethod).filter((odd) => odd !== null)).toEqual([]);
});

test("is silent where the policy says so, and only there", () => {
  const routes = '"POST /a" = "w"\n"POST /b" = "w"';
  const silence = (at: string): string => `[[checks.silence]]\nrule = "SG105"\n${at}\nreason = "a command"`;
  expect(found(policyText(routes, silence('at = "POST /a"')))).toEqual(["SG105 POST /b"]);
  expect(found(policyText(routes, silence("")))).toEqual([]);
});

test("finds a silence that silences nothing, and one of a rule that there is not", () => {
  const silence = (rule: string): string => `[[checks.silence]]\nrule = "${rule}"\nreason = "r"`;
  expect(found(policyText("", silence("SG105")))).toEqual(["SG190 SG105"]);
  expect(found(policyText("", silence("SG999")))).toEqual(["SG190 SG999"]);
});

test("finds nothing in the example policy", () => {
  expect(found(readFileSync("scopegate.toml", "utf8"), Date.now() / 1000)).toEqual([]);
});

test("finds nothing idle in a chain of 8,000 scopes whose last a route needs", () => {
  const chain = Array.from({ length: 8000 }, (_, n) =>
    scope(`s${n}`, `implies = ["${n === 7999 ? "w" : `s${n + 1}`}"]`),
  );
  expect(found(policyText("", chain.join("\n")))).toEqual([]);
});

test("gives each rule a number of its own, a reason and a remedy", () => {
  expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
  for (const { id, title, why, mend } of RULES) {
    expect(id).toMatch(/^SG1\d\d$/);
    for (const text of [title, why, mend]) expect(text.length).toBeGreaterThan(5);
  }
});

test("finds nothing in 3,000 routes that are in order", () => {
  const routes = Array.from({ length: 1500 }, (_, n) => `"GET /r${n}/:id" = "r"\n"PUT /r${n}/:id" = "w"`).join("\n");
  expect(found(policyText(routes))).toEqual([]);
});
