/** GitHub's REST API as a policy: a map that nobody drew for this router. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { githubOperations, githubPolicy, routeKeyOf, scopeOf } from "../../scripts/github-policy.ts";
import { faultText, loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { filled } from "../support/github.ts";
import { githubPermissionPolicy, PERMISSIONS_FILE, permissionRoutes } from "../support/github-permissions.ts";

const ROUTES_FILE = "../shared/corpora/github/openapi-routes.json";
const operations = githubOperations();

describe("GitHub's REST API", () => {
  test("has over a thousand operations, and its policy loads without a fault", () => {
    expect(operations.length).toBeGreaterThan(1000);
    expect(load(githubPolicy(operations, "https://api.example.com")).routes).toHaveLength(operations.length);
  });

  test("finds, for a path of each operation, that operation's route and no other", () => {
    const { router } = load(githubPolicy(operations, "https://api.example.com"));
    for (const { method, template, multiSegment } of operations) {
      const found = router.find(method, filled(template, multiSegment));
      expect(found.kind === "found" ? found.route.key : found.kind).toBe(routeKeyOf(method, template, multiSegment));
    }
  });

  test("gives each name what the request said, whole segments and several of them", () => {
    const { router } = load(githubPolicy(operations, "https://api.example.com"));
    const contents = router.find("GET", "/repos/octo/cat/contents/docs/a/b.md");
    expect(contents).toMatchObject({ kind: "found", values: ["octo", "cat", "docs/a/b.md"] });
    const compare = router.find("GET", "/repos/octo/cat/compare/main...next");
    expect(compare).toMatchObject({ kind: "found" });
    const refs = router.find("GET", "/repos/octo/cat/commits/heads/main/check-runs");
    expect(refs).toMatchObject({ kind: "found", values: ["octo", "cat", "heads/main"] });
  });

  test.skipIf(!existsSync(ROUTES_FILE))("agrees with ../shared's projection of the same document", () => {
    const { routes } = JSON.parse(readFileSync(ROUTES_FILE, "utf8")) as {
      routes: { method: string; path: string; category: string }[];
    };
    const said = (method: string, path: string, scope: string) => `${method} ${path} ${scope}`;
    expect(operations.map((o) => said(o.method, o.template, o.category)).toSorted()).toEqual(
      routes.map((r) => said(r.method, r.path, r.category)).toSorted(),
    );
    expect(new Set(operations.map(scopeOf)).size).toBeGreaterThan(80);
  });
});

describe.skipIf(!existsSync(PERMISSIONS_FILE))("GitHub's table of permissions (../shared)", () => {
  test("loads as a policy of alternatives without a fault", () => {
    const routes = permissionRoutes();
    expect(routes.length).toBeGreaterThan(600);
    expect(routes.filter(({ alternatives }) => alternatives.length > 1).length).toBeGreaterThan(50);
    expect(load(githubPermissionPolicy(routes, "https://api.example.com")).routes).toHaveLength(routes.length);
  });
});

function load(text: string): Policy {
  const loaded = loadPolicy(text);
  if (!loaded.ok) throw new Error(loaded.faults.map((fault) => faultText(fault)).join("\n"));
  return loaded.policy;
}
