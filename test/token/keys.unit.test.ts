import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { candidates, importKey, keepImported, keepsAll, readKeySet } from "../../src/token/keys.ts";
import { makeKey } from "./fixture.ts";

const jwks = new Map<string, JWK>();

beforeAll(async () => {
  for (const algorithm of ["RS256", "ES256", "ES384", "ES512", "EdDSA"]) {
    const { kid: _kid, alg: _alg, use: _use, ...bare } = (await makeKey(algorithm)).publicJwk;
    jwks.set(algorithm, bare);
  }
});

function jwk(algorithm: string, members: object = {}): JWK {
  return { ...jwks.get(algorithm), ...members } as JWK;
}

/** Which of these algorithms a set with this one key would verify. */
function verifies(key: unknown): string[] {
  const set = readKeySet({ keys: [key] }) ?? [];
  const names = ["RS256", "PS256", "RS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "HS256", "none"];
  return names.filter((name) => candidates(set, null, name).length > 0);
}

describe("a key verifies with what fits it", () => {
  test.each([
    ["RS256", ["RS256", "PS256", "RS512"]],
    ["ES256", ["ES256"]],
    ["ES384", ["ES384"]],
    ["ES512", ["ES512"]],
    ["EdDSA", ["EdDSA", "Ed25519"]],
  ])("made for %s, and saying nothing", (algorithm, names) => {
    expect(verifies(jwk(algorithm))).toEqual(names);
  });

  test("and only with its alg where it has one", () => {
    expect(verifies(jwk("RS256", { alg: "PS256" }))).toEqual(["PS256"]);
    expect(verifies(jwk("EdDSA", { alg: "Ed25519" }))).toEqual(["EdDSA", "Ed25519"]);
    expect(verifies(jwk("EdDSA", { alg: "EdDSA" }))).toEqual(["EdDSA", "Ed25519"]);
    expect(verifies(jwk("ES256", { alg: "ES384" }))).toEqual([]);
    expect(verifies(jwk("RS256", { alg: "HS256" }))).toEqual([]);
    expect(verifies(jwk("RS256", { alg: "RSA-OAEP-256" }))).toEqual([]);
  });
});

describe("a key that verifies nothing", () => {
  test.each<[string, () => unknown]>([
    ["for encryption", () => jwk("RS256", { use: "enc" })],
    ["of an unknown use", () => jwk("RS256", { use: "x" })],
    ["with key_ops without verify", () => jwk("RS256", { key_ops: ["encrypt"] })],
    ["with key_ops that are no list", () => jwk("RS256", { key_ops: "verify" })],
    ["with a kid that is no text", () => jwk("RS256", { kid: 1 })],
    ["with a kid that is null", () => jwk("RS256", { kid: null })],
    ["with a kid of 257 characters", () => jwk("RS256", { kid: "k".repeat(257) })],
    ["with an alg that is no text", () => jwk("RS256", { alg: ["RS256"] })],
    ["that is secret", () => ({ kty: "oct", k: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", alg: "HS256" })],
    ["that was published with its private half", () => jwk("ES256", { d: "AAAA" })],
    ["of an unknown type", () => ({ kty: "AKP", pub: "AAAA" })],
    ["of a type that a prototype has", () => ({ kty: "constructor" })],
    ["of another curve", () => ({ kty: "EC", crv: "secp256k1", x: "AAAA", y: "AAAA" })],
    ["of X25519", () => ({ kty: "OKP", crv: "X25519", x: "AAAA" })],
    ["without its coordinates", () => ({ kty: "EC", crv: "P-256" })],
    ["with exponent 1", () => jwk("RS256", { e: "AQ" })],
    ["with exponent 3", () => jwk("RS256", { e: "Aw" })],
    ["with an even exponent", () => jwk("RS256", { e: "AQAC" })],
    ["with an exponent of five bytes", () => jwk("RS256", { e: "AQAAAAE" })],
    ["with exponent 0", () => jwk("RS256", { e: "AA" })],
    ["with no exponent", () => jwk("RS256", { e: undefined })],
    ["with a modulus that is no base64url", () => jwk("RS256", { n: "????" })],
    ["with an empty modulus", () => jwk("RS256", { n: "" })],
    ["with a modulus of 2,047 bits", () => jwk("RS256", { n: modulus(0x7f, 256) })],
    ["with a modulus of 8,200 bits", () => jwk("RS256", { n: modulus(0x80, 1025) })],
    ["that is a text", () => "key"],
    ["that is null", () => null],
  ])("%s", (_what, key) => {
    expect(verifies(key())).toEqual([]);
  });

  test("is left out, and the others of the set stay", () => {
    const set = readKeySet({ keys: [{ kty: "oct", k: "AAAA", kid: "a" }, jwk("ES256", { kid: "b" }), 7] });
    expect(set?.map(({ kid }) => kid)).toEqual(["b"]);
  });

  test("a point that is not on its curve cannot be imported", async () => {
    const [key] = readKeySet({ keys: [jwk("ES256", { y: jwk("ES256").x })] }) ?? [];
    expect(key && (await importKey(key, "ES256"))).toBeNull();
  });
});

function modulus(first: number, length: number): string {
  const bytes = Buffer.alloc(length, 0xa5);
  bytes[0] = first;
  bytes[length - 1] = 0xff;
  return bytes.toString("base64url");
}

test("a modulus with a leading zero byte is the same key", () => {
  const key = jwk("RS256");
  const padded = Buffer.concat([Buffer.from([0]), Buffer.from(String(key.n), "base64url")]).toString("base64url");
  const [one] = readKeySet({ keys: [key] }) ?? [];
  const [other] = readKeySet({ keys: [{ ...key, n: padded }] }) ?? [];
  expect(other?.text).toBe(one?.text);
});

test.each([
  ["no object", []],
  ["null", null],
  ["no keys", {}],
  ["keys that are an object", { keys: {} }],
  ["101 keys", { keys: Array.from({ length: 101 }, () => ({})) }],
])("what is no key set is refused whole: %s", (_what, document) => {
  expect(readKeySet(document)).toBeNull();
});

test("a set with no keys is a set: its issuer has withdrawn them", () => {
  expect(readKeySet({ keys: [] })).toEqual([]);
});

test("a kid chooses, to the letter; without one, at most four keys are tried", () => {
  const keys = [
    ...["a", "A", "a"].map((kid) => jwk("ES256", { kid })),
    ...Array.from({ length: 5 }, () => jwk("ES256")),
  ];
  const set = readKeySet({ keys }) ?? [];
  expect(candidates(set, "a", "ES256").map(({ kid }) => kid)).toEqual(["a", "a"]);
  expect(candidates(set, "b", "ES256")).toEqual([]);
  expect(candidates(set, "", "ES256")).toEqual([]);
  expect(candidates(set, null, "ES256")).toHaveLength(4);
});

test("a key without a kid is known by its thumbprint", async () => {
  const { publicKey } = await generateKeyPair("ES256", { extractable: true });
  const bare = await exportJWK(publicKey);
  const [key] = readKeySet({ keys: [bare] }) ?? [];
  expect(key && (await importKey(key, "ES256"))?.keyId).toBe(await calculateJwkThumbprint(bare));
});

test("a refreshed set keeps what was imported and knows what is gone", async () => {
  const before = readKeySet({ keys: [jwk("ES256", { kid: "a" }), jwk("RS256", { kid: "b" })] }) ?? [];
  const [first] = before;
  const imported = first && (await importKey(first, "ES256"));
  const next = readKeySet({ keys: [jwk("ES256", { kid: "a" })] }) ?? [];
  const [kept] = keepImported(before, next);
  expect(kept && (await importKey(kept, "ES256"))).toBe(imported);
  expect(keepsAll(before, next)).toBe(false);
  expect(keepsAll(next, before)).toBe(true);
});
