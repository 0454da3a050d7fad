/** Rotation of the signing keys: the new one goes first, the old one stays until its tokens have expired. */
import { decodeProtectedHeader, SignJWT } from "jose";
import { expect, test } from "vitest";
import { type Gateway, makeSigningKey, startGateway } from "../support/gateway.ts";
import { POLICY } from "./policy.ts";

async function withGateway<T>(
  signingKeys: Awaited<ReturnType<typeof makeSigningKey>>[],
  use: (gateway: Gateway) => Promise<T>,
) {
  const gateway = await startGateway({ policy: POLICY, signingKeys });
  try {
    return await use(gateway);
  } finally {
    await gateway.dispose();
  }
}

async function issue(gateway: Gateway): Promise<string> {
  const admin = await gateway.token(["scopegate:admin"]);
  const issued = await gateway.call(admin, "POST", "/_scopegate/tokens", { name: "n", scopes: ["charges:read"] });
  expect(issued.status).toBe(201);
  return ((await issued.json()) as { token: string }).token;
}

test("refuses no token while a key is replaced, and signs with the first, ES256 or EdDSA", async () => {
  const old = await makeSigningKey("ES256");
  const next = await makeSigningKey("EdDSA");
  const token = await withGateway([old], issue);
  expect(decodeProtectedHeader(token)).toMatchObject({ alg: "ES256", kid: old.kid });
  await withGateway([next, old], async (gateway) => {
    expect((await gateway.call(token, "GET", "/v1/charges")).status).toBe(200);
    const later = await issue(gateway);
    expect(decodeProtectedHeader(later)).toMatchObject({ alg: "EdDSA", kid: next.kid });
    expect((await gateway.call(later, "GET", "/v1/charges")).status).toBe(200);
    const { keys } = (await (await gateway.fetch("/.well-known/jwks.json")).json()) as {
      keys: { kid: string; d?: string }[];
    };
    expect(keys.map(({ kid }) => kid)).toEqual([next.kid, old.kid]);
    expect(keys.every((key) => !("d" in key))).toBe(true);
  });
  await withGateway([next], async (gateway) => {
    expect((await gateway.call(token, "GET", "/v1/charges")).status).toBe(401);
  });
});

test("answers as the keys' own address does where there is none to sign with, and writes nothing", async () => {
  const issuer = "https://login.example.com/";
  const secret = "a secret of thirty-two bytes or more";
  const policy = `${POLICY}
[[issuers]]
issuer = "${issuer}"
audience = "https://api.example.com"
algorithms = ["HS256"]
secret = "LOGIN_SECRET"
admin = true
`;
  const gateway = await startGateway({ policy, bindings: { LOGIN_SECRET: secret, SIGNING_KEYS: "{}" } });
  try {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: "https://api.example.com", sub: "ann", jti: "j", scope: "scopegate:admin" };
    const token = await new SignJWT({ ...claims, iat: now, exp: now + 600 })
      .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
      .sign(new TextEncoder().encode(secret));
    const answers = [
      await gateway.fetch("/.well-known/jwks.json"),
      await gateway.call(token, "POST", "/_scopegate/tokens", { name: "n", scopes: ["charges:read"] }),
      await gateway.call(token, "POST", "/_scopegate/tokens/none/rotate"),
    ];
    for (const answer of answers) {
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "60"]);
      expect(await answer.json()).toMatchObject({ reason: "keys_unavailable" });
    }
    const audit = await gateway.call(token, "GET", "/_scopegate/audit");
    expect(await audit.json()).toEqual({ items: [] });
  } finally {
    await gateway.dispose();
  }
});
