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

describe("DELETE of a token that something else has ended", () => {
  const endings = {
    "its subject's cut-off": async (subject: string, _parent: string) => {
      const entry = { kind: "subject", value: subject, reason: "mistaken" };
      return (await api.call(api.admin, "POST", "/revocations", entry)).body.sequence;
    },
    "its parent's end": async (_subject: string, parent: string) =>
      (await api.call(api.admin, "DELETE", `/tokens/${parent}`)).body.sequence,
  };

  test.each(Object.entries(endings))("outlives the withdrawal of %s", async (_name, end) => {
    const subject = crypto.randomUUID();
    const parent = await api.issue(MANAGING, { subject });
    const token = await child(parent.token);
    const sibling = await child(parent.token);
    const other = await end(subject, parent.id);

    const before = (await api.call(api.admin, "GET", "/audit?limit=200")).body.items.length;
    const answers = [];
    for (let time = 0; time < 3; time++) answers.push(await api.call(api.admin, "DELETE", `/tokens/${token.id}`));
    const [first] = answers;
    expect(answers.map(({ status, body }) => [status, body.sequence])).toEqual(
      answers.map(() => [200, first?.body.sequence]),
    );
    expect(first?.body.sequence).toBeGreaterThan(other);
    expect((await api.call(api.admin, "GET", "/audit?limit=200")).body.items.length).toBe(before + 1);

    expect((await api.call(api.admin, "DELETE", `/revocations/${other}`)).status).toBe(200);
    await spread();
    expect([await use(token.token), await statusOf(token.id)]).toEqual([401, "revoked"]);
    expect([await use(sibling.token), await statusOf(sibling.id)]).toEqual([200, "active"]);
  });

  test("comes again after its own entry was withdrawn, by the API or by hand", async () => {
    const db = await api.gateway.db();
    const byHand = `INSERT INTO revocations (kind, issuer, value, issued_before, effective_at, expires_at, reason, created_at, created_by, withdraws)
      SELECT kind, issuer, value, issued_before, effective_at, expires_at, 'withdrawn by hand', unixepoch(), 'operator', sequence
      FROM revocations WHERE sequence = ?`;
    const { id, token } = await api.issue(["charges:read"]);
    const remove = async () => (await api.call(api.admin, "DELETE", `/tokens/${id}`)).body.sequence;
    const first = await remove();
    await api.call(api.admin, "DELETE", `/revocations/${first}`);
    const second = await remove();
    await db.prepare(byHand).bind(second).run();
    const third = await remove();
    expect([first, second, third]).toEqual([...new Set([first, second, third])].sort((left, right) => left - right));
    await spread();
    expect(await use(token)).toBe(401);
  });
});

describe("a cut-off that comes before the token", () => {
  const hour = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();

  test.each<[string, object, "revoked" | "active"]>([
    ["of the subject for good", {}, "revoked"],
    ["of the subject's tokens up to an hour ahead", { issued_before: hour(1) }, "revoked"],
    ["of the subject's tokens up to an hour ago", { issued_before: hour(-1) }, "active"],
    ["of the same name at another issuer", { issuer: "https://login.example.com/" }, "active"],
  ])("%s is in the new record at once, and goes with its withdrawal", async (_name, more, status) => {
    const subject = crypto.randomUUID();
    const entry = { kind: "subject", value: subject, reason: "left", ...more };
    const { body: added } = await api.call(api.admin, "POST", "/revocations", entry);
    const issued = await api.call(api.admin, "POST", "/tokens", { name: "n", scopes: ["charges:read"], subject });
    expect([issued.status, issued.body.status]).toEqual([201, status]);
    await spread();
    expect(await use(issued.body.token)).toBe(status === "active" ? 200 : 401);
    await api.call(api.admin, "DELETE", `/revocations/${added.sequence}`);
    expect(await statusOf(issued.body.id)).toBe("active");
  });
});

test("a cut-off of this gateway up to now ends what was issued, and lets in what comes", async () => {
  const fresh = await startApi();
  try {
    const { token } = await fresh.issue(["charges:read"]);
    await sleep(1_100);
    const entry = { kind: "issuer", value: "https://gateway.example.com", reason: "leaked" };
    const now = new Date().toISOString();
    expect((await fresh.call(fresh.admin, "POST", "/revocations", { ...entry, issued_before: now })).status).toBe(201);
    await spread();
    const later = await fresh.gateway.token(["scopegate:admin", "charges:read"]);
    const answers = [token, fresh.admin, later].map((one) => fresh.gateway.call(one, "GET", "/v1/charges"));
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([401, 401, 200]);

    const whole = await fresh.call(later, "POST", "/revocations", entry);
    expect(whole.status).toBe(201);
    expect(whole.body).toMatchObject({ warning: expect.stringContaining("none of its own can withdraw it") });
  } finally {
    await fresh.dispose();
  }
});
