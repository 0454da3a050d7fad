/** The signatures that are taken are those that jose takes, which reads the token by itself. */
import { base64url, CompactSign, compactVerify, exportJWK, generateKeyPair } from "jose";
import { describe, expect, test } from "vitest";
import { candidates, readKeySet } from "../../src/token/keys.ts";
import { signerOf } from "../../src/token/signature.ts";

const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

async function signed(alg: string) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const token = await new CompactSign(new TextEncoder().encode('{"sub":"s"}'))
    .setProtectedHeader({ alg, kid: "k" })
    .sign(privateKey);
  const set = readKeySet({ keys: [{ ...(await exportJWK(publicKey)), kid: "k" }] }) ?? [];
  return { token, publicKey, set };
}

/** The token with another signature. */
function with_(token: string, change: (signature: Uint8Array) => Uint8Array): string {
  const end = token.lastIndexOf(".");
  return `${token.slice(0, end)}.${base64url.encode(change(base64url.decode(token.slice(end + 1))))}`;
}

const CHANGES: readonly [name: string, change: (signature: Uint8Array) => Uint8Array][] = [
  ["as it is", (signature) => signature],
  ["of other bits", (signature) => signature.map((byte, at) => (at === 9 ? byte ^ 1 : byte))],
  ["that is empty", () => new Uint8Array(0)],
  ["of zeros", (signature) => signature.map(() => 0)],
  ["of ones", (signature) => signature.map(() => 255)],
  ["that is cut", (signature) => signature.slice(0, -1)],
  ["that goes on", (signature) => Uint8Array.of(...signature, 0)],
  ["that begins with a zero more", (signature) => Uint8Array.of(0, ...signature)],
  ["whose halves are swapped", (signature) => Uint8Array.of(...signature.slice(32), ...signature.slice(0, 32))],
];

describe.each(ALGORITHMS)("%s", async (alg) => {
  const { token, publicKey, set } = await signed(alg);
  const other = await signed(alg);

  test.each(CHANGES)("a signature %s is judged as jose judges it", async (name, change) => {
    const text = with_(token, change);
    const taken = await compactVerify(text, publicKey).then(
      () => true,
      () => false,
    );
    expect(taken).toBe(name === "as it is");
    expect((await signerOf(text, alg, candidates(set, "k", alg)))?.keyId ?? null).toBe(taken ? "k" : null);
  });

  test("what was signed is the header and the payload, to the letter", async () => {
    const [header = "", payload = "", signature = ""] = token.split(".");
    const changed = [
      `${header}A.${payload}.${signature}`,
      `${header}.${payload}AAAA.${signature}`,
      `.${payload}.${signature}`,
      `${payload}.${header}.${signature}`,
    ];
    for (const text of changed) expect(await signerOf(text, alg, candidates(set, "k", alg))).toBeNull();
  });

  test("another key takes nothing, and the next one of the same id is tried", async () => {
    expect(await signerOf(token, alg, candidates(other.set, "k", alg))).toBeNull();
    expect(await signerOf(token, alg, candidates([...other.set, ...set], "k", alg))).toMatchObject({ keyId: "k" });
  });

  test("no other algorithm takes it, though the key be offered", async () => {
    for (const name of [...ALGORITHMS, "HS256", "none", ""]) {
      if (name !== alg) expect(await signerOf(token, name, set)).toBeNull();
    }
  });
});
