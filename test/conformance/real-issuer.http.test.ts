/**
 * A real issuer (`oidc-provider`): the gateway finds its keys, follows their rotation and outlives its outages.
 * One gateway, and an issuer of its own for each test: what an isolate knows of an issuer is what is tested.
 */
import { afterAll, beforeAll, describe, test } from "vitest";
import { type Echo, type Gateway, startGateway } from "../support/gateway.ts";
import { type Issuer, startIssuer } from "../support/issuer.ts";
import { AUDIENCE, policyText } from "../support/policy-text.ts";

const SCOPES = ["charges:read", "charges:write"];
const NAMES = ["rsa", "ec", "discovered", "elsewhere", "rotating", "unknown", "outage", "late", "down"] as const;

let issuers: Record<(typeof NAMES)[number], Issuer>;
let gateway: Gateway;

beforeAll(async () => {
  const started = NAMES.map(async (name) => {
    const audience = name === "elsewhere" ? "https://other.example.com" : AUDIENCE;
    return [name, await startIssuer({ audience, scopes: SCOPES })] as const;
  });
  issuers = Object.fromEntries(await Promise.all(started)) as typeof issuers;
  const tables = Object.values(issuers).map(
    ({ issuer }) => `[[issuers]]\nissuer = "${issuer}"\naudience = "${AUDIENCE}"\n`,
  );
  gateway = await startGateway({
    policy: policyText({
      tables: tables.join("\n"),
      scopes: SCOPES,
      routes: { "GET /v1/charges": '"charges:read"', "POST /v1/charges": '"charges:write"' },
    }),
  });
});

afterAll(async () => {
  await gateway?.dispose();
  await Promise.all(Object.values(issuers ?? {}).map((issuer) => issuer.close()));
});

describe.concurrent("a real issuer", () => {
  test.for([
    ["RS256", "rsa"],
    ["ES256", "ec"],
  ] as const)("its %s tokens are believed, and their scopes decide", async ([algorithm, name], { expect }) => {
    const issuer = issuers[name];
    const token = await issuer.token("charges:read", algorithm);
    const allowed = await gateway.call(token, "GET", "/v1/charges");
    expect(allowed.status).toBe(200);
    const { headers } = (await allowed.json()) as Echo;
    expect(headers).toMatchObject({
      "x-scopegate-issuer": issuer.issuer,
      "x-scopegate-subject": "machine",
      "x-scopegate-client": "machine",
      "x-scopegate-scopes": "charges:read",
    });
    const refused = await gateway.call(token, "POST", "/v1/charges");
    expect(await refused.json()).toMatchObject({ status: 403, required_scopes: ["charges:write"] });
  });

  test("its keys are discovered once, not for every token (OpenID Connect Discovery 1.0 §4)", async ({ expect }) => {
    const issuer = issuers.discovered;
    for (let count = 0; count < 5; count++) {
      expect((await gateway.call(await issuer.token("charges:read"), "GET", "/v1/charges")).status).toBe(200);
    }
    const looked = issuer.asked.filter((path) => path !== "/token");
    expect(looked).toEqual(["/.well-known/openid-configuration", "/jwks"]);
  });

  test("its tokens for another audience are refused (RFC 8725 §3.9)", async ({ expect }) => {
    const issuer = issuers.elsewhere;
    const response = await gateway.call(await issuer.token("charges:read"), "GET", "/v1/charges");
    expect(await response.json()).toMatchObject({ status: 401, reason: "token_invalid" });
  });

  test("a rotation of its keys is followed at once, without a restart", async ({ expect }) => {
    const issuer = issuers.rotating;
    const before = await issuer.token("charges:read");
    expect((await gateway.call(before, "GET", "/v1/charges")).status).toBe(200);
    await issuer.rotate();
    for (const algorithm of ["ES256", "RS256"] as const) {
      const after = await issuer.token("charges:read", algorithm);
      expect((await gateway.call(after, "GET", "/v1/charges")).status).toBe(200);
    }
    const old = await gateway.call(before, "GET", "/v1/charges");
    expect(await old.json()).toMatchObject({ status: 401, reason: "token_invalid" });
  });

  test("unknown keys make it look once in 30 seconds, however many come", async ({ expect }) => {
    const issuer = issuers.unknown;
    expect((await gateway.call(await issuer.token("charges:read"), "GET", "/v1/charges")).status).toBe(200);
    await issuer.rotate();
    const made = Array.from({ length: 10 }, () => issuer.token("charges:read"));
    const [first] = await Promise.all(made);
    await issuer.rotate();
    const before = issuer.asked.filter((path) => path === "/jwks").length;
    const answers = await Promise.all(
      (await Promise.all(made)).map((token) => gateway.call(token, "GET", "/v1/charges")),
    );
    expect(answers.map(({ status }) => status)).toEqual(made.map(() => 401));
    expect((await gateway.call(first ?? "", "GET", "/v1/charges")).status).toBe(401);
    expect(issuer.asked.filter((path) => path === "/jwks").length - before).toBe(1);
  });

  test("tokens go on being believed while it is down, once its keys were read", async ({ expect }) => {
    const issuer = issuers.outage;
    const [one, two] = [await issuer.token("charges:read"), await issuer.token("charges:read")];
    expect((await gateway.call(one, "GET", "/v1/charges")).status).toBe(200);
    await issuer.down();
    expect((await gateway.call(one, "GET", "/v1/charges")).status).toBe(200);
    expect((await gateway.call(two, "GET", "/v1/charges")).status).toBe(200);
  });

  test("down from the beginning, it is an outage and no refusal, and over when it comes up", async ({ expect }) => {
    const issuer = issuers.late;
    const token = await issuer.token("charges:read");
    await issuer.down();
    const response = await gateway.call(token, "GET", "/v1/charges");
    expect(await response.json()).toMatchObject({ status: 503, reason: "keys_unavailable" });
    const seconds = Number(response.headers.get("retry-after"));
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(30);
    expect(response.headers.get("www-authenticate")).toBeNull();
    await issuer.up();
    await expect.poll(async () => (await gateway.call(token, "GET", "/v1/charges")).status, POLL).toBe(200);
  });

  test("its outage does not touch the tokens of others", async ({ expect }) => {
    const issuer = issuers.down;
    await issuer.down();
    expect((await gateway.call(await gateway.token("charges:read"), "GET", "/v1/charges")).status).toBe(200);
  });
});

/** An issuer that has just failed is not asked again for five seconds. */
const POLL = { interval: 500, timeout: 20_000 };
