import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, type JWK } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { issueToken, newTokenId, type TokenContents } from "../../src/token/issue.ts";
import { parseJws } from "../../src/token/jws.ts";
import { generateSigningKeys, loadSigningKeys, SigningKeysError } from "../../src/token/signing-keys.ts";
import { AUDIENCE, GATEWAY, makeKey, NOW, type TestKey } from "./fixture.ts";

let es256: TestKey;
let ed25519: TestKey;

beforeAll(async () => {
  es256 = await makeKey("ES256", "es");
  ed25519 = await makeKey("EdDSA", "ed");
});

function secret(...keys: unknown[]): string {
  return JSON.stringify({ keys });
}

test("the first key signs, and the public halves of all are published", async () => {
  const { signer, publicJwks } = await loadSigningKeys(secret(ed25519.privateJwk, es256.privateJwk));
  expect([signer.algorithm, signer.keyId]).toEqual(["EdDSA", "ed"]);
  expect(publicJwks.keys).toEqual([ed25519.publicJwk, es256.publicJwk]);
});

test("nothing private is published, whatever members the secret has", async () => {
  const odd = { ...es256.privateJwk, k: "s", p: "s", q: "s", dp: "s", oth: [], note: "s", key_ops: ["sign"] };
  const { publicJwks } = await loadSigningKeys(secret(odd));
  expect(publicJwks.keys.map((key) => Object.keys(key).sort())).toEqual([
    ["alg", "crv", "kid", "kty", "use", "x", "y"],
  ]);
});

test("a key without a kid is named by its thumbprint", async () => {
  const { kid: _kid, ...nameless } = es256.privateJwk;
  const { signer, publicJwks } = await loadSigningKeys(secret(nameless));
  expect(signer.keyId).toBe(await calculateJwkThumbprint(es256.publicJwk));
  expect(publicJwks.keys[0]?.kid).toBe(signer.keyId);
});

describe("a secret that is not usable is refused with its place", () => {
  test.each<[string, () => unknown, string]>([
    ["nothing", () => undefined, "not set"],
    ["an empty text", () => " ", "not set"],
    ["no JSON", () => "{", "not JSON"],
    ["null", () => "null", "not a JWK Set"],
    ["a single JWK", () => JSON.stringify(es256.privateJwk), "not a JWK Set"],
    ["no keys", () => secret(), "not a JWK Set"],
    ["a public key", () => secret(es256.publicJwk), "key 1 is not a private key"],
    ["a second key that is public", () => secret(es256.privateJwk, ed25519.publicJwk), "key 2 is not a private key"],
    ["an RSA key", () => secret({ kty: "RSA", n: "AQAB", e: "AQAB", d: "AQAB" }), "key 1 is neither"],
    ["a symmetric key", () => secret({ kty: "oct", k: "AAAA" }), "key 1 is neither"],
    ["a number", () => secret(1), "key 1 is neither"],
    ["another alg", () => secret({ ...es256.privateJwk, alg: "ES384" }), "key 1 has an alg"],
    ["another use", () => secret({ ...es256.privateJwk, use: "enc" }), "key 1 has a use"],
    ["a kid with a line end", () => secret({ ...es256.privateJwk, kid: "a\nb" }), "key 1 has a kid"],
    ["one kid twice", () => secret(es256.privateJwk, { ...ed25519.privateJwk, kid: "es" }), "key 2 has the kid"],
    ["halves that do not belong together", () => secret({ ...es256.privateJwk, d: other.d }), "key 1 is not a whole"],
    ["a point on no curve", () => secret({ ...es256.privateJwk, y: es256.privateJwk.x }), "key 1 is not a whole"],
  ])("%s", async (_what, text, message) => {
    const error = await loadSigningKeys(text()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SigningKeysError);
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain(String(es256.privateJwk["d"]));
  });

  let other: JWK;
  beforeAll(async () => {
    other = (await makeKey("ES256")).privateJwk;
  });
});

test("generated keys load, and no two are the same", async () => {
  const [one, two] = await Promise.all([generateSigningKeys(), generateSigningKeys()]);
  const loaded = await loadSigningKeys(one);
  expect(loaded.signer.algorithm).toBe("ES256");
  expect((await loadSigningKeys(two)).signer.keyId).not.toBe(loaded.signer.keyId);
});

const CONTENTS: TokenContents = {
  issuer: GATEWAY,
  audience: AUDIENCE,
  subject: "user-1",
  clientId: "client-1",
  tokenId: "token-1",
  issuedAtSeconds: NOW,
  expiresAtSeconds: NOW + 60.5,
  scopes: ["charges:read", "customers:*"],
  allowList: null,
  conditions: [],
  ancestors: [],
};

describe("an issued token", () => {
  test.each(["ES256", "EdDSA"])(
    "signed with %s is an RFC 9068 token with exactly the claims of the contract",
    async (name) => {
      const { signer } = await loadSigningKeys(secret((name === "ES256" ? es256 : ed25519).privateJwk));
      const token = await issueToken(signer, CONTENTS);
      expect(decodeProtectedHeader(token)).toEqual({ alg: name, typ: "at+jwt", kid: signer.keyId });
      expect(decodeJwt(token)).toEqual({
        iss: GATEWAY,
        aud: AUDIENCE,
        sub: "user-1",
        client_id: "client-1",
        iat: NOW,
        exp: NOW + 60,
        jti: "token-1",
        scope: "charges:read customers:*",
      });
      expect(parseJws(token)).not.toBeNull();
    },
  );

  test("carries a list, conditions and ancestors where there are any", async () => {
    const { signer } = await loadSigningKeys(secret(es256.privateJwk));
    const extras = { allowList: ["charge:*"], conditions: [{ cidr: ["10.0.0.0/8"] }], ancestors: ["a", "b"] };
    const claims = decodeJwt(await issueToken(signer, { ...CONTENTS, ...extras }));
    expect(claims).toMatchObject({
      allow_list: extras.allowList,
      conditions: extras.conditions,
      ancestors: extras.ancestors,
    });
  });

  test("with an empty list is never made", async () => {
    const { signer } = await loadSigningKeys(secret(es256.privateJwk));
    await expect(issueToken(signer, { ...CONTENTS, allowList: [] })).rejects.toThrow(RangeError);
  });

  test("has an id that no other has", () => {
    expect(new Set(Array.from({ length: 1000 }, newTokenId)).size).toBe(1000);
  });
});
