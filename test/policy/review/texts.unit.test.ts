/** What `scopegate explain` and `scopegate check` say, to the letter: people act on it. */
import { describe, expect, test } from "vitest";
import { readConditions } from "../../../src/policy/conditions/conditions.ts";
import type { Holder } from "../../../src/policy/decision.ts";
import { loadPolicy } from "../../../src/policy/load.ts";
import type { Policy } from "../../../src/policy/policy.ts";
import { checkPolicy } from "../../../src/policy/review/check.ts";
import { type Caller, explain } from "../../../src/policy/review/explain.ts";
import { holderOfScopes } from "../../../src/policy/review/hypothetical.ts";
import type { ConditionCheck } from "../../../src/policy/review/step.ts";
import { grantOf } from "../../../src/policy/scope.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z") / 1000;
const HEAD = '[gateway]\npublic_url = "https://api.example.com"\n';
const scope = (name: string, more = ""): string => `[scopes."${name}"]\ndescription = "d"\nowner = "o"\n${more}\n`;

function policyOf(text: string): Policy {
  const loaded = loadPolicy(HEAD + text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.policy;
}

const POLICY = policyOf(`
${scope("a:read")}${scope("a:write", 'implies = ["a:read"]')}${scope("a:all", 'implies = ["a:write"]')}
${scope("today", 'sunset = "2026-06-01T12:00:00Z"')}${scope("later", 'sunset = "2026-06-01T12:00:01Z"')}
${scope("office", 'cidr = ["10.0.0.0/8"]\nhours = { tz = "UTC", days = ["mon", "tue", "wed", "fri", "sat", "sun"], from = "08:30", to = "18:05" }')}
${scope("away", 'not_cidr = ["10.0.0.0/8", "2001:db8::/32"]\ncountries = ["DE", "FR"]')}
[routes]
"GET /" = { authenticated = true, resource = [] }
"GET /all" = { authenticated = true }
"GET /a" = "a:read"
"PUT /a" = { any = ["a:write", ["a:read", "today"]], resource = ["a:1", "b:*"] }
"GET /later" = { all = ["later"], resource = [] }
"GET /today" = { all = ["today"], resource = [] }
"GET /either" = { any = ["office", "away"], resource = [], max_token_age = "1m" }
"GET /b/:id" = { all = ["a:read"], resource = "b:{id}" }
"GET /q" = { all = ["a:read"], resource = "q:{query.id}" }
"GET /b/:id/:other" = { all = ["a:read"], resource = [] }
"GET /b/c" = { all = ["a:read"], resource = [] }
"* /b/c" = { all = ["a:write"], resource = [] }
"GET /b/c:x" = { all = ["a:read"], resource = [] }
"POST /b/*" = { all = ["a:write"], resource = [] }
"GET /b/*" = { all = ["a:write"], resource = [] }
"GET /r/:x+" = { all = ["a:read"], resource = [] }
"GET /r/:x+/end" = { all = ["a:read"], resource = [] }
"GET,HEAD /h" = { public = true }
"GET /Case/x" = { public = true }
"GET /case/:y" = { public = true }
`);

interface Asked {
  readonly scopes?: readonly string[];
  readonly conditions?: unknown;
  readonly issuedAt?: number | null;
  readonly ip?: string | null;
  readonly country?: string | null;
  readonly at?: string;
  readonly refused?: Extract<Caller, { kind: "refused" }>;
}

function holder(scopes: readonly string[], { conditions, issuedAt = NOW }: Asked): Holder {
  return {
    grant: grantOf(POLICY.catalogue, scopes, { wildcards: true, admin: false }, NOW),
    allowList: { kind: "absent" },
    conditions: readConditions(conditions),
    issuedAtSeconds: issuedAt,
  };
}

/** `step: detail` for each step; a `!` where it does not pass. */
function steps(call: string, asked: Asked = {}): string[] {
  const [method = "", target = ""] = call.split(" ");
  const { scopes, ip = "10.1.2.3", country = "DE", at } = asked;
  const caller: Caller =
    asked.refused ??
    (scopes === undefined
      ? { kind: "anonymous" }
      : { kind: "holder", holder: holder(scopes, asked), token: { detail: "t" }, revocation: { detail: "r" } });
  const nowSeconds = at === undefined ? NOW : Date.parse(at) / 1000;
  const question = { method, target, header: () => null, address: ip, country, nowSeconds, caller };
  return explain(POLICY, question).steps.map(({ step, passed, detail }) => `${passed ? "" : "! "}${step}: ${detail}`);
}

function step(name: string, call: string, asked?: Asked): string | undefined {
  return steps(call, asked).find((line) => line.replace("! ", "").startsWith(`${name}: `));
}

function whys(call: string, policy = POLICY): string[] {
  const [method = "", target = ""] = call.split(" ");
  const question = { method, target, header: () => null, address: null, country: null, nowSeconds: NOW };
  const { candidates } = explain(policy, { ...question, caller: { kind: "anonymous" } });
  return candidates.map(({ route, won, why }) => `${won ? "" : "! "}${route}: ${why}`);
}

describe("explain says", () => {
  test.each<[string, Asked, string]>([
    ["GET /a", { scopes: ["a:write"] }, "scopes: holds a:read"],
    ["PUT /a", { scopes: ["a:write"] }, "scopes: holds a:write"],
    ["PUT /a", { scopes: ["a:write", "a:read"] }, "scopes: holds a:write"],
    ["GET /either", { scopes: ["office", "away"] }, "scopes: holds office, or away"],
    [
      "PUT /a",
      { scopes: [] },
      "! scopes: lacks a:write (which a:all also grants); or lacks a:read (which a:write, a:all also grants) and today (past its sunset: nothing grants it)",
    ],
    ["GET /a", { scopes: [] }, "! scopes: lacks a:read (which a:write, a:all also grants)"],
    [
      "PUT /a",
      { scopes: ["a:read"] },
      "! scopes: lacks a:write (which a:all also grants); or lacks today (past its sunset: nothing grants it)",
    ],
    ["GET /later", { scopes: [] }, "! scopes: lacks later"],
    ["GET /", { scopes: [] }, "scopes: any valid token will do"],
    ["GET /", {}, "! scopes: any valid token will do"],
    ["GET /a", {}, "! scopes: nothing grants a scope"],
  ])("of scopes, for %s with %j: %s", (call, asked, line) => {
    expect(step("scopes", call, asked)).toBe(line);
  });

  test("of resources what the route touches", () => {
    expect(step("resources", "GET /", { scopes: [] })).toBe("resources: the route touches none");
    expect(step("resources", "GET /a", { scopes: [] })).toBe("resources: are covered");
    expect(step("resources", "GET /q?id=1", { scopes: [] })).toBe("resources: are covered");
    expect(step("resources", "GET /q?id=1&id=1", { scopes: [] })).toBe(
      "! resources: the request names a resource more than once",
    );
    expect(step("resources", "GET /all", {})).toBe("! resources: nothing covers them");
    const needs = (target: string) =>
      explain(POLICY, {
        method: target === "/a" ? "PUT" : "GET",
        target,
        header: () => null,
        address: null,
        country: null,
        nowSeconds: NOW,
        caller: { kind: "anonymous" },
      }).steps.find((each) => each.step === "resources")?.needs;
    expect(needs("/all")).toEqual(["*:*"]);
    expect(needs("/a")).toEqual(["a:1", "b:*"]);
  });

  test.each<[string, Asked, string]>([
    ["GET /a", { scopes: ["a:read"] }, "conditions: there are none"],
    ["GET /either", { scopes: ["*"] }, "conditions: hold"],
    ["GET /either", { scopes: ["office"], ip: "192.0.2.1" }, "! conditions: does not hold: cidr (office)"],
    [
      "GET /either",
      { scopes: ["*"], ip: null, issuedAt: null },
      "! conditions: does not hold: max_token_age (route), cidr (office), not_cidr (away)",
    ],
    [
      "GET /either",
      { scopes: ["away"], ip: "2001:db8::1", country: null },
      "! conditions: does not hold: not_cidr (away), countries (away)",
    ],
    [
      "GET /either",
      { scopes: ["office"], at: "2026-06-01T18:05:00Z" },
      "! conditions: does not hold: max_token_age (route), hours (office)",
    ],
    ["GET /a", { scopes: ["a:read"], conditions: [{ hours: 1 }] }, "! conditions: does not hold: token (token)"],
    ["GET /a", { scopes: ["a:read"], conditions: { what: 1 } }, "! conditions: does not hold: token (token)"],
    [
      "GET /a",
      { scopes: ["a:read"], conditions: [{ countries: ["FR"] }, { countries: ["US"] }] },
      "! conditions: does not hold: countries (token)",
    ],
  ])("of conditions, for %s with %j: %s", (call, asked, line) => {
    expect(step("conditions", call, asked)).toBe(line);
  });

  test("of each requirement what it needs, whether it holds or not", () => {
    const needs = (method: string, target: string, scopes: string[], conditions?: unknown) =>
      explain(POLICY, {
        ...{ method, target, header: () => null, address: null, country: null, nowSeconds: NOW },
        caller: {
          ...{ kind: "holder", holder: holder(scopes, { conditions }) },
          ...{ token: { detail: "t" }, revocation: { detail: "r" } },
        },
      })
        .steps.slice(-3)
        .map((each) => each.needs);
    const either = [["a:write"], ["a:read", "today"]];
    expect(needs("PUT", "/a", ["a:write"])).toEqual([either, ["a:1", "b:*"], undefined]);
    expect(needs("PUT", "/a", [])).toEqual([either, ["a:1", "b:*"], undefined]);
    expect(needs("GET", "/q?id=1&id=2", ["a:read"])).toEqual([[["a:read"]], ["q:{query.id}"], undefined]);
    expect(needs("GET", "/", [], { what: 1 })).toEqual([
      undefined,
      [],
      [{ of: "token", condition: "token", holds: false, wants: "conditions that can be read" }],
    ]);
  });

  test("what each condition wants", () => {
    const { steps } = explain(POLICY, {
      method: "GET",
      target: "/either",
      header: () => null,
      address: "10.0.0.1",
      country: "DE",
      nowSeconds: NOW,
      caller: { kind: "holder", holder: holder(["*"], {}), token: { detail: "t" }, revocation: { detail: "r" } },
    });
    const { needs } = steps.at(-1) ?? {};
    expect((needs as readonly ConditionCheck[]).map(({ of, wants, holds }) => [of, wants, holds])).toEqual([
      ["route", "a token of at most 60 s", true],
      ["office", "an address in 10.0.0.0/8", true],
      ["office", "mon, tue, wed, fri, sat, sun from 08:30 to 18:05 in its time zone", true],
      ["away", "an address outside 10.0.0.0/8, 2001:db8::/32", false],
      ["away", "a caller from DE, FR", true],
    ]);
  });

  test.each<[string, string[]]>([
    ["GET /h", ["GET,HEAD /h: is the only pattern that has the path"]],
    ["HEAD /h", ["GET,HEAD /h: is the only pattern that has the path"]],
    [
      "HEAD /a",
      ["GET /a: is the most specific pattern that has HEAD; its GET answers HEAD", "! PUT /a: does not have HEAD"],
    ],
    [
      "GET /b/c",
      [
        "GET /b/c: is the most specific pattern that has GET",
        "! * /b/c: names no method, and a named method goes before *",
        '! GET /b/:id: is less specific: its segment 2 is ":id", not "c"',
        "! POST /b/*: does not have GET",
        '! GET /b/*: is less specific: its segment 2 is "*", not "c"',
      ],
    ],
    [
      "GET /b/cx",
      [
        "GET /b/c:x: is the most specific pattern that has GET",
        '! GET /b/:id: is less specific: its segment 2 is ":id", not "c:x"',
        "! POST /b/*: does not have GET",
        '! GET /b/*: is less specific: its segment 2 is "*", not "c:x"',
      ],
    ],
    [
      "GET /b/1/2",
      [
        "GET /b/:id/:other: is the most specific pattern that has GET",
        "! POST /b/*: does not have GET",
        '! GET /b/*: is less specific: its segment 2 is "*", not ":id"',
      ],
    ],
    [
      "GET /r/1/end",
      [
        "GET /r/:x+/end: is the most specific pattern that has GET",
        '! GET /r/:x+: is less specific: its segment 3 is nothing, not "end"',
      ],
    ],
    ["DELETE /b/1/2/3", ["! POST /b/*: does not have DELETE", "! GET /b/*: does not have DELETE"]],
    ["GET /", ["GET /: is the only pattern that has the path"]],
    ["GET /case/X", ["! GET /case/:y: is refused for the path's spelling"]],
  ])("of the routes for %s: %j", (call, lines) => {
    expect(whys(call)).toEqual(lines);
  });

  test("of a route under another name what else sets it back, and of one that ends before it that it does", () => {
    const policy = policyOf(
      '[routes]\n"GET /" = { public = true }\n"GET /*" = { public = true }\n"GET /n/:id/x" = { public = true }\n"GET /n/:other/*" = { public = true }',
    );
    expect(whys("GET /n/1/x", policy)).toEqual([
      "GET /n/:id/x: is the most specific pattern that has GET",
      '! GET /n/:other/*: is less specific: its segment 3 is "*", not "x"',
      '! GET /*: is less specific: its segment 1 is "*", not "n"',
    ]);
    expect(whys("GET /", policy)).toEqual([
      "GET /: is the most specific pattern that has GET",
      '! GET /*: is less specific: its segment 1 is "*", not nothing',
    ]);
  });

  test.each<[string, string[], string[]]>([
    [
      "GET /1...2/x",
      ["GET /:base...:head/x", "GET /:a...:b/:c"],
      [
        "GET /:base...:head/x: is the most specific pattern that has GET",
        '! GET /:a...:b/:c: is less specific: its segment 2 is ":c", not "x"',
      ],
    ],
    [
      "GET /x/b/b",
      ["GET /:path+/:name/b", "GET /:path+/b"],
      [
        "GET /:path+/b: is the most specific pattern that has GET",
        '! GET /:path+/:name/b: is less specific: its segment 2 is ":name", not "b"',
      ],
    ],
    [
      "GET /1/c2/end",
      ["GET /:x+/c:y/*", "GET /:a+/c:b/end"],
      [
        "GET /:a+/c:b/end: is the most specific pattern that has GET",
        '! GET /:x+/c:y/*: is less specific: its segment 3 is "*", not "end"',
      ],
    ],
    [
      "HEAD /h",
      ["GET /h", "HEAD /h", "* /h"],
      [
        "! GET /h: does not name HEAD, and a named HEAD goes before GET",
        "HEAD /h: is the most specific pattern that has HEAD",
        "! * /h: names no method, and a named method goes before *",
      ],
    ],
  ])("of the routes for %s among %j: %j", (call, keys, lines) => {
    expect(whys(call, policyOf(`[routes]\n${keys.map((key) => `"${key}" = { public = true }`).join("\n")}`))).toEqual(
      lines,
    );
  });

  test("of a caller who was stopped, what came before", () => {
    const stopped = (step: "credentials" | "token" | "revocation") =>
      steps("GET /a", { refused: { kind: "refused", step, reason: "token_revoked", detail: "stops here" } }).slice(
        2,
        5,
      );
    const rest = "! scopes: nothing grants a scope";
    expect(stopped("credentials")).toEqual(["! credentials: stops here", rest, "! resources: nothing covers them"]);
    expect(stopped("token")).toEqual(["credentials: one bearer token", "! token: stops here", rest]);
    expect(stopped("revocation")).toEqual([
      "credentials: one bearer token",
      "token: is genuine and current",
      "! revocation: stops here",
    ]);
  });

  test("of a public route that no token is looked at", () => {
    expect(steps("GET /h")).toEqual([
      "path: is canonical",
      "route: GET,HEAD /h: is the only pattern that has the path",
      "credentials: the route is public: no token is looked at",
      "conditions: there are none",
    ]);
  });

  test.each([
    ["GET /a//b", "! path: the path has no canonical spelling: it can be read in more than one way"],
    ["GET /a%2Fb", "! path: the path holds an encoded slash, and no route that says encoded_slash = true decides it"],
    ["GET /none", "! route: no route has this path, and what is not mapped is refused"],
    ["PATCH /a", "! route: no route has PATCH here"],
    ["GET /case/X", "! route: in another case the path falls on another route"],
  ])("of %s where it ends: %s", (call, line) => {
    const said = steps(call);
    expect(said).toEqual(line.startsWith("! path") ? [line] : ["path: is canonical", line]);
  });

  test("of the path how it is matched, and of the route which it is", () => {
    expect(step("path", "GET /a?x=1")).toBe("path: is canonical");
    expect(step("path", "GET /%61")).toBe("path: is matched and forwarded as /a");
    expect(step("route", "GET /h")).toBe("route: GET,HEAD /h: is the only pattern that has the path");
  });

  test("of a path that is refused for its case on which route it falls, where that can be reached", () => {
    const policy = policyOf('[routes]\n"GET /b/admin" = { public = true }\n"GET /b/:id" = { public = true }');
    const question = { header: () => null, address: null, country: null, nowSeconds: NOW };
    const details = (of: Policy, target: string) =>
      explain(of, { ...question, method: "GET", target, caller: { kind: "anonymous" } }).steps.at(-1);
    expect(details(policy, "/b/ADMIN")).toEqual({
      step: "route",
      passed: false,
      detail: "in another case the path falls on another route, GET /b/admin",
    });
    expect(
      details(policyOf('[routes]\n"GET /b/@me" = { public = true }\n"GET /b/:id" = { public = true }'), "/b/%40me")
        ?.detail,
    ).toBe("read as /b/@me the path falls on another route, GET /b/@me");
    expect(details(POLICY, "/case/X")?.detail).toBe("in another case the path falls on another route");
  });

  test("of scopes that were made up, those that it does not know", () => {
    const detail = (scopes: string[]) => {
      const made = holderOfScopes(POLICY, { scopes, nowSeconds: NOW });
      return made.kind === "holder" ? made.token.detail : "";
    };
    expect(detail(["a:read", "*"])).toBe("taken for a token of this gateway, issued now");
    expect(detail(["x", "a:read", "y"])).toBe(
      "taken for a token of this gateway, issued now; the policy does not know x, y, which grants nothing",
    );
  });
});

describe("check says", () => {
  const messages = (text: string, at = NOW): string[] =>
    checkPolicy(policyOf(text), at).map(({ rule, message }) => `${rule} ${message}`);
  const r = scope("r");

  test.each<[string, string[]]>([
    [`${r}[routes]\n"GET,PUT /a" = "r"`, ['SG102 "r" both reads and writes: "GET,PUT /a"']],
    [`${r}[routes]\n"GET /a" = "r"\n"PUT /a" = "r"`, ['SG102 "r" both reads and writes: "GET /a" and "PUT /a"']],
    [
      '[routes]\n"GET,PUT /a" = { public = true }\n"GET,PUT /b" = { authenticated = true }',
      ['SG103 "GET,PUT /a" writes and is public', 'SG103 "GET,PUT /b" writes and asks for any token'],
    ],
    [
      `${r}[routes]\n"GET /a/*" = { authenticated = true, resource = [] }\n"GET /a/1" = "r"\n"GET /a/2" = "r"\n"GET /a/3" = "r"`,
      ['SG104 "GET /a/*" lets in whom "GET /a/1", "GET /a/2", "GET /a/3" would refuse'],
    ],
    [
      `${r}[routes]\n"GET /a/*" = { authenticated = true, resource = [] }\n"GET /a/1" = "r"\n"GET /a/2" = "r"\n"GET /a/3" = "r"\n"GET /a/4" = "r"\n"GET /a/5" = "r"`,
      ['SG104 "GET /a/*" lets in whom "GET /a/1", "GET /a/2", "GET /a/3" and 2 more would refuse'],
    ],
    [`${scope("w")}[routes]\n"PUT /a" = "w"`, ['SG105 "PUT /a" writes and no route reads /a']],
    [
      `${scope("s", 'sunset = "2026-06-01T12:00:00Z"')}[routes]\n"GET /a" = "s"`,
      ['SG107 "s" has set on 2026-06-01, and "GET /a" still names it'],
    ],
    ['[tokens]\nmax_lifetime = "366d"\n[routes]', ["SG109 [tokens] max_lifetime is longer than 365d"]],
    ['mode = "report"\n[routes]', ["SG111 the gateway reports and does not enforce"]],
    [
      `${r}${scope("s", 'sunset = "2026-01-01"')}[routes]\n"GET /a" = "s"\n"GET /b" = "s"\n"GET /c" = "r"`,
      ['SG107 "s" has set on 2026-01-01, and "GET /a", "GET /b" still name it'],
    ],
    [`${scope("s", 'sunset = "2026-01-01"')}[routes]`, ['SG101 no route needs "s"', 'SG107 "s" has set on 2026-01-01']],
    [`${scope("s", 'sunset = "2026-06-01T12:00:01Z"')}[routes]\n"GET /a" = "s"`, []],
    [`${scope("s", 'max_lifetime = "365d"')}[routes]\n"GET /a" = "s"`, []],
    [
      `${scope("s", 'max_lifetime = "366d"')}[routes]\n"GET /a" = "s"`,
      ['SG109 the max_lifetime of "s" is longer than 365d'],
    ],
    [
      '[routes]\n"GET|PUT /a" = { public = true }\n"GETT /b" = { public = true }\n"FROBNICATE /c" = { public = true }\n"GET| /d" = { public = true }\n"FROB|NICATE /e" = { public = true }',
      [
        'SG113 "GET|PUT /a": "GET|PUT" is no method that anybody sends; several are written with commas: "GET,PUT"',
        'SG113 "GETT /b": "GETT" is no method that anybody sends; did you mean "GET"?',
        'SG113 "FROBNICATE /c": "FROBNICATE" is no method that anybody sends',
        'SG113 "GET| /d": "GET|" is no method that anybody sends; did you mean "GET"?',
        'SG113 "FROB|NICATE /e": "FROB|NICATE" is no method that anybody sends',
      ],
    ],
    [
      `${r}[routes]\n"GET /a/:b" = { all = ["r"], resource = "a::b" }\n"GET /b/:c" = { all = ["r"], resource = "b::d" }\n"GET /c/:d/:e" = { all = ["r"], resource = "c:x/:d/:e" }`,
      [
        'SG114 "GET /a/:b" takes "a::b" to the letter; did you mean "a:{b}"?',
        'SG114 "GET /b/:c" takes "b::d" to the letter',
        'SG114 "GET /c/:d/:e" takes "c:x/:d/:e" to the letter; did you mean "c:x/{d}/{e}"?',
      ],
    ],
    [
      `${r}[routes]\n"GET /A" = "r"\n"GET /a" = "r"\n"GET,OPTIONS,PROPFIND /B" = "r"\n"PROPFIND,GET /b" = "r"\n"GET /_Scopegate" = "r"\n"GET /%5C" = "r"`,
      [
        'SG115 "GET /A" can never be reached: its paths are those of "GET /a" in another spelling',
        'SG115 "GET,OPTIONS,PROPFIND /B" can never be reached with GET, PROPFIND: its paths are those of "PROPFIND,GET /b" in another spelling',
        'SG115 "GET /_Scopegate" can never be reached: its paths are those of another route or the gateway itself in another spelling',
        'SG115 "GET /%5C" can never be reached: its path holds an encoded slash, and it does not say encoded_slash = true',
      ],
    ],
    [
      '[origin]\nurl = "https://api.example.com/base"\n[routes]',
      ["SG116 the origin https://api.example.com/base is at public_url, this gateway's own"],
    ],
    [
      '[routes]\n[[checks.silence]]\nrule = "S\\u001b[2J"\nreason = "r"',
      ["SG190 there is no rule S\\u001b[2J to silence"],
    ],
    ['[routes]\n[[checks.silence]]\nrule = "SG102"\nreason = "r"', ["SG190 SG102 finds nothing"]],
    ['[routes]\n[[checks.silence]]\nrule = "SG102"\nat = "x"\nreason = "r"', ['SG190 SG102 finds nothing at "x"']],
    ['[routes]\n[[checks.silence]]\nrule = "SG999"\nreason = "r"', ["SG190 there is no rule SG999 to silence"]],
  ])("%s: %j", (text, expected) => {
    expect(messages(text)).toEqual(expected);
  });
});
