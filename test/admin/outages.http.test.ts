/** The admin API while D1 hangs: every call is answered. One that is not runs into the test's own time limit. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { FAULTY_ENTRY, setFaults } from "../support/faulty-bindings.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { POLICY } from "./policy.ts";

let gateway: Gateway;
let admin: string;
beforeAll(async () => {
  const patient = POLICY.replace('refresh = "1s"', 'refresh = "60s"\nmax_staleness = "120s"');
  gateway = await startGateway({ policy: patient, entry: FAULTY_ENTRY });
  admin = await gateway.token(["scopegate:admin"]);
  expect((await gateway.call(admin, "GET", "/_scopegate/tokens")).status).toBe(200);
  await setFaults(gateway, { db: "hang" });
});
afterAll(() => gateway.dispose());

test.concurrent.each([
  ["GET", "/tokens", 500],
  ["GET", "/tokens/x", 500],
  ["GET", "/revocations", 500],
  ["GET", "/revocations/1", 500],
  ["GET", "/audit", 500],
  ["GET", "/scopes", 500],
  // Writes ask first whether the caller is revoked.
  ["POST", "/tokens", 503],
  ["DELETE", "/tokens/x", 503],
])("%s %s is answered while D1 hangs", async (method, path, status) => {
  const body = method === "POST" ? { name: "n", scopes: ["charges:read"] } : undefined;
  expect((await gateway.call(admin, method, `/_scopegate${path}`, body)).status).toBe(status);
});
