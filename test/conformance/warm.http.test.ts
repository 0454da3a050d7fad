/** A warm request asks nobody: neither D1, nor KV, nor the issuer. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eachOf } from "../support/each-of.ts";
import { FAULTY_ENTRY, setFaults } from "../support/faulty-bindings.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { type Issuer, startIssuer } from "../support/issuer.ts";
import { AUDIENCE, policyText } from "../support/policy-text.ts";

const REQUESTS = 300;
/** Uses are written behind responses, up to four seconds later. */
const QUIET_MILLISECONDS = 5_000;

let gateway: Gateway;
let issuer: Issuer;
/** Of this gateway with a list, of the other issuer, without the scope, and for the strict route; each asked once. */
let tokens: Record<"own" | "other" | "poor" | "strict", string>;

beforeAll(async () => {
  issuer = await startIssuer({ audience: AUDIENCE, scopes: ["charges:read"] });
  gateway = await startGateway({
    entry: FAULTY_ENTRY,
    policy: policyText({
      revocation: 'refresh = "10m"\nmax_staleness = "20m"',
      tables: `[[issuers]]\nissuer = "${issuer.issuer}"\naudience = "${AUDIENCE}"\n`,
      scopes: ["charges:read", "charges:write"],
      routes: {
        "GET /open": "{ public = true }",
        "GET /v1/charges": '"charges:read"',
        "GET /v1/charges/:charge": '{ all = ["charges:read"], resource = "charge:{charge}" }',
        "GET /v1/strict": '{ all = ["charges:read"], resource = [], revocation = "strict" }',
      },
    }),
  });
  tokens = {
    own: await gateway.token("charges:read", { claims: { allow_list: ["charge:1"] } }),
    other: await issuer.token("charges:read", "RS256"),
    poor: await gateway.token("charges:write"),
    strict: await gateway.token("charges:read"),
  };
});

afterAll(async () => {
  await gateway?.dispose();
  await issuer?.close();
});

/** Waits until nothing is asked any more. */
async function settle(): Promise<void> {
  let before = await setFaults(gateway);
  for (let quiet = 0; quiet < QUIET_MILLISECONDS; quiet += 500) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = await setFaults(gateway);
    if (before.db !== after.db || before.kv !== after.kv) quiet = 0;
    before = after;
  }
}

async function get(path: string, token: string): Promise<number> {
  const response = await gateway.call(token, "GET", path);
  await response.arrayBuffer();
  return response.status;
}

async function many(path: string, token: string, status: number): Promise<void> {
  await eachOf(Array.from({ length: REQUESTS }), 16, async () => expect(await get(path, token)).toBe(status));
}

test("first requests ask D1, so that the counting is seen to count", async () => {
  expect((await setFaults(gateway)).db).toBe(0);
  expect(await get("/v1/charges/1", tokens.own)).toBe(200);
  expect(await get("/v1/charges", tokens.other)).toBe(200);
  expect(await get("/v1/charges", tokens.poor)).toBe(403);
  expect(await get("/v1/strict", tokens.strict)).toBe(200);
  await settle();
  expect((await setFaults(gateway)).db).toBeGreaterThan(1);
});

test("300 requests with one warm token make no call to D1 and none to KV", async () => {
  const before = await setFaults(gateway);
  await many("/v1/charges/1", tokens.own, 200);
  expect(await setFaults(gateway)).toEqual(before);
});

test("300 requests with another issuer's warm token ask neither D1, nor KV, nor the issuer", async () => {
  const before = await setFaults(gateway);
  const looked = issuer.asked.length;
  await many("/v1/charges", tokens.other, 200);
  expect(await setFaults(gateway)).toEqual(before);
  expect(issuer.asked.length).toBe(looked);
});

test("refusals and public routes ask nobody either", async () => {
  const before = await setFaults(gateway);
  await many("/v1/charges", tokens.poor, 403);
  await many("/v1/charges", "not.a.token", 401);
  await many("/nowhere", tokens.poor, 404);
  await many("/open", tokens.poor, 200);
  expect(await setFaults(gateway)).toEqual(before);
});

test('a route with revocation = "strict" asks D1 once on each request', async () => {
  const before = await setFaults(gateway);
  for (let count = 0; count < 5; count++) expect(await get("/v1/strict", tokens.strict)).toBe(200);
  const after = await setFaults(gateway);
  expect(after.db - before.db).toBe(5);
});

test("300 different tokens of this gateway, never seen before, are decided without KV, and their uses written in batches", async () => {
  const fresh = await Promise.all(Array.from({ length: REQUESTS }, () => gateway.token("charges:read")));
  const before = await setFaults(gateway);
  await eachOf(fresh, 16, async (token) => expect(await get("/v1/charges", token)).toBe(200));
  const after = await setFaults(gateway);
  expect(after.kv).toBe(before.kv);
  expect(after.db - before.db).toBeLessThan(10);
});
