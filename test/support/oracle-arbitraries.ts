/**
 * Random policies, tokens and requests for the oracle, drawn from few words so that they meet: patterns overlap, scopes
 * imply each other, lists name what is asked for. `policyText` writes a policy as the loader reads it.
 */
import fc from "fast-check";
import type {
  OracleConditions,
  OraclePolicy,
  OracleRequest,
  OracleRoute,
  OracleScope,
  OracleToken,
} from "./oracle-policy.ts";

export interface World {
  readonly policy: OraclePolicy;
  readonly tokens: readonly (OracleToken | null)[];
  readonly requests: readonly OracleRequest[];
}

const NOON = Date.parse("2026-03-04T12:00:00Z") / 1000;
/** Around hours, days, changes of the clock, and the sunsets below. */
const TIMES = [
  "2026-03-04T07:30:00Z",
  "2026-03-04T06:00:00Z",
  "2026-03-04T18:00:00Z",
  "2026-03-05T00:00:00Z",
  "2026-03-04T12:00:00Z",
  "2026-03-06T23:30:00Z",
  "2026-03-29T00:59:59Z",
  "2026-03-29T01:00:00Z",
  "2026-10-25T01:30:00Z",
].map((time) => Date.parse(time) / 1000);
const SUNSETS = ["2026-03-04", "2026-03-05", "2027-01-01"];

const SCOPES = ["a", "a:r", "a:w", "a:w:x", "a.r", "b:r", "b"];
const HELD = [...SCOPES, ...SCOPES, "*", "*", "*", "a:*", "a.*", "a:w:*", "b:*", "a*", "z", "scopegate:admin"];
const WORDS = ["a", "b", "ab", "A", "a.b", "ab-b", "a...b", "1", "*", "%2A", "x%20y", "caf%C3%A9", "a%2Fb", "@"];
const SEGMENTS = [
  "a",
  "a",
  "b",
  "b",
  "ab",
  "A",
  "a.b",
  ":N",
  ":N",
  ":N",
  "a:N",
  "ab:N",
  ":N.b",
  "a:N.b",
  ":N...:N",
  ":N-:N",
  ":N+",
];
const IDS = [
  "a",
  "b",
  "ab",
  "A",
  "a/b",
  "1",
  "x%20y",
  "a%2Fb",
  "*",
  "p*",
  "@",
  "a.b",
  "b/a",
  "caf%C3%A9",
  "a/a/b",
  "a/b/a",
];
const TARGETS = ["*:*", ...IDS.map((id) => `t:${id}`), ...IDS.map((id) => `u:${id}`), "t:*", "u:*"];
const BLOCKS = ["192.0.2.0/24", "192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::ffff:10.0.0.0/111", "0.0.0.0/0"];

const sometimes = <T>(weight: number, arbitrary: fc.Arbitrary<T>) =>
  fc.option(arbitrary, { freq: weight, nil: undefined });

const conditions: fc.Arbitrary<OracleConditions> = fc
  .record(
    {
      cidr: fc.subarray(BLOCKS, { maxLength: 3 }),
      not_cidr: fc.subarray(BLOCKS.slice(0, 5), { maxLength: 2 }),
      hours: fc.record({
        tz: fc.constantFrom("UTC", "Europe/Berlin", "America/New_York"),
        days: fc.subarray(["mon", "tue", "wed", "thu", "fri", "sat", "sun"], { minLength: 2 }),
        from: fc.constantFrom("00:00", "02:30", "08:00", "22:00"),
        to: fc.constantFrom("03:00", "18:00", "24:00", "06:00"),
      }),
      countries: fc.subarray(["DE", "FR", "US"]),
      max_token_age: fc.constantFrom("30s", "1m", "15m", "12h", "365d"),
    },
    { requiredKeys: [] },
  )
  .map((table) => Object.fromEntries(Object.entries(table).slice(0, 2)));

const mostlyNone = fc.oneof(
  { weight: 5, arbitrary: fc.constant<OracleConditions>({}) },
  { weight: 1, arbitrary: conditions },
);

const scope = fc.record({
  implies: fc.subarray(SCOPES, { maxLength: 2 }),
  sunset: sometimes(5, fc.constantFrom(...SUNSETS)),
  more: mostlyNone,
});

const scopes = fc.array(scope, { minLength: SCOPES.length, maxLength: SCOPES.length }).map((drawn) => {
  const entries = drawn.map(({ implies, sunset, more }, index): [string, OracleScope] => [
    SCOPES[index] ?? "",
    // Only what stands before it, so that there is no cycle.
    {
      ...more,
      implies: implies.filter((name) => SCOPES.indexOf(name) < index),
      ...(sunset === undefined ? {} : { sunset }),
    },
  ]);
  return new Map(entries);
});

const pattern = fc
  .tuple(fc.array(fc.constantFrom(...SEGMENTS), { maxLength: 4 }), fc.integer({ min: 0, max: 3 }))
  .map(([segments, star]) => {
    let names = 0;
    const text =
      segments.map((segment) => `/${segment.replaceAll("N", () => `n${names++}`)}`).join("") + (star === 0 ? "/*" : "");
    return text === "" ? "/" : text;
  });

const needs = fc.oneof(
  fc.constant({ public: true } as const),
  fc.constant({ authenticated: true } as const),
  fc.record({ all: fc.subarray(SCOPES, { minLength: 1, maxLength: 2 }) }),
  fc.record({ all: fc.subarray(SCOPES, { minLength: 1, maxLength: 1 }) }),
  fc.record({
    any: fc.array(fc.oneof(fc.constantFrom(...SCOPES), fc.subarray(SCOPES, { minLength: 1, maxLength: 2 })), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
);

const methods: fc.Arbitrary<string[]> = fc.oneof(
  fc.constant<string[]>(["*"]),
  fc.constant<string[]>(["GET"]),
  fc.subarray(["GET", "POST", "HEAD", "PUT"], { minLength: 1 }),
);

/** Numbers that choose templates among those that the pattern has placeholders for. */
const resource = sometimes(4, fc.array(fc.nat(30), { maxLength: 2 }));

const route = fc.record({
  methods,
  pattern,
  needs,
  resource,
  encodedSlash: fc.integer({ min: 0, max: 3 }),
  more: mostlyNone,
});

const policy = fc
  .record({ scopes, drawn: fc.array(route, { minLength: 2, maxLength: 9 }), caseSensitivePaths: fc.boolean() })
  .map(({ scopes, drawn, caseSensitivePaths }): OraclePolicy => {
    const routes = new Map<string, OracleRoute>();
    const taken = new Set<string>();
    for (const { methods, pattern, needs, resource, encodedSlash, more } of drawn) {
      // Two keys that say the same are an error at load, which is another test's.
      const shape = shapeOf(pattern);
      const free = methods.filter((method) => !taken.has(`${method} ${shape}`));
      for (const method of free) taken.add(`${method} ${shape}`);
      if (free.length === 0) continue;
      const isPublic = "public" in needs;
      const templates = templatesFor(pattern);
      routes.set(`${free.join(",")} ${pattern}`, {
        ...needs,
        ...(isPublic ? withoutAge(more) : more),
        ...(isPublic || resource === undefined
          ? {}
          : { resource: resource.map((choice) => templates[choice % templates.length] ?? "t:*") }),
        ...(encodedSlash === 0 ? { encoded_slash: true } : {}),
      });
    }
    return { caseSensitivePaths, scopes, routes };
  });

/**
 * One text for all patterns that match the same paths: `/:a+/:b` is `/:a/:b+`, and `/:a/*` is `/:a+`; without case, since
 * where two differ only in that, the contract has no answer.
 */
function shapeOf(pattern: string): string {
  const text = pattern.replace(/:n\d/g, ":").toLowerCase();
  return text.replace(/(\/:\+?)+(?=\/|$)(\/\*$)?/g, (run) => {
    const names = run.match(/:/g) ?? [];
    return "/:".repeat(names.length) + (/[+*]/.test(run) ? "+" : "");
  });
}

function withoutAge({ max_token_age: _, ...rest }: OracleConditions): OracleConditions {
  return rest;
}

function templatesFor(pattern: string): string[] {
  const names = [...pattern.matchAll(/:(n\d)/g)].map((match) => match[1] ?? "");
  if (pattern.endsWith("/*")) names.push("*");
  const some = ["t:*", "u:a", "*:*", "t:{query.q}", "u:{query.q}", "u:{header.x-t}", "t:x/{query.q}"];
  for (const [index, name] of names.entries()) {
    some.push(`t:{${name}}`, `u:{${name}}`);
    const next = names[index + 1];
    if (next !== undefined) some.push(`t:{${name}}/{${next}}`);
  }
  return some;
}

const claim = fc.oneof(
  { weight: 5, arbitrary: fc.constant(undefined) },
  { weight: 8, arbitrary: fc.array(fc.constantFrom(...TARGETS), { minLength: 1, maxLength: 8 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>([], null, "t:a", ["t:a", 1], [["t:a"]], ["t"], ["t:a", "*:a"], ["t:a b"], {
      t: "a",
    }),
  },
);

const tokenConditions = fc.oneof(
  { weight: 10, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: conditions.filter((table) => Object.keys(table).length > 0) },
  {
    weight: 1,
    arbitrary: fc.array(
      conditions.filter((table) => Object.keys(table).length > 0),
      { minLength: 1, maxLength: 2 },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>([], {}, null, "cidr", [[]], { unknown: true }, [
      { countries: ["DE"] },
      { cdir: [] },
    ]),
  },
);

const token: fc.Arbitrary<OracleToken> = fc
  .record({
    scopes: fc.array(fc.constantFrom(...HELD), { maxLength: 4 }),
    wildcards: fc.boolean(),
    allowList: claim,
    conditions: tokenConditions,
    iat: sometimes(8, fc.constantFrom(NOON - 3600 * 24 * 30, NOON - 60, NOON, NOON + 20)),
  })
  .map(({ iat, ...rest }) => ({ ...rest, ...(iat === undefined ? {} : { iat }) }));

const request = fc.record({
  method: fc.constantFrom("GET", "GET", "GET", "POST", "HEAD", "PUT", "DELETE"),
  /** Which route's pattern the path is made from; words for its names. */
  route: fc.nat(20),
  words: fc.array(fc.constantFrom(...WORDS), { minLength: 6, maxLength: 6 }),
  change: fc.nat(40),
  at: fc.nat(20),
  query: fc.constantFrom(
    "",
    "",
    "?",
    "?q=a",
    "?q=b&x=1",
    "?q=a&q=b",
    "?q=a&x=1&q=a",
    "?q=",
    "?q",
    "?q=*",
    "?q=x+y",
    "?q=x%20y",
    "?q=a/b",
    "?%71=a",
    "?q=a&%71=a",
    "?x=q",
    "?q=caf%C3%A9",
    "?q=@",
  ),
  header: fc.constantFrom(null, "a", "b", "a, b", "", "x y", "*"),
  address: fc.constantFrom(
    "192.0.2.7",
    "192.0.2.8",
    "10.1.2.3",
    "::ffff:10.1.2.3",
    "2001:db8::1",
    "010.0.0.1",
    "unknown",
    null,
  ),
  country: fc.constantFrom("DE", "FR", "XX", null),
  nowSeconds: fc.constantFrom(NOON, ...TIMES),
});

/** A policy, some tokens (one of them none) and some requests: each token makes each request. */
export const world: fc.Arbitrary<World> = fc
  .record({
    policy,
    tokens: fc.array(token, { minLength: 5, maxLength: 5 }),
    drawn: fc.array(request, { minLength: 12, maxLength: 12 }),
  })
  .map(({ policy, tokens, drawn }) => {
    const patterns = [...policy.routes.keys()].map((key) => key.slice(key.indexOf(" ") + 1));
    const requests = drawn.map(
      ({ method, route, words, change, at, query, header, address, country, nowSeconds }): OracleRequest => {
        const path = changed(pathLike(patterns[route % patterns.length] ?? "/", words, at), change, at);
        return {
          method,
          target: path + query,
          headers: header === null ? {} : { "x-t": header },
          address,
          country,
          nowSeconds,
        };
      },
    );
    return { policy, tokens: [null, ...tokens], requests };
  });

function pathLike(pattern: string, words: readonly string[], more: number): string {
  let next = 0;
  const word = () => words[next++ % words.length] ?? "a";
  const several = () => Array.from({ length: 1 + (more % 3) }, word).join("/");
  const tail = () => (more % 4 === 0 ? "" : `/${several()}`);
  return (
    pattern.replace(/:n\d\+|:n\d|\/\*$/g, (part) =>
      part === "/*" ? tail() : part.endsWith("+") ? several() : word(),
    ) || "/"
  );
}

/** Most paths stay as they are; the others are respelt, or made into something that must be refused. */
function changed(path: string, change: number, at: number): string {
  const place = at % path.length;
  const segments = path.split("/");
  const where = 1 + (at % (segments.length - 1));
  const put = (segment: string) => segments.with(where, segment).join("/");
  switch (change) {
    case 0:
      return path.toUpperCase();
    case 1:
      return path.toLowerCase();
    case 2:
    case 3:
      return (
        path.slice(0, place).replace(/[a-z]$/, (char) => `%${char.charCodeAt(0).toString(16)}`) + path.slice(place)
      );
    case 4:
    case 5:
      return `${path}/`;
    case 6:
      return `${path}/b`;
    case 7:
      return put("%2e%2E");
    case 8:
      return put("");
    case 9:
      return put("a;b");
    case 10:
      return put("a%2fb");
    case 11:
      return put("a%5Cb");
    case 12:
      return put("a%252Fb");
    case 13:
      return put("%c3%a9%7E");
    case 14:
      return put("%c0%af");
    case 15:
      return put(".%20");
    case 16:
      return put("..%2Fa");
    case 17:
      return put("a%00");
    case 18:
      return path.replace(/[a-z]/, (char) => char.toUpperCase());
    case 19:
      return put("x".repeat(300));
    case 20:
      return put("a%3Bb");
    default:
      return path;
  }
}

/** The policy as TOML. */
export function policyText({ caseSensitivePaths, scopes, routes }: OraclePolicy): string {
  const lines = [
    "[gateway]",
    'public_url = "https://api.example.com"',
    "[origin]",
    'url = "https://origin.example.com"',
    `case_sensitive_paths = ${caseSensitivePaths}`,
  ];
  for (const [name, scope] of scopes)
    lines.push(`[scopes.${JSON.stringify(name)}]`, 'description = "d"', 'owner = "o"', ...pairsOf(scope));
  lines.push("[routes]");
  for (const [key, route] of routes) lines.push(`${JSON.stringify(key)} = { ${pairsOf(route).join(", ")} }`);
  return lines.join("\n");
}

function pairsOf(table: object): string[] {
  return Object.entries(table).flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${toml(value)}`]));
}

function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  return typeof value === "object" && value !== null ? `{ ${pairsOf(value).join(", ")} }` : JSON.stringify(value);
}
