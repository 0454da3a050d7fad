/** What a verified token comes to, at the edges: its age, its ancestors, its end. In Node, with keys made here. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Policy } from "../../src/policy/policy.ts";
import { fingerprint } from "../../src/revocation/fingerprint.ts";
import { judgeClaims } from "../../src/token/claims.ts";
import { secretKey } from "../../src/token/secret-key.ts";
import { loadSigningKeys, ownKeys, SigningKeysError } from "../../src/token/signing-keys.ts";
import { createVerifier } from "../../src/token/verify.ts";
import { AUDIENCE, GATEWAY, ISSUER, makeKey, makeToken, NOW, PLAIN_ISSUER, policyOf, type TestKey } from "./fixture.ts";

let own: TestKey;
let theirs: TestKey;
let policy: Policy;

beforeAll(async () => {
  [own, theirs] = await Promise.all([makeKey("ES256", "own"), makeKey("ES256", "theirs")]);
  policy = policyOf(PLAIN_ISSUER);
});

function verified(token: string, at = NOW) {
  const verifier = createVerifier({
    policy,
    bindings: {},
    signingKeys: () => loadSigningKeys(JSON.stringify({ keys: [own.privateJwk] })),
    fetch: async (url) =>
      url.endsWith("/.well-known/openid-configuration")
        ? Response.json({ issuer: ISSUER, jwks_uri: `${ISSUER}keys` })
        : Response.json({ keys: [theirs.publicJwk] }),
    now: () => at,
    copies: null,
    report: () => undefined,
  });
  return verifier.verify(token, at, () => undefined);
}

const mine = (claims: object, at = NOW) =>
  makeToken(own, { iss: GATEWAY, ...claims }).then((token) => verified(token, at));
const foreign = (claims: object, at = NOW) => makeToken(theirs, { ...claims }).then((token) => verified(token, at));

describe("the age of a token of this gateway", () => {
  test.each<[unknown, number]>([
    [undefined, NOW - 60],
    [NOW - 1000, NOW - 1000],
    [NOW, NOW - 60],
    [0, 0],
    [Number.MAX_SAFE_INTEGER, NOW - 60],
  ])("with auth_time %j counts from %i", async (auth_time, from) => {
    expect(await mine({ auth_time })).toMatchObject({ issuedAtSeconds: from });
  });

  test.each([[-1], [Number.MAX_SAFE_INTEGER + 1], ["0"], [null], [true]])(
    "cannot be told with auth_time %j",
    async (auth_time) => {
      expect(await mine({ auth_time })).toEqual({ reason: "token_invalid", detail: "times" });
    },
  );

  test("is read from no other issuer's auth_time", async () => {
    expect(await foreign({ auth_time: NOW - 1000 })).toMatchObject({ issuedAtSeconds: NOW - 60 });
    expect(await foreign({ auth_time: "x" })).toMatchObject({ issuedAtSeconds: NOW - 60 });
  });
});

describe("the ancestors of a token", () => {
  test("are at most sixteen, and each has a name", async () => {
    const names = Array.from({ length: 17 }, (_, index) => `id-${index}`);
    expect(await mine({ ancestors: names.slice(1) })).toMatchObject({ ancestors: names.slice(1) });
    for (const ancestors of [names, ["id", ""], ["id", 5], "id", {}, null])
      expect(await mine({ ancestors })).toEqual({ reason: "token_invalid", detail: "ancestors" });
  });

  test("are met by revocations under the issuer that they name, else under this gateway", async () => {
    const principal = await mine({ jti: "child", ancestors: ["parent", `${ISSUER} their id`] });
    expect(principal).toMatchObject({
      fingerprints: [fingerprint(GATEWAY, "child"), fingerprint(GATEWAY, "parent"), fingerprint(ISSUER, "their id")],
      elderIssuers: [ISSUER],
    });
  });

  test("are none of another issuer's to name", async () => {
    expect(await foreign({ ancestors: ["parent"] })).toMatchObject({ ancestors: [], elderIssuers: [] });
    expect(await foreign({ ancestors: 5 })).toMatchObject({ ancestors: [] });
  });
});

test("a scope's longest lifetime ends a token of this gateway, and no other issuer's", async () => {
  const claims = { scope: "charges:delete", iat: NOW - 3600 - 29, exp: NOW + 3600 };
  expect(await mine(claims)).toMatchObject({ expiresAtSeconds: NOW - 29 });
  expect(await mine(claims, NOW + 1)).toEqual({ reason: "token_expired" });
  expect(await foreign(claims, NOW + 1)).toMatchObject({ expiresAtSeconds: NOW + 3600 });
});

test("where aud is missing, only a token that says it is an access token is meant for its client (Cognito)", () => {
  const audience = (token_use: unknown) =>
    judgeClaims(
      {
        header: { alg: "RS256", kid: null, typ: "at+jwt" },
        payload: { client_id: AUDIENCE, exp: NOW + 60, ...(token_use === undefined ? {} : { token_use }) },
        signedPart: "",
      },
      { audiences: [AUDIENCE], requireTyp: null },
      NOW,
      30,
    ).kind;
  expect(audience("access")).toBe("valid");
  for (const other of ["id", "refresh", "", null, undefined]) expect(audience(other)).toBe("invalid");
});

describe("a shared secret", () => {
  test("verifies one algorithm, is imported once and is never due", async () => {
    const source = secretKey(ISSUER, "NAME", "s".repeat(32), () => undefined);
    const find = (algorithm: string) => source.find(null, algorithm, NOW, () => undefined);
    expect(await find("RS256")).toMatchObject({ keys: [] });
    const first = find("HS256");
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toMatchObject({ keys: [{ text: "NAME" }] });
    expect(find("HS256")).not.toBeInstanceOf(Promise);
    expect(find("RS256")).toMatchObject({ keys: [] });
    expect(source.isDue(NOW)).toBe(false);
  });

  test("has at least 32 bytes", async () => {
    const causes: string[] = [];
    for (const secret of ["s".repeat(31), "é".repeat(16), undefined, 5]) {
      const source = secretKey(ISSUER, "NAME", secret, ({ cause }) => causes.push(cause));
      await source.find(null, "HS256", NOW, () => undefined);
    }
    expect(causes).toEqual(["NAME is shorter than 32 bytes", "NAME is not set", "NAME is not set"]);
  });
});

describe("this gateway's own keys", () => {
  const loading = (...keys: unknown[]) => loadSigningKeys(JSON.stringify({ keys }));

  test("may say their algorithm by either name that Ed25519 has, and by no other's", async () => {
    const edwards = await makeKey("EdDSA", "e");
    for (const alg of ["EdDSA", "Ed25519", undefined]) {
      const { signer } = await loading({ ...edwards.privateJwk, alg });
      expect(signer.algorithm).toBe("EdDSA");
    }
    await expect(loading({ ...edwards.privateJwk, alg: "ES256" })).rejects.toThrow("has an alg other than EdDSA");
    await expect(loading({ ...own.privateJwk, alg: "Ed25519" })).rejects.toThrow("has an alg other than ES256");
    await expect(loading({ ...own.privateJwk, alg: "ES384" })).rejects.toThrow("has an alg other than ES256");
  });

  test.each<[unknown]>([
    [null],
    [5],
    ["key"],
    [{}],
    [{ kty: "EC", crv: "P-384" }],
    [{ kty: "RSA", crv: "P-256" }],
    [{ kty: "OKP", crv: "X25519" }],
    [{ kty: "EC", crv: "Ed25519" }],
  ])("are refused where one is %j", async (entry) => {
    const attempt = loading(entry);
    await expect(attempt).rejects.toBeInstanceOf(SigningKeysError);
    await expect(attempt).rejects.toThrow("key 1 is neither an EC P-256 key nor an Ed25519 key");
  });

  test("are at most a hundred", async () => {
    const keys = Array.from({ length: 101 }, (_, index) => ({ ...own.privateJwk, kid: String(index) }));
    expect((await loading(...keys.slice(1))).publicJwks.keys).toHaveLength(100);
    await expect(loading(...keys)).rejects.toThrow("is not a JWK Set of 1 to 100 keys");
  });

  test("are loaded once, and complained of once, by the name of what is wrong", async () => {
    const causes: string[] = [];
    let loads = 0;
    let failure: Error | null = new SigningKeysError("SIGNING_KEYS is not set");
    const source = ownKeys(
      GATEWAY,
      async () => {
        loads++;
        if (failure !== null) throw failure;
        return loading(own.privateJwk);
      },
      ({ cause }) => causes.push(cause),
    );
    const find = async () => source.find("own", "ES256", NOW, () => undefined);
    expect(await find()).toEqual({ retryAfterSeconds: 60 });
    expect(await find()).toEqual({ retryAfterSeconds: 60 });
    expect(causes).toEqual(["SIGNING_KEYS is not set"]);
    failure = null;
    for (let round = 0; round < 3; round++) expect(await find()).toMatchObject({ keys: [{ kid: "own" }] });
    expect(loads).toBe(3);
    expect(source.isDue(NOW)).toBe(false);

    const others: string[] = [];
    const broken = ownKeys(
      GATEWAY,
      () => Promise.reject(new Error("secret text")),
      ({ cause }) => others.push(cause),
    );
    await broken.find("own", "ES256", NOW, () => undefined);
    expect(others).toEqual(["SIGNING_KEYS could not be loaded"]);
  });
});
