/** What ends a token stays true: for its successors, for the record, and when another entry is withdrawn. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, startApi } from "./api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.dispose());

const MANAGING = ["scopegate:tokens", "charges:read"];

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
/** `refresh` of the policy, and some time. */
const spread = () => sleep(1_600);
const use = async (token: string) => (await api.gateway.call(token, "GET", "/v1/charges")).status;
const statusOf = async (id: string) => (await api.call(api.reader, "GET", `/tokens/${id}`)).body.status;
const child = async (token: string) => {
  const { status, body } = await api.call(token, "POST", "/tokens", { name: "child", scopes: MANAGING });
  expect(status).toBe(201);
  return body;
};

describe("rotation", () => {
  test.each([{}, { overlap: "1h" }])(
    "of an ancestor by its descendant is refused and writes nothing (%j)",
    async (body) => {
      const parent = await api.gateway.token(MANAGING, { subject: "line" });
      const first = await child(parent);
      const second = await child(first.token);
      const third = await child(second.token);
      for (const { token } of [second, third]) {
        const answer = await api.call(token, "POST", `/tokens/${first.id}/rotate`, body);
        expect([answer.status, answer.body.reason, answer.body.errors[0].field]).toEqual([
          403,
          "grant_exceeds_issuer",
          "token",
        ]);
      }
      expect(await statusOf(first.id)).toBe("active");
      // Its own, its children and itself it may.
      expect((await api.call(second.token, "POST", `/tokens/${third.id}/rotate`)).status).toBe(201);
      expect((await api.call(first.token, "POST", `/tokens/${first.id}/rotate`)).status).toBe(201);
    },
  );

  test("by itself makes no root young again: its age and a cut-off see through it", async () => {
    const old = Math.floor(Date.now() / 1000) - 3600;
    const { id } = await api.issue(MANAGING, { subject: "root" });
    const token = await api.gateway.token(MANAGING, { subject: "root", claims: { jti: id, iat: old } });
    const rotated = await api.call(token, "POST", `/tokens/${id}/rotate`);
    expect(rotated.status).toBe(201);
    expect(decodeJwt(rotated.body.token)["auth_time"]).toBe(old);
    expect((await api.gateway.call(rotated.body.token, "GET", "/v1/fresh")).status).toBe(403);
    expect(await use(rotated.body.token)).toBe(200);

    const cutOff = new Date((old + 60) * 1000).toISOString();
    await api.call(api.admin, "POST", "/revocations", {
      kind: "subject",
      value: "root",
      issued_before: cutOff,
      reason: "stolen",
    });
    await spread();
    expect(await use(rotated.body.token)).toBe(401);
    expect(await statusOf(rotated.body.id)).toBe("revoked");
  });
});
