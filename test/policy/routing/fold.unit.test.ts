import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldCase, foldEscapes } from "../../../src/policy/routing/fold.ts";
import { parsePattern } from "../../../src/policy/routing/pattern.ts";
import { createRouter, type RoutePattern } from "../../../src/policy/routing/router.ts";

function routePattern(key: string): RoutePattern {
  const [method = "", path = ""] = key.split(" ");
  const pattern = parsePattern(path);
  if ("error" in pattern) throw new Error(pattern.error);
  const route = { key, target: "origin", methods: [method], pattern: path } as unknown as RoutePattern["route"];
  return { route, pattern };
}

function find(keys: readonly string[], path: string, caseSensitivePaths = false): string {
  const router = createRouter(keys.map(routePattern), [], {
    adminPath: "/_scopegate",
    caseSensitivePaths,
    onConflict: () => undefined,
  });
  const found = router.find("GET", path);
  return found.kind === "found" ? found.route.key : found.kind;
}

describe.each([
  ["an origin that does not tell cases apart", false],
  ["one that does", true],
])("%s", (_name, caseSensitive) => {
  const keys = ["GET /users/@me", "GET /users/:id", "GET /@:scope/:name", "GET /:name/:version", "GET /files/*"];

  test.each([
    ["an escaped @ around a narrower route", "/users/%40me"],
    ["one within a mixed segment", "/%40acme/x"],
  ])("is not reached with %s", (_attack, path) => {
    expect(find(keys, path, caseSensitive)).toBe("ambiguous");
  });

  test.each([
    ["/users/@me", "GET /users/@me"],
    ["/users/%40you", "GET /users/:id"],
    ["/users/you%40example.com", "GET /users/:id"],
    ["/files/a%40b/%2C", "GET /files/*"],
    ["/users/%E2%82%AC", "GET /users/:id"],
  ])("is reached at %s", (path, key) => {
    expect(find(keys, path, caseSensitive)).toBe(key);
  });

  test("is reached at a route that is itself written with an escape", () => {
    expect(find(["GET /a/%40me", "GET /b"], "/a/%40me", caseSensitive)).toBe("GET /a/%40me");
  });
});

test.each([
  ["a long s", "/v1/%C5%BFecrets"],
  ["the Kelvin sign", "/v1/%E2%84%AAeys"],
  ["a dotless i", "/v1/%C4%B1tems"],
])("letters that an origin may fold to ASCII go around no route: %s", (_name, path) => {
  const keys = ["GET /v1/secrets", "GET /v1/keys", "GET /v1/items", "GET /v1/*"];
  expect(find(keys, path)).toBe("ambiguous");
  expect(find(keys, path, true)).toBe("GET /v1/*");
});

const path = fc
  .string({ unit: fc.constantFrom(..."aZ@,/é", "İ", "ſ", "ß", "K", "%", ":", "€", "😀", "'") })
  .map((text) => `/${text.split("/").map(encodeURIComponent).join("/")}`);

test.each([
  ["foldCase", foldCase],
  ["foldEscapes", foldEscapes],
])("%s: twice is once, and slashes stay where they are", (_name, fold) => {
  fc.assert(
    fc.property(path, (written) => {
      const once = fold(written);
      expect(fold(once)).toBe(once);
      expect(once.split("/").length).toBe(written.split("/").length);
    }),
    { numRuns: 2000 },
  );
});
