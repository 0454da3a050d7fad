/** Tokens of this gateway that are issued under another issuer's: bound to it as children are to any parent. */
import { decodeJwt, SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { POLICY } from "./policy.ts";

const LOGIN = "https://login.example.com/";
const PLAIN = "https://plain.example.com/";
const PARTNER = "https://partner.example.com/";
const SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef";
const issuers = `
[[issuers]]
issuer     = "${LOGIN}"
audience   = "https://api.example.com"
algorithms = ["HS256"]
secret     = "LOGIN_SECRET"
admin      = true
[[issuers]]
issuer     = "${PARTNER}"
audience   = "https://api.example.com"
algorithms = ["HS256"]
secret     = "LOGIN_SECRET"
admin      = true
[[issuers]]
issuer     = "${PLAIN}"
audience   = "https://api.example.com"
algorithms = ["HS256"]
secret     = "LOGIN_SECRET"
`;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ policy: POLICY + issuers, bindings: { LOGIN_SECRET: SECRET } });
});
afterAll(() => gateway.dispose());

function login(claims: object, issuer = LOGIN): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    iss: issuer,
    aud: "https://api.example.com",
    sub: "ann",
    iat: now - 60,
    exp: now + 600,
    ...claims,
  })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .sign(new TextEncoder().encode(SECRET));
}

async function statusAfter(token: string, wanted: number): Promise<number> {
  let status = 0;
  for (let attempt = 0; attempt < 40 && status !== wanted; attempt++) {
    status = (await gateway.call(token, "GET", "/v1/charges")).status;
    if (status !== wanted) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return status;
}

test.each([[{ jti: "with a jti" }], [{}]])(
  "a token that is issued under another issuer's (%j) is bound by it, and ends with it",
  async (names) => {
    const parent = await login({ ...names, scope: "scopegate:tokens charges:read" });
    const issued = await gateway.call(parent, "POST", "/_scopegate/tokens", {
      name: "n",
      scopes: ["scopegate:tokens", "charges:read"],
    });
    expect(issued.status).toBe(201);
    const child = (await issued.json()) as { id: string; token: string; subject: string; parent: string };
    expect(child.subject).toBe("ann");
    expect(child.parent.startsWith(`${LOGIN} `)).toBe(true);
    const claims = decodeJwt(child.token);
    expect(claims).toMatchObject({
      exp: decodeJwt(parent).exp,
      auth_time: decodeJwt(parent).iat,
      ancestors: [child.parent],
    });

    const under = await gateway.call(child.token, "POST", "/_scopegate/tokens", {
      name: "n",
      scopes: ["charges:read"],
    });
    const grandchild = (await under.json()) as { id: string; token: string };
    expect(await statusAfter(grandchild.token, 200)).toBe(200);

    // Whoever signed in sees what was issued under it, however deep.
    const listed = (await (await gateway.call(parent, "GET", "/_scopegate/tokens?limit=2")).json()) as {
      items: { id: string }[];
    };
    expect(listed.items.map(({ id }) => id)).toEqual([grandchild.id, child.id]);

    const admin = await gateway.token(["scopegate:admin"]);
    const revoked = await gateway.call(admin, "POST", "/_scopegate/revocations", {
      kind: "token",
      value: parent,
      reason: "leaked",
    });
    expect(revoked.status).toBe(201);
    for (const token of [parent, child.token, grandchild.token]) expect(await statusAfter(token, 401)).toBe(401);
    const record = (await (await gateway.call(admin, "GET", `/_scopegate/tokens/${grandchild.id}`)).json()) as {
      status: string;
    };
    expect(record.status).toBe("revoked");
  },
);

test.each([
  ["subject", "eve", { issuer: LOGIN, value: "eve" }],
  ["client", "eva", { issuer: LOGIN, value: "app of eva" }],
])("a child does not outlive a cut-off of its %s at the issuer above it", async (kind, sub, named) => {
  const parent = await login({ sub, azp: `app of ${sub}`, scope: "scopegate:tokens charges:read" });
  const issued = await gateway.call(parent, "POST", "/_scopegate/tokens", { name: "n", scopes: ["charges:read"] });
  const { token: child } = (await issued.json()) as { token: string };
  expect(await statusAfter(child, 200)).toBe(200);
  const admin = await gateway.token(["scopegate:admin"]);
  const entry = { kind, ...named, reason: "left" };
  expect((await gateway.call(admin, "POST", "/_scopegate/revocations", entry)).status).toBe(201);
  for (const token of [parent, child]) expect(await statusAfter(token, 401)).toBe(401);
});

test("two people of one name, each of an issuer of their own, do not meet in the tokens that they issue", async () => {
  const scope = "scopegate:tokens charges:read";
  const grantor = { name: "n", scopes: ["scopegate:tokens", "charges:read"] };
  const record = async (response: Response) => (await response.json()) as { id: string; token: string };
  const line = async (token: string) => {
    const child = await record(await gateway.call(token, "POST", "/_scopegate/tokens", grantor));
    const key = { "Idempotency-Key": "first" };
    const issued = await gateway.call(child.token, "POST", "/_scopegate/tokens", grantor, key);
    expect(issued.status).toBe(201);
    return { child, grandchild: await record(issued) };
  };
  const seen = async (token: string, query = "") => {
    const listed = await gateway.call(token, "GET", `/_scopegate/tokens${query}`);
    return ((await listed.json()) as { items: { id: string }[] }).items.map(({ id }) => id);
  };

  const ours = await line(await login({ sub: "bob", scope }));
  const theirs = await line(await login({ sub: "bob", scope }, PARTNER));
  const rootless = await gateway.token(scope, { subject: "bob" });
  for (const query of ["", "?name=n", "?scope=charges:read"]) {
    expect(await seen(ours.child.token, query)).toEqual([ours.grandchild.id]);
    expect(await seen(theirs.child.token, query)).toEqual([theirs.grandchild.id]);
    expect(await seen(rootless, query)).toEqual([]);
  }
  for (const stranger of [theirs.child.token, rootless]) {
    const path = `/_scopegate/tokens/${ours.grandchild.id}`;
    expect((await gateway.call(stranger, "GET", path)).status).toBe(404);
    expect((await gateway.call(stranger, "DELETE", path)).status).toBe(404);
    expect((await gateway.call(stranger, "POST", `${path}/rotate`, {})).status).toBe(404);
  }
  expect((await gateway.call(ours.child.token, "DELETE", `/_scopegate/tokens/${ours.grandchild.id}`)).status).toBe(200);
});

test("a token with a very long jti can be revoked like any other", async () => {
  const token = await login({ jti: "j".repeat(4_000), scope: "charges:read" });
  expect(await statusAfter(token, 200)).toBe(200);
  const admin = await gateway.token(["scopegate:admin"]);
  const entry = { kind: "token", value: token, reason: "leaked" };
  expect((await gateway.call(admin, "POST", "/_scopegate/revocations", entry)).status).toBe(201);
  expect(await statusAfter(token, 401)).toBe(401);
});

test("a token of an issuer without admin = true issues nothing, whatever it says of itself", async () => {
  const token = await login({ jti: "x", scope: "scopegate:admin scopegate:tokens * charges:read" }, PLAIN);
  expect(
    (await gateway.call(token, "POST", "/_scopegate/tokens", { name: "n", scopes: ["charges:read"] })).status,
  ).toBe(403);
  expect((await gateway.call(token, "GET", "/_scopegate/tokens")).status).toBe(403);
});

test("a wildcard in a token of an issuer whose wildcards do not count gives nothing away", async () => {
  const token = await login({ jti: "y", scope: "scopegate:tokens * charges:*" });
  for (const scopes of [["*"], ["charges:*"], ["charges:read"]]) {
    const answer = await gateway.call(token, "POST", "/_scopegate/tokens", { name: "n", scopes });
    expect(answer.status).toBe(403);
  }
});

test("explain lets a token of another issuer do nothing before it was issued", async () => {
  const token = await login({ scope: "charges:read" });
  const admin = await gateway.token(["scopegate:admin"]);
  const explained = async (at: string) => {
    const call = { method: "GET", path: "/v1/charges", token, at };
    const answer = await gateway.call(admin, "POST", "/_scopegate/explain", call);
    return ((await answer.json()) as { reason?: string }).reason;
  };
  expect(await explained(new Date().toISOString())).toBeUndefined();
  expect(await explained("2020-01-01T00:00:00Z")).toBe("token_invalid");
});
