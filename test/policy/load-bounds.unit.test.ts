/** What a policy comes to, and is refused for, at the edges: one test for each rule that no other test would miss. */
import { describe, expect, test } from "vitest";
import { faultText, loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";

interface Written {
  gateway?: string;
  publicUrl?: string;
  origin?: string;
  more?: string;
  routes?: string;
}

const scope = (name: string, lines = ""): string =>
  `[scopes.${JSON.stringify(name)}]\ndescription = "d"\nowner = "o"\n${lines}\n`;
const issuer = (lines: string, name = "https://login.example.com/"): string =>
  `[[issuers]]\nissuer = "${name}"\n${lines.includes("audience") ? "" : 'audience = "a"\n'}${lines}\n`;

function textOf({ gateway = "", publicUrl = "https://api.example.com", origin = "", more = "", routes = "" }: Written) {
  return `[gateway]\npublic_url = "${publicUrl}"\n${gateway}\n[origin]\n${origin}\n${scope("a:read")}${scope("a:write")}${more}\n[routes]\n${routes}\n`;
}

function faultsOf(written: Written): string[] {
  const loaded = loadPolicy(textOf(written));
  return loaded.ok ? [] : loaded.faults.map((fault) => faultText(fault).replace(/^scopegate.toml(:\d+)? /, ""));
}

function loaded(written: Written): Policy {
  const result = loadPolicy(textOf(written));
  if (!result.ok) throw new Error(result.faults.map((fault) => faultText(fault)).join("\n"));
  return result.policy;
}

describe("an issuer", () => {
  const only = (lines: string) => loaded({ more: issuer(lines) }).issuers[0];

  test("has nothing that its entry does not say", () => {
    expect(only("")).toMatchObject({ jwksUri: null, requireTyp: null, legacyScopes: null, secret: null });
    expect(only("")?.algorithms).toEqual(["RS256", "PS256", "ES256", "ES384", "EdDSA"]);
  });

  test("with a secret takes HS256, also where it does not say so", () => {
    expect(only('secret = "S"')?.algorithms).toEqual(["HS256"]);
    expect(only('secret = "S"\nalgorithms = ["HS256"]')?.algorithms).toEqual(["HS256"]);
  });

  test("compares a required typ without its case and its application/", () => {
    expect(only('require_typ = "application/AT+JWT"')?.requireTyp).toBe("at+jwt");
    expect(only('require_typ = "at+jwt"')?.requireTyp).toBe("at+jwt");
  });

  test.each<[string, string, string[]]>([
    [
      "the gateway itself",
      issuer("", "https://api.example.com"),
      ["issuers[0].issuer: is this gateway's own; it needs no entry"],
    ],
    [
      "keys over http",
      issuer('jwks_uri = "http://x.example/k"'),
      ["issuers[0].jwks_uri: must be an https URL, or http on a loopback host"],
    ],
    ["an empty audience", issuer('audience = ""'), ["issuers[0].audience: must not be empty"]],
    ["an empty audience among others", issuer('audience = ["a", ""]'), ["issuers[0].audience: must not be empty"]],
    [
      "a misspelt algorithm",
      issuer('algorithms = ["ES257"]'),
      ['issuers[0].algorithms[0]: "ES257" is not accepted; did you mean "ES256"?'],
    ],
    [
      'no near name for "none"',
      issuer('algorithms = ["None"]'),
      [
        'issuers[0].algorithms[0]: "None" is not accepted; one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519',
      ],
    ],
    [
      "an algorithm like no other",
      issuer('algorithms = ["somethingelse"]'),
      [
        'issuers[0].algorithms[0]: "somethingelse" is not accepted; one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519',
      ],
    ],
    [
      "a secret beside a public key's algorithm",
      issuer('secret = "S"\nalgorithms = ["RS256"]'),
      ['issuers[0].secret: needs algorithms = ["HS256"]'],
    ],
    [
      "a secret beside an address of keys",
      issuer('secret = "S"\njwks_uri = "https://x.example/k"'),
      ["issuers[0].jwks_uri: an issuer with a secret has no keys to fetch"],
    ],
    [
      "a wildcard that covers nothing",
      issuer('legacy_scopes = ["b:*"]'),
      ['issuers[0].legacy_scopes[0]: the wildcard "b:*" covers no scope'],
    ],
    ["the wildcards that cover something", issuer('legacy_scopes = ["*", "a:*"]'), []],
    ["an admin scope where it may carry one", issuer('admin = true\nlegacy_scopes = ["scopegate:read"]'), []],
    [
      "a misspelt admin scope",
      issuer('admin = true\nlegacy_scopes = ["scopegate:raed"]'),
      ['issuers[0].legacy_scopes[0]: unknown scope "scopegate:raed"; did you mean "scopegate:read"?'],
    ],
  ])("is told about: %s", (_name, more, faults) => {
    expect(faultsOf({ more })).toEqual(faults);
  });
});

describe("a scope", () => {
  test.each<[string, string, string[]]>([
    ["ends in no wildcard", scope("b:*"), ['scopes."b:*": a name in the catalogue does not end in a wildcard']],
    ["lives longer than nothing", scope("b", 'max_lifetime = "0s"'), ["scopes.b.max_lifetime: must be longer than 0s"]],
    ["may live a second", scope("b", 'max_lifetime = "1s"'), []],
    [
      "is replaced by one that exists",
      scope("b", 'replaced_by = ["a:raed"]'),
      ['scopes.b.replaced_by[0]: unknown scope "a:raed"; did you mean "a:read"?'],
    ],
    [
      "that lies beside a cycle is not told of it",
      scope("b", 'implies = ["c"]') + scope("c", 'implies = ["d"]') + scope("d", 'implies = ["c"]'),
      ["scopes.c.implies: is a cycle: c → d → c"],
    ],
    ["may be implied twice over", scope("b", 'implies = ["c", "d"]') + scope("c", 'implies = ["d"]') + scope("d"), []],
  ])("%s", (_name, more, faults) => {
    expect(faultsOf({ more })).toEqual(faults);
  });

  test("has the times that its dates say, and none without", () => {
    const more = scope("b", 'deprecated = "2026-09-01"\nsunset = "2027-03-01"\nmax_lifetime = "2h"');
    const { byName } = loaded({ more }).catalogue;
    expect(byName.get("b")).toMatchObject({
      deprecatedAtSeconds: Date.UTC(2026, 8, 1) / 1000,
      sunsetAtSeconds: Date.UTC(2027, 2, 1) / 1000,
      maxLifetimeSeconds: 7200,
    });
    expect(byName.get("a:read")).toMatchObject({
      deprecatedAtSeconds: null,
      sunsetAtSeconds: null,
      maxLifetimeSeconds: null,
      conditions: null,
    });
  });
});

describe("a route", () => {
  const only = (routes: string) => loaded({ routes }).routes[0];

  test("is strict and unbounded only where it says so", () => {
    expect(only('"GET /x" = "a:read"')).toMatchObject({
      strictRevocation: false,
      unboundedConnection: false,
      encodedSlash: false,
    });
    expect(only('"GET /x" = { all = ["a:read"], revocation = "strict" }')).toMatchObject({
      strictRevocation: true,
      unboundedConnection: false,
    });
    expect(only('"GET /x" = { all = ["a:read"], connection = "unbounded" }')).toMatchObject({
      strictRevocation: false,
      unboundedConnection: true,
    });
  });

  test.each<[string, string, string[]]>([
    ["* beside a method", '"*,GET /x" = "a:read"', ['routes."*,GET /x": * stands for every method and stands alone']],
    ["a method twice", '"GET,GET /x" = "a:read"', ['routes."GET,GET /x": names a method twice']],
    [
      "a key that begins with a space",
      '" /x" = "a:read"',
      ['routes." /x": "" is not a method; write it in upper case, several with commas and no space'],
    ],
    [
      "admin_path itself",
      '"GET /_scopegate" = "a:read"',
      ['routes."GET /_scopegate": no route lies under /_scopegate'],
    ],
    ["what only begins like admin_path", '"GET /_scopegates" = "a:read"', []],
    [
      "an unknown scope, in a string",
      '"GET /x" = "zzz"',
      ['routes."GET /x": unknown scope "zzz"; declare it as [scopes."zzz"]'],
    ],
    [
      "an unknown scope, in a list",
      '"GET /x" = ["zzz"]',
      ['routes."GET /x": unknown scope "zzz"; declare it as [scopes."zzz"]'],
    ],
    [
      "an unknown scope, in all",
      '"GET /x" = { all = ["zzz"] }',
      ['routes."GET /x".all: unknown scope "zzz"; declare it as [scopes."zzz"]'],
    ],
    [
      "an unknown scope, in any",
      '"GET /x" = { any = ["a:read", "zzz"] }',
      ['routes."GET /x".any[1]: unknown scope "zzz"; declare it as [scopes."zzz"]'],
    ],
    [
      "a name that no pattern has",
      '"GET /x" = { all = ["a:read"], resource = ["t:*", "t:{id}"] }',
      ['routes."GET /x".resource: {id} is no name of the pattern, nor {*}, {query.name} or {header.name}'],
    ],
    [
      "what two routes say alike and is wrong, at each of them",
      '"GET /x" = { all = ["zzz"], resource = "t:{id}" }\n"GET /y" = { all = ["zzz"], resource = "t:{id}" }',
      ["x", "y"].flatMap((path) => [
        `routes."GET /${path}".all: unknown scope "zzz"; declare it as [scopes."zzz"]`,
        `routes."GET /${path}".resource: {id} is no name of the pattern, nor {*}, {query.name} or {header.name}`,
      ]),
    ],
    [
      "a day that no month has, and one that is none",
      '"GET /x" = "b"\n[scopes.b]\ndescription = "d"\nowner = "o"\nsunset = "2026-04-31"\n[scopes.c]\ndescription = "d"\nowner = "o"\nsunset = "2026-13-01"\n[scopes.d]\ndescription = "d"\nowner = "o"\nsunset = "2026"',
      ["b", "c", "d"].map(
        (name) =>
          `scopes.${name}.sunset: must be a date, as "2026-09-01"; found "${{ b: "2026-04-31", c: "2026-13-01", d: "2026" }[name]}"`,
      ),
    ],
  ])("is told about: %s", (_name, routes, faults) => {
    expect(faultsOf({ routes })).toEqual(faults);
  });
});

describe("the gateway and the origin", () => {
  test.each<[string, Written, string[]]>([
    ["a skew of 12 hours", { gateway: 'clock_skew = "12h"' }, []],
    [
      "a skew of a second more",
      { gateway: 'clock_skew = "43201s"' },
      ["gateway.clock_skew: must be at most 12h: an entry of the revocation list outlives its token by a day"],
    ],
    ["a plain admin_path", { gateway: 'admin_path = "/admin/gate"' }, []],
    ...["/", "/a/", "/a/*", "/*", "/:a", "/a//b", "a", "/a%41"].map((path): [string, Written, string[]] => [
      `the admin_path ${path}`,
      { gateway: `admin_path = "${path}"` },
      ['gateway.admin_path: must be a plain path without a trailing slash, as "/_scopegate"'],
    ]),
    ...["/.well-known", "/.well-known/x"].map((path): [string, Written, string[]] => [
      `the admin_path ${path}`,
      { gateway: `admin_path = "${path}"` },
      ["gateway.admin_path: must not lie under /.well-known"],
    ]),
    ["an admin_path that only begins so", { gateway: 'admin_path = "/.well-knownish"' }, []],
    ["a timeout of nothing", { origin: 'timeout = "0s"' }, ["origin.timeout: must be longer than 0s"]],
    ["a timeout of a second", { origin: 'timeout = "1s"' }, []],
    [
      "a star inside a header's name",
      { origin: 'remove_headers = ["X-*", "X*Y"]' },
      ['origin.remove_headers[1]: "X*Y" is not a header\'s name; a * stands at the end only'],
    ],
    [
      "an origin over another scheme",
      { origin: 'url = "ftp://o.example"' },
      ["origin.url: must be an http or https URL"],
    ],
    ["an origin with a user", { origin: 'url = "https://u@o.example"' }, ["origin.url: must not hold credentials"]],
    [
      "an origin with a password",
      { origin: 'url = "https://:p@o.example"' },
      ["origin.url: must not hold credentials"],
    ],
    [
      "an origin with a fragment",
      { origin: 'url = "https://o.example/#x"' },
      ["origin.url: must have no query and no fragment"],
    ],
    ["an origin that is no URL", { origin: 'url = "o.example"' }, ["origin.url: must be an http or https URL"]],
    ["an origin over http", { origin: 'url = "http://o.example/base"' }, []],
    [
      "a public_url with credentials",
      { publicUrl: "https://u:p@api.example.com" },
      ["gateway.public_url: must be an https URL, or http on a loopback host"],
    ],
    [
      "a public_url with a user",
      { publicUrl: "https://u@api.example.com" },
      ["gateway.public_url: must be an https URL, or http on a loopback host"],
    ],
    [
      "a public_url with a password",
      { publicUrl: "https://:p@api.example.com" },
      ["gateway.public_url: must be an https URL, or http on a loopback host"],
    ],
    [
      "a public_url with a fragment",
      { publicUrl: "https://api.example.com#" },
      ["gateway.public_url: must be an https URL, or http on a loopback host"],
    ],
    ["a public_url on localhost", { publicUrl: "http://localhost:8787" }, []],
    ["a public_url below localhost", { publicUrl: "http://a.localhost:8787" }, []],
    ["a public_url on ::1", { publicUrl: "http://[::1]:8787" }, []],
    [
      "a public_url on what looks like a loopback host",
      { publicUrl: "http://127.0.0.1.example.com" },
      ["gateway.public_url: must be an https URL, or http on a loopback host"],
    ],
    [
      "a public_url of another scheme on a loopback host",
      { publicUrl: "ftp://127.0.0.1" },
      ["gateway.public_url: must be an https URL, or http on a loopback host"],
    ],
    ["a refresh of nothing", { more: '[revocation]\nrefresh = "0s"' }, ["revocation.refresh: must be longer than 0s"]],
    ["a staleness of one refresh", { more: '[revocation]\nrefresh = "5s"\nmax_staleness = "5s"' }, []],
    [
      "a default lifetime of nothing",
      { more: '[tokens]\ndefault_lifetime = "0s"' },
      ["tokens.default_lifetime: must be longer than 0s"],
    ],
    [
      "a lifetime of nothing",
      { more: '[tokens]\nmax_lifetime = "0s"' },
      ["tokens.max_lifetime: must be longer than 0s"],
    ],
    ["a lifetime of a second", { more: '[tokens]\ndefault_lifetime = "1s"\nmax_lifetime = "1s"' }, []],
    [
      "a page's origin with a path",
      { more: '[cors]\norigins = ["https://app.example.com/"]' },
      [
        'cors.origins[0]: "https://app.example.com/" is not an origin; write scheme and host, as "https://app.example.com"',
      ],
    ],
    [
      "a page's origin that is no URL",
      { more: '[cors]\norigins = ["app"]' },
      ['cors.origins[0]: "app" is not an origin; write scheme and host, as "https://app.example.com"'],
    ],
    ["every page's origin", { more: '[cors]\norigins = ["*"]' }, []],
    [
      "a method that is none",
      { more: '[cors]\norigins = ["*"]\nmethods = ["A B"]' },
      ['cors.methods[0]: "A B" is not a method\'s name'],
    ],
    [
      "a header that is none",
      { more: '[cors]\norigins = ["*"]\nheaders = ["A:"]' },
      ['cors.headers[0]: "A:" is not a header\'s name'],
    ],
  ])("are told about, or are content with: %s", (_name, written, faults) => {
    expect(faultsOf(written)).toEqual(faults);
  });

  test("come to what is written", () => {
    const policy = loaded({
      origin: 'url = "https://o.example/base"\ntimeout = "7s"\nremove_headers = ["X-A", "X-B-*"]',
      more: '[cors]\norigins = ["https://app.example.com"]\nmax_age = "2m"\n[tokens]\naudience = "aud"\n[[checks.silence]]\nrule = "SG1"\nreason = "r"',
    });
    expect(policy.origin).toMatchObject({ timeoutMilliseconds: 7000, removeHeaders: ["x-a", "x-b-*"] });
    expect(policy.cors).toMatchObject({ maxAgeSeconds: 120, methods: ["GET", "HEAD", "POST"] });
    expect(policy.tokens).toMatchObject({ audience: "aud", defaultLifetimeSeconds: 30 * 86_400 });
    expect(policy.silences).toEqual([{ rule: "SG1", at: null, reason: "r" }]);
    expect(loaded({}).cors).toBe(null);
  });
});

test("names that JavaScript gives a meaning are refused in a scope_map too, and where issuers are no list", () => {
  const more = issuer('scope_map = { constructor = ["a:read"] }');
  expect(faultsOf({ more }).join()).toContain('"constructor" cannot be used as a name');
  expect(faultsOf({ gateway: "issuers = 1" }).length).toBeGreaterThan(0);
  const text = `scopes = "x"\nissuers = "y"\n${textOf({}).replace(/\[scopes[\s\S]*?\[routes\]/, "[routes]")}`;
  const result = loadPolicy(text);
  expect(result.ok).toBe(false);
});
