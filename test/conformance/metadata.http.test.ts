/** What the gateway says of itself to anybody: its keys, its metadata, its health. */
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Gateway, makeSigningKey, startGateway } from "../support/gateway.ts";
import { AUDIENCE, PUBLIC_URL, policyText } from "../support/policy-text.ts";

const KEYS = "/.well-known/jwks.json";
const METADATA = "/.well-known/oauth-protected-resource";
const HEALTH = "/_scopegate/health";

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway({
    signingKeys: [await makeSigningKey("EdDSA"), await makeSigningKey("ES256")],
    policy: policyText({
      tables: `[[issuers]]\nissuer = "https://login.example.com/"\naudience = "${AUDIENCE}"\n`,
      scopes: ["charges:read", "charges:write"],
      routes: { "GET /v1/charges": '"charges:read"', "* /*": '"charges:write"' },
    }),
  });
});

afterAll(() => gateway?.dispose());

describe("the key set", () => {
  test("has the public halves of all signing keys, and nothing of the private ones (RFC 7517 §5)", async () => {
    const response = await gateway.fetch(KEYS);
    expect(response.headers.get("content-type")).toBe("application/jwk-set+json");
    expect(response.headers.get("cache-control")).toMatch(/max-age=\d+/);
    const text = await response.text();
    const { keys } = JSON.parse(text) as { keys: Record<string, unknown>[] };
    expect(keys.map(({ kid }) => kid)).toEqual(gateway.signingKeys.map(({ kid }) => kid));
    for (const [position, key] of keys.entries()) {
      const { d } = gateway.signingKeys[position] ?? {};
      expect(text).not.toContain(d);
      expect(
        Object.keys(key).filter((member) => ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].includes(member)),
      ).toEqual([]);
      expect(key).toMatchObject({ use: "sig", alg: expect.any(String), kid: expect.any(String) });
    }
  });

  test("verifies what the gateway issues (RFC 9068 §4)", async () => {
    const admin = await gateway.token("scopegate:admin");
    const issued = await gateway.call(admin, "POST", "/_scopegate/tokens", { name: "a", scopes: ["charges:read"] });
    expect(issued.status).toBe(201);
    const { token } = (await issued.json()) as { token: string };
    const set = createLocalJWKSet(await (await gateway.fetch(KEYS)).json());
    const { payload, protectedHeader } = await jwtVerify(token, set, { issuer: PUBLIC_URL, audience: AUDIENCE });
    expect(protectedHeader).toMatchObject({ typ: "at+jwt", kid: gateway.signingKeys[0]?.kid });
    expect(payload).toMatchObject({ scope: "charges:read", client_id: expect.any(String), jti: expect.any(String) });
    expect((await gateway.call(token, "GET", "/v1/charges")).status).toBe(200);
  });
});

describe("the metadata of the protected resource", () => {
  test("has the members of RFC 9728 §2, and the resource is the gateway itself (§3.3)", async () => {
    const response = await gateway.fetch(METADATA);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toMatchObject({
      resource: PUBLIC_URL,
      authorization_servers: ["https://login.example.com/"],
      jwks_uri: `${PUBLIC_URL}${KEYS}`,
      bearer_methods_supported: ["header"],
      scopes_supported: ["charges:read", "charges:write"],
    });
  });

  test("is where the challenge says (RFC 9728 §5.1)", async () => {
    const challenge = (await gateway.fetch("/v1/charges")).headers.get("www-authenticate") ?? "";
    const [, url] = /resource_metadata="([^"]+)"/.exec(challenge) ?? [];
    expect(challenge).toMatch(/^Bearer /);
    expect(url).toBe(`${PUBLIC_URL}${METADATA}`);
  });

  test("says nothing of the admin API's scopes", async () => {
    expect(await (await gateway.fetch(METADATA)).text()).not.toContain("scopegate:");
  });
});

describe("health", () => {
  test("says how old the knowledge of revocations is, and is never cached", async () => {
    await gateway.call(await gateway.token("charges:read"), "GET", "/v1/charges");
    const response = await gateway.fetch(HEALTH);
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(await response.json()).toMatchObject({
      status: "ok",
      revocation: { sequence: expect.any(Number), age_seconds: expect.any(Number) },
    });
  });
});

describe.each([KEYS, METADATA, HEALTH, "/_scopegate/problems/token_missing"])("%s", (path) => {
  test("is served without a token, and with one that nobody would believe", async () => {
    for (const headers of [{}, { Authorization: "Bearer not.a.token" }])
      expect((await gateway.fetch(path, { headers })).status).toBe(200);
  });

  test("answers HEAD, and 405 to what would change it (RFC 9110 §15.5.6)", async () => {
    expect((await gateway.fetch(path, { method: "HEAD" })).status).toBe(200);
    for (const method of ["POST", "PUT", "DELETE"]) {
      const response = await gateway.fetch(path, { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    }
  });
});

describe("what lies beside them", () => {
  test.each(["/.well-known/nothing", "/.well-known", "/_scopegate", "/_scopegate/nothing", "/_scopegate/tokens/a/b"])(
    "%s is not the origin's, even where the policy maps everything",
    async (path) => {
      const all = await gateway.token("charges:write");
      expect(await (await gateway.call(all, "GET", path)).json()).toMatchObject({
        status: 404,
        reason: "route_not_found",
      });
    },
  );

  test.each(["/_SCOPEGATE/health", "/_Scopegate/tokens", "/.Well-Known/jwks.json"])(
    "%s reaches neither the gateway's own routes nor, by its case, the origin",
    async (path) => {
      const response = await gateway.call(await gateway.token("charges:write scopegate:admin"), "GET", path);
      expect(await response.json()).toMatchObject({ status: 400, reason: "ambiguous_path" });
    },
  );

  test("the admin API's description is for its callers (OpenAPI 3.1)", async () => {
    expect((await gateway.fetch("/_scopegate/openapi.json")).status).toBe(401);
    const response = await gateway.call(await gateway.token("scopegate:read"), "GET", "/_scopegate/openapi.json");
    expect(await response.json()).toMatchObject({ openapi: expect.stringMatching(/^3\.1/), paths: expect.any(Object) });
  });
});
