import { describe, expect, test } from "vitest";
import { faultText, loadPolicy } from "../../src/policy/load.ts";

const BASE = `
[gateway]
public_url = "https://api.example.com"
[scopes."a:read"]
description = "d"
owner = "o"
[scopes."a:write"]
description = "d"
owner = "o"
implies = ["a:read"]
`;

function faultsOf(text: string): string[] {
  const loaded = loadPolicy(text);
  return loaded.ok ? [] : loaded.faults.map((fault) => faultText(fault));
}

const withRoutes = (routes: string, base = BASE): string => `${base}\n[routes]\n${routes}\n`;

describe("a policy serves", () => {
  test("with nothing but a gateway and routes", () => {
    const loaded = loadPolicy(
      '[gateway]\npublic_url = "http://127.0.0.1:8787"\n[routes]\n"GET /x" = { public = true }\n',
    );
    expect(loaded.ok).toBe(true);
    if (!loaded.ok) return;
    expect(loaded.policy.gateway).toEqual({
      publicUrl: "http://127.0.0.1:8787",
      adminPath: "/_scopegate",
      mode: "enforce",
      clockSkewSeconds: 30,
    });
    expect(loaded.policy.revocation).toEqual({ refreshMilliseconds: 5000, maxStalenessMilliseconds: 30_000 });
    expect(loaded.policy.tokens.audience).toBe("http://127.0.0.1:8787");
  });

  test("with every form of a requirement", () => {
    const routes = `
"GET /1" = "a:read"
"GET /2" = ["a:read", "a:write"]
"GET /3" = { all = ["a:read"] }
"GET /4" = { any = ["a:read", ["a:read", "a:write"]] }
"GET /5" = { authenticated = true, resource = [] }
"GET /6" = { public = true, cidr = ["10.0.0.0/8"] }
"GET,PUT /7/*" = { all = ["a:write"], resource = "file:{*}" }
"* /8/:x/*" = { all = ["a:write"], resource = ["x:{x}", "q:{query.q}", "h:{header.x-y}"] }`;
    expect(faultsOf(withRoutes(routes))).toEqual([]);
  });
});

describe("a policy does not serve, and the message names the place", () => {
  test.each<[name: string, text: string, ...messages: string[]]>([
    ["a syntax error", "[gateway\n", "scopegate.toml:1 policy: not TOML"],
    ["no gateway", "[routes]\n", "gateway: is missing and required"],
    ["an unknown table", `${withRoutes("")}\n[gatway]\nx = 1`, 'gatway: unknown key "gatway"; did you mean "gateway"?'],
    ["an unknown key", withRoutes('"GET /x" = { scope = ["a:read"] }'), 'routes."GET /x".scope: unknown key "scope"'],
    ["a misspelt key", withRoutes('"GET /x" = { pubilc = true }'), 'unknown key "pubilc"; did you mean "public"?'],
    ["a wrong type", withRoutes('"GET /x" = 5'), 'routes."GET /x": expected'],
    ["no routes", BASE, "routes: is missing and required"],
    ["routes that are a number", `routes = 5\n${BASE}`, "routes: expected a table, found 5"],
    ["routes that are a text", `routes = "GET /x"\n${BASE}`, "routes: expected a table"],
    ["routes that are a list", `${BASE}\n[[routes]]\n"GET /x" = "a:read"\n`, "routes: expected a table"],
    ["routes that are an empty list", `routes = []\n${BASE}`, "routes: expected a table"],
    ["routes that are a date", `routes = 2026-01-01\n${BASE}`, "routes: expected a table"],
    ...["origin", "revocation", "log", "tokens", "bundles", "checks"].flatMap((key): [string, string, string][] => [
      [`a list for ${key}`, `${key} = []\n${withRoutes("")}`, `${key}: expected a table`],
      [`a date for ${key}`, `${key} = 2026-01-01\n${withRoutes("")}`, `${key}: expected a table`],
    ]),
    [
      "a list for scope_map",
      `${withRoutes("")}\n[[issuers]]\nissuer = "https://i.example"\naudience = "a"\nscope_map = []`,
      "issuers[0].scope_map: expected a table",
    ],
    [
      "a wrong type inside",
      withRoutes('"GET /x" = { all = "a:read" }'),
      'routes."GET /x".all: expected a list, as ["a:read"]; found "a:read"',
    ],
    [
      "an unknown scope",
      withRoutes('"GET /x" = "a:raed"'),
      'scopegate.toml:13 routes."GET /x": unknown scope "a:raed"; did you mean "a:read"?',
    ],
    [
      "an unknown scope in any",
      withRoutes('"GET /x" = { any = ["a:read", ["zzz"]] }'),
      'routes."GET /x".any[1]: unknown scope "zzz"; declare it',
    ],
    [
      "a scope of the gateway's own",
      withRoutes('"GET /x" = "scopegate:admin"'),
      "is the gateway's own and not for routes",
    ],
    ["the same key twice", withRoutes('"GET /x" = "a:read"\n"GET /x" = "a:write"'), "not TOML"],
    [
      "a route said twice",
      withRoutes('"GET /x/:a" = "a:read"\n"GET,PUT /x/:b" = "a:write"'),
      'routes."GET,PUT /x/:b": says GET of the same paths as "GET /x/:a"',
    ],
    ["a bad pattern", withRoutes('"GET /x//y" = "a:read"'), "a pattern has no empty segments"],
    ["a key without a method", withRoutes('"/x" = "a:read"'), 'a route\'s key is "METHODS PATTERN"'],
    ["a lower-case method", withRoutes('"get /x" = "a:read"'), '"get" is not a method'],
    ["a route under admin_path", withRoutes('"GET /_scopegate/x" = "a:read"'), "no route lies under /_scopegate"],
    ["a route under /.well-known", withRoutes('"GET /.well-known/x" = "a:read"'), "no route lies under /.well-known"],
    [
      "two requirements",
      withRoutes('"GET /x" = { all = ["a:read"], public = true }'),
      "needs exactly one of all, any, authenticated and public; found all and public",
    ],
    [
      "no requirement",
      withRoutes('"GET /x" = {}'),
      "needs exactly one of all, any, authenticated and public; found none of them",
    ],
    ["public = false", withRoutes('"GET /x" = { public = false }'), 'routes."GET /x".public: expected true'],
    ["an empty all", withRoutes('"GET /x" = { all = [] }'), "must not be empty"],
    ["an empty any", withRoutes('"GET /x" = { any = [] }'), "must not be empty"],
    ["an empty entry of any", withRoutes('"GET /x" = { any = [[]] }'), "must not be empty"],
    ["an empty list", withRoutes('"GET /x" = []'), "must not be empty"],
    [
      "a resource on a public route",
      withRoutes('"GET /x" = { public = true, resource = [] }'),
      "a public route looks at no token",
    ],
    [
      "max_token_age on a public route",
      withRoutes('"GET /x" = { public = true, max_token_age = "5m" }'),
      "a public route looks at no token",
    ],
    [
      "a resource of an unknown name",
      withRoutes('"GET /x/:a" = { all = ["a:read"], resource = "x:{b}" }'),
      'routes."GET /x/:a".resource',
    ],
    [
      "a cycle",
      withRoutes(
        "",
        `${BASE}[scopes.c]\ndescription="d"\nowner="o"\nimplies=["d"]\n[scopes.d]\ndescription="d"\nowner="o"\nimplies=["c"]\n`,
      ),
      "scopes.c.implies: is a cycle: c → d → c",
    ],
    [
      "a scope that implies itself",
      withRoutes("", `${BASE}[scopes.c]\ndescription="d"\nowner="o"\nimplies=["c"]\n`),
      "is a cycle: c → c",
    ],
    [
      "an unknown implied scope",
      withRoutes("", `${BASE}[scopes.c]\ndescription="d"\nowner="o"\nimplies=["zz"]\n`),
      'scopes.c.implies[0]: unknown scope "zz"',
    ],
    ["a reserved scope", withRoutes("", `${BASE}[scopes."scopegate:x"]\ndescription="d"\nowner="o"\n`), "are reserved"],
    [
      "a scope that is no scope-token",
      withRoutes("", `${BASE}[scopes."a b"]\ndescription="d"\nowner="o"\n`),
      "is not a scope-token",
    ],
    [
      "a scope without an owner",
      withRoutes("", `${BASE}[scopes.c]\ndescription="d"\n`),
      "scopes.c.owner: is missing and required",
    ],
    [
      "a clock skew beyond which a revoked token would come back",
      withRoutes("", BASE.replace("[gateway]", '[gateway]\nclock_skew = "2d"')),
      "gateway.clock_skew: must be at most 12h",
    ],
    [
      "an issuer whose name would end early among ancestors",
      withRoutes("", `${BASE}[[issuers]]\nissuer = "https://a.test/my tenant"\naudience = "x"\n`),
      "issuers[0].issuer: must not hold white space",
    ],
    [
      "a bad duration",
      withRoutes("", BASE.replace("[scopes", '[revocation]\nrefresh = "5 s"\n[scopes')),
      "revocation.refresh",
    ],
    [
      "a staleness below refresh",
      withRoutes("", `${BASE}[revocation]\nrefresh = "10s"\nmax_staleness = "5s"\n`),
      "must not be shorter than refresh",
    ],
    [
      "a public_url over http",
      withRoutes("").replace("https://api", "http://api"),
      "must be an https URL, or http on a loopback host",
    ],
    [
      "a public_url with a path",
      withRoutes("").replace("example.com", "example.com/x"),
      'as "https://api.example.com"',
    ],
    [
      "an issuer over http",
      `${withRoutes("")}\n[[issuers]]\nissuer = "http://x.example"\naudience = "a"`,
      "issuers[0].issuer: must be an https URL",
    ],
    [
      "an issuer that is no URL",
      `${withRoutes("")}\n[[issuers]]\nissuer = "login"\naudience = "a"`,
      "issuers[0].issuer: must be an https URL",
    ],
    [
      "an issuer twice",
      `${withRoutes("")}\n[[issuers]]\nissuer = "https://x.example"\naudience = "a"\n[[issuers]]\nissuer = "https://x.example"\naudience = "a"`,
      "issuers[1].issuer",
      "stands here twice",
    ],
    [
      "an issuer without an audience",
      `${withRoutes("")}\n[[issuers]]\nissuer = "https://x.example"`,
      "issuers[0].audience: is missing and required",
    ],
    [
      'the algorithm "none"',
      `${withRoutes("")}\n[[issuers]]\nissuer = "https://x.example"\naudience = "a"\nalgorithms = ["none"]`,
      '"none" is not accepted',
    ],
    [
      "HS256 beside another",
      `${withRoutes("")}\n[[issuers]]\nissuer = "https://x.example"\naudience = "a"\nalgorithms = ["HS256", "RS256"]\nsecret = "S"`,
      "HS256 stands alone",
    ],
    [
      "HS256 without a secret",
      `${withRoutes("")}\n[[issuers]]\nissuer = "https://x.example"\naudience = "a"\nalgorithms = ["HS256"]`,
      "needs the name of the binding",
    ],
    [
      "a reserved scope for an issuer without admin",
      `${withRoutes("")}\n[[issuers]]\nissuer = "https://x.example"\naudience = "a"\nlegacy_scopes = ["scopegate:admin"]`,
      "needs admin = true",
    ],
    [
      "a scope_map to an unknown scope",
      `${withRoutes("")}\n[[issuers]]\nissuer = "https://x.example"\naudience = "a"\nscope_map = { B = ["nope"] }`,
      "issuers[0].scope_map.B[0]: unknown scope",
    ],
    [
      "a bundle with an unknown scope",
      `${withRoutes("")}\n[bundles.s]\ndescription = "d"\nscopes = ["nope"]`,
      "bundles.s.scopes[0]: unknown scope",
    ],
    [
      "an impossible date",
      withRoutes("", BASE.replace('implies = ["a:read"]', 'sunset = "2026-02-30"')),
      'scopes."a:write".sunset',
    ],
    [
      "a date at an impossible hour",
      withRoutes("", BASE.replace('implies = ["a:read"]', 'sunset = "2026-02-20T25:00:00Z"')),
      'scopes."a:write".sunset: must be a date',
    ],
    [
      "a date in another spelling",
      withRoutes("", BASE.replace('implies = ["a:read"]', 'sunset = "2026-02-20T10:00Z"')),
      'scopes."a:write".sunset: must be a date',
    ],
    [
      "an origin with a query",
      withRoutes("", BASE.replace("[scopes", '[origin]\nurl = "https://o.example/?x"\n[scopes')),
      "must have no query",
    ],
  ])("%s", (_name, text, ...messages) => {
    const faults = faultsOf(text).join("\n");
    for (const message of messages) expect(faults).toContain(message);
  });

  test("and all faults are told at once", () => {
    const faults = faultsOf(
      `${withRoutes('"GET /x" = "nope"\n"GET //" = "a:read"\n"GET /y" = { pubilc = true }', BASE.replace("public_url", "publik_url"))}`,
    );
    expect(faults.join("\n")).toContain("publik_url");
    expect(faults.join("\n")).toContain("pubilc");
    const shapely = faultsOf(
      withRoutes('"GET /x" = "nope"\n"GET //" = "a:read"\n"GET /y" = { all = ["a:read"], resorce = [] }'),
    );
    expect(shapely).toHaveLength(3);
  });
});

test.each(["constructor", "__proto__", "prototype"])("%s is no name, and is not passed over", (name) => {
  const base = `${BASE}[scopes.${name}]\ndescription="d"\nowner="o"\n`;
  expect(faultsOf(withRoutes('"GET /x" = "a:read"', base)).join()).toContain(`"${name}" cannot be used as a name`);
});
