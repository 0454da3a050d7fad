/**
 * Project Wycheproof's vectors for JWS and JWK, in the runtime that verifies. Their payloads are no claims, so they go through
 * the strict reading of the text, the choice of the key and the signature, which is all that the verifier does before claims.
 */
import { base64url, calculateJwkThumbprint, compactVerify, type JWK } from "jose";
import { describe, expect, test } from "vitest";
import { splitJws } from "../../src/token/jws.ts";
import { candidates, type KeySet, readKeySet } from "../../src/token/keys.ts";
import { signerOf } from "../../src/token/signature.ts";
import { corpus, named } from "./corpora.ts";

interface Vectors {
  readonly testGroups: readonly {
    readonly comment: string;
    readonly public?: JWK;
    readonly private?: JWK;
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly jws: unknown;
      readonly result: string;
    }[];
  }[];
}

/** Vectors whose expectation we do not meet, and why. */
const SIGNATURE_EXCEPTIONS = new Map([
  [346, "faulty: a PS384 signature under a key whose alg is PS256"],
  [350, "faulty: the same"],
  [347, "faulty: the key says ES521, which is no algorithm; it is ES512"],
  [351, "faulty: the same"],
  [367, "faulty: the text has no padding and is the valid token itself"],
  [370, "faulty: the same"],
  [372, "a quirk: a character that is not base64url, which is refused"],
  [373, "a quirk: the same"],
]);

const signatures = corpus<Vectors>("wycheproof/json_web_signature_test.json");
const keys = corpus<Vectors>("wycheproof/json_web_key_test.json");

/** A set with one key; a secret is one as `secret-key.ts` makes it, for the algorithm that it names. */
async function setOf(jwk: JWK): Promise<KeySet> {
  if (jwk.kty !== "oct") return readKeySet({ keys: [jwk] }) ?? [];
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", base64url.decode(jwk.k ?? ""), hmac, false, ["verify"]);
  return [
    {
      kid: jwk.kid ?? null,
      text: "secret",
      algorithms: new Set([String(jwk.alg)]),
      material: { kty: "oct" },
      imported: new Map([[String(jwk.alg), { key, keyId: "secret" }]]),
    },
  ];
}

async function accepts(set: KeySet, jws: unknown): Promise<boolean> {
  if (typeof jws !== "string") return false;
  const parts = splitJws(jws);
  if (parts === null) return false;
  const { alg, kid } = parts.header;
  return (await signerOf(jws, alg, candidates(set, kid, alg))) !== null;
}

describe.skipIf(signatures === null)(named("Wycheproof's signatures", signatures), () => {
  for (const group of signatures?.testGroups ?? []) {
    const jwk = group.public ?? group.private;
    test.each(group.tests.map((vector) => [group.comment, vector.tcId, vector.comment, vector] as const))(
      "%s %i %s",
      async (_group, tcId, _comment, { jws, result }) => {
        const accepted = jwk !== undefined && (await accepts(await setOf(jwk), jws));
        const expected = (result === "valid") !== SIGNATURE_EXCEPTIONS.has(tcId);
        expect(accepted).toBe(expected);
      },
    );
  }
});

describe.skipIf(keys === null)(named("Wycheproof's keys", keys), () => {
  for (const group of keys?.testGroups ?? []) {
    // Groups without `public` are of secrets, which no key set may hold here: an issuer's secret comes from a binding.
    const document = group.public ?? { keys: [{ kty: "oct", k: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" }] };
    test.each(group.tests.map((vector) => [group.comment, vector.tcId, vector.comment, vector] as const))(
      "%s %i %s",
      async (_group, _tcId, _comment, { jws, result }) => {
        const accepted = await accepts(readKeySet(document) ?? [], jws);
        expect(accepted).toBe(result === "valid" && group.public !== undefined);
      },
    );
  }
});

interface Examples {
  readonly rfc9068: { readonly header: object; readonly claims: object };
  readonly rfc7638: { readonly thumbprint: string; readonly jwk: JWK };
  readonly rfc8037: { readonly jws: string; readonly jwk: JWK; readonly thumbprint: string };
}

const examples = corpus<Examples>("rfc/rfc-examples.json");

describe.skipIf(examples === null)(named("the RFCs' examples", examples), () => {
  test("RFC 8037 A.4: the Ed25519 signature is verified, A.3: by the thumbprint's name", async () => {
    if (examples === null) return;
    const { jws, jwk, thumbprint } = examples.rfc8037;
    const set = readKeySet({ keys: [jwk] }) ?? [];
    expect((await signerOf(jws, "EdDSA", candidates(set, null, "EdDSA")))?.keyId).toBe(thumbprint);
    expect(await accepts(set, `${jws.slice(0, -2)}AA`)).toBe(false);
  });

  test("RFC 7638 3.1: the RSA key's thumbprint", async () => {
    if (examples === null) return;
    expect(await calculateJwkThumbprint(examples.rfc7638.jwk)).toBe(examples.rfc7638.thumbprint);
    expect(readKeySet({ keys: [examples.rfc7638.jwk] })).toHaveLength(1);
  });
});

test("what these vectors ask of us, plain jose does not do", async () => {
  const bytes = new Uint8Array(32);
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  const signed = `${base64url.encode('{"alg":"HS256"}')}.${base64url.encode("{}")}`;
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(signed)));
  const spaced = `${signed}.  ${base64url.encode(mac)}`;
  await expect(compactVerify(spaced, bytes)).resolves.toBeDefined();
  expect(splitJws(spaced)).toBeNull();
});
