import { expect, test } from "vitest";
import { loadPolicy } from "../../../src/policy/load.ts";
import { policyText } from "../../support/policy-text.ts";

const loaded = loadPolicy(policyText({ gateway: 'admin_path = "/gate"', routes: { "GET /x": "{ public = true }" } }));
if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
const { router } = loaded.policy;

function routeOf(call: string) {
  const [method = "", path = ""] = call.split(" ");
  const found = router.find(method, path);
  if (found.kind !== "found") throw new Error(`${call}: ${found.kind}`);
  return found.route;
}

const ALL = ["scopegate:admin", "scopegate:read", "scopegate:tokens"];
const SEE = ["scopegate:admin", "scopegate:read"];
const ISSUE = ["scopegate:admin", "scopegate:tokens"];
const ADMIN = ["scopegate:admin"];

// What changes something asks D1 itself whether the caller was revoked; what only shows or explains does not.
test.each<[call: string, scopes: string[], strict: boolean]>([
  ["POST /gate/tokens", ISSUE, true],
  ["GET /gate/tokens", ALL, false],
  ["GET /gate/tokens/abc", ALL, false],
  ["DELETE /gate/tokens/abc", ISSUE, true],
  ["POST /gate/tokens/abc/rotate", ISSUE, true],
  ["POST /gate/revocations", ADMIN, true],
  ["GET /gate/revocations", SEE, false],
  ["GET /gate/revocations/7", SEE, false],
  ["DELETE /gate/revocations/7", ADMIN, true],
  ["GET /gate/scopes", SEE, false],
  ["GET /gate/routes", SEE, false],
  ["POST /gate/explain", SEE, false],
  ["GET /gate/audit", SEE, false],
  ["GET /gate/openapi.json", ALL, false],
])("%s needs one of %j, and asks D1: %j", (call, scopes, strict) => {
  const route = routeOf(call);
  if (route.requirement.kind !== "scopes") throw new Error("needs no scope");
  expect(route.requirement.alternatives.map(({ scopes }) => scopes.map(({ name }) => name))).toEqual(
    scopes.map((name) => [name]),
  );
  expect(route.requirement.names).toEqual(scopes);
  expect(route.strictRevocation).toBe(strict);
  expect(route).toMatchObject({ target: "admin", resources: [], encodedSlash: false, unboundedConnection: false });
});

test.each(["/.well-known/jwks.json", "/.well-known/oauth-protected-resource", "/gate/health", "/gate/problems/x"])(
  "GET %s needs no token",
  (path) => {
    expect(routeOf(`GET ${path}`)).toMatchObject({
      target: "gateway",
      requirement: { kind: "public" },
      resources: null,
      strictRevocation: false,
    });
  },
);

test.each(["POST /gate/health", "PUT /gate/tokens", "GET /gate", "GET /gate/other", "GET /.well-known/other"])(
  "%s is nobody's, whatever the operator maps",
  (call) => {
    const [method = "", path = ""] = call.split(" ");
    expect(router.find(method, path).kind).not.toBe("found");
  },
);
