import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Route } from "../../../src/policy/route.ts";
import { parsePattern } from "../../../src/policy/routing/pattern.ts";
import { createRouter, type RoutePattern } from "../../../src/policy/routing/router.ts";

function routePattern(key: string): RoutePattern {
  const [methods = "", path = ""] = key.split(" ");
  const pattern = parsePattern(path);
  if ("error" in pattern) throw new Error(`${key}: ${pattern.error}`);
  const route: Route = {
    key,
    target: "origin",
    methods: methods.split(","),
    pattern: pattern.text,
    requirement: { kind: "authenticated" },
    resources: null,
    conditions: null,
    strictRevocation: false,
    encodedSlash: false,
    unboundedConnection: false,
  };
  return { route, pattern };
}

function routerOf(keys: readonly string[], caseSensitivePaths = false) {
  const conflicts: string[] = [];
  const router = createRouter(keys.map(routePattern), [routePattern("GET /_scopegate/health")], {
    adminPath: "/_scopegate",
    caseSensitivePaths,
    onConflict: (first, second, method) => conflicts.push(`${method}: ${first.key} / ${second.key}`),
  });
  const find = (method: string, path: string): string => {
    const found = router.find(method, path);
    if (found.kind === "found") return [found.route.key, ...found.values].join(" | ");
    return found.kind === "method_not_allowed" ? `405 ${found.allow.join(",")}` : found.kind;
  };
  return { find, conflicts, router };
}

const MAP = [
  "GET /",
  "GET /v1/charges",
  "POST /v1/charges",
  "GET /v1/charges/:charge",
  "GET /v1/charges/export",
  "DELETE /v1/charges/:charge",
  "GET /v1/files/*",
  "PUT /v1/files/:name/meta",
  "* /v1/teams/:team/*",
  "GET /v1/teams/:team/members",
  "GET /compare/:base...:head",
  "GET /compare/:ref",
  "GET /docs/:name.json",
  "GET /docs/v:version.json",
  "GET /tree/:path+/raw",
  "GET /tree/:path+",
  "GET /a/:x/c",
  "GET /a/b/:y/d",
  "POST /any/*",
  "GET /*",
];

describe("the most specific pattern that has the method decides", () => {
  const { find, conflicts } = routerOf(MAP);
  test.each([
    ["GET", "/", "GET /"],
    ["GET", "/v1/charges", "GET /v1/charges"],
    ["GET", "/v1/charges/", "GET /v1/charges"],
    ["GET", "/v1/charges/export", "GET /v1/charges/export"],
    ["GET", "/v1/charges/ch_1", "GET /v1/charges/:charge | ch_1"],
    ["DELETE", "/v1/charges/export", "DELETE /v1/charges/:charge | export"],
    ["HEAD", "/v1/charges/ch_1", "GET /v1/charges/:charge | ch_1"],
    ["GET", "/v1/files", "GET /v1/files/* | "],
    ["GET", "/v1/files/", "GET /v1/files/* | "],
    ["GET", "/v1/files/a/b", "GET /v1/files/* | a/b"],
    ["GET", "/v1/files/a/b/", "GET /v1/files/* | a/b"],
    ["PUT", "/v1/files/a/meta", "PUT /v1/files/:name/meta | a"],
    ["GET", "/v1/files/a/meta", "GET /v1/files/* | a/meta"],
    ["PATCH", "/v1/teams/t/x/y", "* /v1/teams/:team/* | t | x/y"],
    ["GET", "/v1/teams/t/members", "GET /v1/teams/:team/members | t"],
    ["POST", "/v1/teams/t/members", "* /v1/teams/:team/* | t | members"],
    ["GET", "/compare/a...b", "GET /compare/:base...:head | a | b"],
    ["GET", "/compare/a...b...c", "GET /compare/:base...:head | a | b...c"],
    ["GET", "/compare/a....b", "GET /compare/:base...:head | a | .b"],
    ["GET", "/compare/...b", "GET /compare/:ref | ...b"],
    ["GET", "/docs/v2.json", "GET /docs/v:version.json | 2"],
    ["GET", "/docs/v.json", "GET /docs/:name.json | v"],
    ["GET", "/docs/.json", "GET /* | docs/.json"],
    ["GET", "/tree/a/raw", "GET /tree/:path+/raw | a"],
    ["GET", "/tree/raw/raw", "GET /tree/:path+/raw | raw"],
    ["GET", "/tree/a/b/raw", "GET /tree/:path+/raw | a/b"],
    ["GET", "/tree/a/b", "GET /tree/:path+ | a/b"],
    ["GET", "/a/b/c", "GET /a/:x/c | b"],
    ["GET", "/a/b/c/d", "GET /a/b/:y/d | c"],
    ["GET", "/nowhere", "GET /* | nowhere"],
    ["POST", "/nowhere", "405 GET,HEAD"],
    ["POST", "/v1/charges/ch_1", "405 DELETE,GET,HEAD"],
    ["DELETE", "/any/x", "405 GET,HEAD,POST"],
    ["GET", "/any/x", "GET /* | any/x"],
  ])("%s %s → %s", (method, path, expected) => {
    expect(find(method, path)).toBe(expected);
  });
  test("finds no conflict in it", () => expect(conflicts).toEqual([]));

  test("whatever the order of the file", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(MAP, { minLength: MAP.length }), (keys) => {
        const shuffled = routerOf(keys);
        for (const path of [
          "/v1/charges/export",
          "/v1/files/a/meta",
          "/compare/a...b",
          "/docs/v2.json",
          "/tree/a/raw",
          "/a/b/c",
        ]) {
          expect(shuffled.find("GET", path)).toBe(find("GET", path));
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("two keys that say the same are a conflict", () => {
  test.each([
    [["GET /a/:x", "GET /a/:y"], 1],
    [["GET /a", "GET /a/"], 1],
    [["GET,PUT /a", "PUT /a"], 1],
    [["GET /a/:x...:y", "GET /a/:p...:q"], 1],
    [["GET /a/:x+", "GET /a/:y+"], 1],
    [["GET /a/*", "GET /a/*"], 1],
    [["GET /a/:x", "POST /a/:y"], 0],
    [["GET /a/:x+", "GET /a/*"], 0],
    [["* /a", "GET /a"], 0],
    [["HEAD /a", "GET /a"], 0],
    [["* /a", "* /a/"], 1],
  ])("%j: %d", (keys, count) => expect(routerOf(keys).conflicts).toHaveLength(count));
});

describe("HEAD", () => {
  test("goes to HEAD where it is named, else to GET, before *", () => {
    const { find } = routerOf(["GET /a", "* /a", "HEAD /b", "GET /b", "* /c"]);
    expect([find("HEAD", "/a"), find("HEAD", "/b"), find("HEAD", "/c")]).toEqual(["GET /a", "HEAD /b", "* /c"]);
  });
  test("of a narrow GET is not taken over by a wide HEAD", () => {
    expect(routerOf(["HEAD /a/*", "GET /a/b"]).find("HEAD", "/a/b")).toBe("GET /a/b");
  });
});

describe("what is reserved", () => {
  const { find } = routerOf(["* /*"]);
  test.each([
    ["/_scopegate/health", "GET /_scopegate/health"],
    ["/_scopegate/other", "not_found"],
    ["/_scopegate", "not_found"],
    ["/.well-known/acme-challenge/x", "not_found"],
    ["/_scopegatex", "* /* | _scopegatex"],
    ["/_SCOPEGATE/health", "ambiguous"],
    ["/.Well-Known/jwks.json", "ambiguous"],
  ])("no pattern reaches %s", (path, expected) => expect(find("GET", path)).toBe(expected));

  test("is not told as theirs either", () => {
    const keys = (path: string) =>
      routerOf(["* /*"])
        .router.matching(path)
        .map(({ key }) => key);
    expect(keys("/_scopegate/health")).toEqual(["GET /_scopegate/health"]);
    expect(keys("/health")).toEqual(["* /*"]);
  });
});

describe("refuses a path whose case would reach another route", () => {
  const keys = [
    "GET /v1/admin/users",
    "GET /v1/:x/users",
    "GET /files/*",
    "GET /files/:id.JSON",
    "GET /v1/camelCase",
    "GET /caf%C3%A9",
    "GET /*",
  ];
  const { find } = routerOf(keys);
  test.each([
    ["/v1/ADMIN/users", "ambiguous"],
    ["/v1/Admin/Users", "ambiguous"],
    ["/v1/other/users", "GET /v1/:x/users | other"],
    ["/v1/Other/users", "GET /v1/:x/users | Other"],
    ["/files/A/B", "GET /files/* | A/B"],
    ["/files/a.json", "ambiguous"],
    ["/files/a.JSON", "GET /files/:id.JSON | a"],
    ["/v1/camelCase", "GET /v1/camelCase"],
    ["/v1/camelcase", "ambiguous"],
    ["/caf%C3%A9", "GET /caf%C3%A9"],
    ["/caf%C3%89", "ambiguous"],
    ["/caf%E2%84%AA", "GET /* | caf%E2%84%AA"],
    ["/FILES/x", "ambiguous"],
  ])("%s → %s", (path, expected) => expect(find("GET", path)).toBe(expected));

  test("with the Kelvin sign for a k", () => {
    expect(routerOf(["GET /keys", "GET /*"]).find("GET", "/%E2%84%AAeys")).toBe("ambiguous");
  });
  test("but answers 404 where the path itself has no route", () => {
    expect(routerOf(["GET /v1/admin"]).find("GET", "/v1/ADMIN")).toBe("not_found");
  });
  test("and lets it pass where the origin tells cases apart", () => {
    expect(routerOf(keys, true).find("GET", "/v1/ADMIN/users")).toBe("GET /v1/:x/users | ADMIN");
  });
  test("keeps the lower-case one of two routes that differ only in case", () => {
    const twins = routerOf(["GET /Users", "GET /users"]);
    expect([twins.find("GET", "/users"), twins.find("GET", "/Users"), twins.find("GET", "/USERS")]).toEqual([
      "GET /users",
      "ambiguous",
      "not_found",
    ]);
  });
  test("keeps it where names have capitals too, which are nobody's path", () => {
    const twins = routerOf(["GET /Users/:userId", "GET /users/:userId"]);
    expect([twins.find("GET", "/users/7"), twins.find("GET", "/Users/7")]).toEqual([
      "GET /users/:userId | 7",
      "ambiguous",
    ]);
  });
  test("keeps the first by its key of two that both have capitals, whatever the order of the file", () => {
    for (const keys of [
      ["GET /USERS", "GET /Users"],
      ["GET /Users", "GET /USERS"],
    ]) {
      const twins = routerOf(keys);
      expect([twins.find("GET", "/USERS"), twins.find("GET", "/Users")]).toEqual(["GET /USERS", "ambiguous"]);
    }
  });
});

test("several :name+ in a row do not multiply the work", () => {
  const { find } = routerOf(["GET /:a+/x/:b+/y/:c+/z"]);
  expect(find("GET", `/${"x/y/".repeat(1000)}no`)).toBe("not_found");
});

describe("a pattern is refused", () => {
  test.each([
    ["v1", "begins with a slash"],
    ["/a//b", "empty segments"],
    ["/a/*/b", "stands alone"],
    ["/a/b*", "stands alone"],
    ["/:a:b", "literal text between"],
    ["/:a/:a", "differ"],
    ["/:a+x", "stands alone"],
    ["/:1", "not followed by a name"],
    ["/a:", "not followed by a name"],
    ["/a b", "canonical"],
    ["/%61", "canonical"],
    ["/a?b", "canonical"],
    ["/a#b", "canonical"],
    ["/..", "canonical"],
    ["/a;b", "canonical"],
    ["/%2f", "canonical"],
  ])("%s: %s", (pattern, message) => {
    const parsed = parsePattern(pattern);
    expect("error" in parsed ? parsed.error : "accepted").toMatch(new RegExp(message));
  });
});

describe("below a :name+, whatever its length, the most specific pattern decides", () => {
  test.each([
    [["GET /:path+/admin/*", "GET /:path+/*"], "/x/y/admin/z", "GET /:path+/admin/* | x/y | z"],
    [["GET /:path+/b", "GET /:path+/:name/b"], "/x/b/b", "GET /:path+/b | x/b"],
    [["GET /:path+/raw", "GET /:path+"], "/x/raw/y/raw", "GET /:path+/raw | x/raw/y"],
    [["GET /:path+/raw", "POST /:path+/raw", "GET /:path+"], "/x/raw/y", "GET /:path+ | x/raw/y"],
    [["GET /:a+/x/:b+/y", "GET /:a+/:b+/y", "GET /:a+/x/:b+"], "/1/2/x/3/y", "GET /:a+/x/:b+/y | 1/2 | 3"],
    [["GET /:path+/a/:more+", "GET /:path+/b/:more+"], "/x/b/a/c", "GET /:path+/b/:more+ | x | a/c"],
    [["GET /:path+/v:n", "GET /:path+/:name/:other"], "/x/y/v1", "GET /:path+/v:n | x/y | 1"],
  ])("%j: %s", (keys, path, expected) => {
    expect(routerOf(keys).find("GET", path)).toBe(expected);
    expect(routerOf([...keys].reverse()).find("GET", path)).toBe(expected);
  });

  test.each([
    ["/:a/*", "/:a+"],
    ["/:a+/*", "/:a+"],
    ["/:a+/:b", "/:a/:b+"],
    ["/x/:a+/:b/*", "/x/:c/:d+"],
    ["/:a+/:b+", "/:a/:b/*"],
  ])("%s and %s say the same paths", (one, other) => {
    expect(routerOf([`GET ${one}`, `GET ${other}`]).conflicts).toEqual([`GET: GET ${one} / GET ${other}`]);
    expect(routerOf([`GET ${one}`, `POST ${other}`]).conflicts).toEqual([]);
  });

  test.each([
    ["/*", "/:a+"],
    ["/a/*", "/a/:b+"],
    ["/:a+/:b", "/:a+"],
    ["/:a+/b/:c", "/:a/b/:c+"],
    ["/x:a/*", "/x:a"],
    ["/:a+/x-:b", "/:a+/y-:b"],
    ["/:a+/b/:c", "/:a+/b/:c+"],
    ["/:a+/b", "/:a+/b/*"],
  ])("%s and %s do not", (one, other) => {
    expect(routerOf([`GET ${one}`, `GET ${other}`]).conflicts).toEqual([]);
  });

  test.each([
    ["several :name+ around each place", ["GET /:a+/m/:b+/n/:c+/o", "GET /:a+/m/:b+/p"], "/m/n"],
    ["mixed segments below a :name+", ["GET /:a+/:b...:c/y", "GET /:a+/q:b/:c..:d/z"], "/a..b"],
  ])("a path of very many segments costs no more than its length: %s", (_, keys, step) => {
    const { find } = routerOf(keys);
    expect(find("GET", step.repeat(30_000))).toBe("not_found");
  });

  test("looks at a path of many segments a bounded number of times", () => {
    const { find } = routerOf(["GET /:a+/x/:b+/x/:c+/x/:d+/x/:e+/y", "GET /:a+/:b+/:c+/:d+/:e+/:f+/z"]);
    expect(find("GET", `/${"x/".repeat(400)}q`)).toBe("not_found");
  });
});
