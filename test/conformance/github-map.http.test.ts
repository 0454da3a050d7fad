/**
 * GitHub's REST API behind the gateway: for each of its operations a request with the right scope, one with every scope but
 * that, and one whose allow list is for somebody else.
 */
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { githubOperations, githubPolicy, resourceOf, scopeOf } from "../../scripts/github-policy.ts";
import { eachOf } from "../support/each-of.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { filled } from "../support/github.ts";
import { githubPermissionPolicy, PERMISSIONS_FILE, permissionRoutes } from "../support/github-permissions.ts";
import { PUBLIC_URL } from "../support/policy-text.ts";

const WIDTH = 24;
const operations = githubOperations();
const allScopes = [...new Set(operations.map(scopeOf))];

let gateway: Gateway;
let origin: Server;
/** What reached the origin, `METHOD target`. */
let received: string[] = [];

beforeAll(async () => {
  origin = createServer((request, response) => {
    received.push(`${request.method} ${request.url}`);
    request.resume().on("end", () => response.end());
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  gateway = await start(githubPolicy(operations, PUBLIC_URL));
});

afterAll(async () => {
  await gateway?.dispose();
  origin?.closeAllConnections();
  origin?.close();
});

test("forwards each operation, at its own path to the letter, for a token with its scope alone", async () => {
  received = [];
  const tokens = await tokensBy(allScopes, (scope) => [scope]);
  const wanted: string[] = [];
  await eachOf(operations, WIDTH, async (operation) => {
    const path = `${filled(operation.template, operation.multiSegment)}?q=a%20b`;
    wanted.push(`${operation.method} ${path}`);
    const response = await gateway.call(tokens.get(scopeOf(operation)) ?? "", operation.method, path);
    await response.arrayBuffer();
    expect(response.status, `${operation.method} ${path}`).toBe(200);
  });
  expect(received.toSorted()).toEqual(wanted.toSorted());
});

test("refuses each operation with a 403 that names its scope, for a token with every other scope", async () => {
  received = [];
  const tokens = await tokensBy(allScopes, (scope) => allScopes.filter((other) => other !== scope));
  await eachOf(operations, WIDTH, async (operation) => {
    const scope = scopeOf(operation);
    const path = filled(operation.template, operation.multiSegment);
    const response = await gateway.call(tokens.get(scope) ?? "", operation.method, path);
    const problem = await response.json();
    expect(response.status, `${operation.method} ${path}`).toBe(403);
    expect(problem).toMatchObject({ reason: "scope_insufficient", required_scopes: [scope] });
    expect(response.headers.get("www-authenticate")).toContain(`error="insufficient_scope", scope="${scope}"`);
  });
  expect(received).toEqual([]);
});

test("refuses an owner, organization or enterprise that the token's allow list does not name", async () => {
  received = [];
  const allowList = { allow_list: ["owner:somebody-else", "org:somebody-else", "enterprise:somebody-else"] };
  const token = await gateway.token(allScopes, { claims: allowList });
  const touching = operations.filter(({ template }) => resourceOf(template) !== null);
  expect(touching.length).toBeGreaterThan(500);
  await eachOf(touching, WIDTH, async (operation) => {
    const path = filled(operation.template, operation.multiSegment);
    const response = await gateway.call(token, operation.method, path);
    expect(await response.json()).toMatchObject({ reason: "resource_not_allowed", status: 403 });
  });
  expect(received).toEqual([]);
});

describe.skipIf(!existsSync(PERMISSIONS_FILE))("GitHub's table of permissions (../shared)", () => {
  test("opens a route to each of its permissions alone, and to no other", async () => {
    const routes = permissionRoutes();
    const scopes = [...new Set(routes.flatMap(({ alternatives }) => alternatives))];
    const other = await start(githubPermissionPolicy(routes, PUBLIC_URL));
    try {
      const tokens = await tokensBy(scopes, (scope) => [scope]);
      const allowed = routes.flatMap((route) => route.alternatives.map((scope) => ({ route, scope })));
      received = [];
      await eachOf(allowed, WIDTH, async ({ route, scope }) => {
        const response = await other.call(tokens.get(scope) ?? "", route.method, filled(route.template));
        await response.arrayBuffer();
        expect(response.status, `${route.method} ${route.template} with ${scope}`).toBe(200);
      });
      expect(received).toHaveLength(allowed.length);
      received = [];
      const without = new Map<string, Promise<string>>();
      await eachOf(routes, WIDTH, async (route) => {
        const key = route.alternatives.join(" ");
        const rest = scopes.filter((scope) => !route.alternatives.includes(scope));
        const made = without.get(key) ?? other.token(rest);
        without.set(key, made);
        const response = await other.call(await made, route.method, filled(route.template));
        expect(await response.json()).toMatchObject({ status: 403, required_scopes: route.alternatives });
      });
      expect(received).toEqual([]);
    } finally {
      await other.dispose();
    }
  });
});

function start(policy: string): Promise<Gateway> {
  const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  const keys = gateway === undefined ? {} : { signingKeys: gateway.signingKeys };
  return startGateway({ policy, origin: null, bindings: { ORIGIN_URL: url }, ...keys });
}

async function tokensBy(scopes: readonly string[], granted: (scope: string) => string[]): Promise<Map<string, string>> {
  const entries = scopes.map(async (scope) => [scope, await gateway.token(granted(scope))] as const);
  return new Map(await Promise.all(entries));
}
