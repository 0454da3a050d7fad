import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { holdsToken, signedPartName, tokenName } from "../../src/revocation/token-name.ts";

const part = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const header = part({ alg: "ES256", typ: "at+jwt", kid: "k" });
const issuer = "https://login.example.com/";
const sha = (text: string): string => `sha256:${createHash("sha256").update(text).digest("base64url")}`;

describe("the name of a token", () => {
  test("is its issuer and jti, whatever its signature and its times", async () => {
    const payload = part({ iss: issuer, jti: "id-1", exp: 1, nbf: 9e9 });
    for (const signature of ["", "AAAA", "not base64 at all!", "A".repeat(86)]) {
      expect(await tokenName(`${header}.${payload}.${signature}`)).toEqual({ issuer, tokenId: "id-1" });
    }
  });

  test("is the SHA-256 of its signed part where it has no jti, however the signature is respelled", async () => {
    const payload = part({ iss: issuer, sub: "s" });
    const name = { issuer, tokenId: sha(`${header}.${payload}`) };
    expect(await tokenName(`${header}.${payload}.AAAA`)).toEqual(name);
    expect(await tokenName(`${header}.${payload}.BBBB==`)).toEqual(name);
    expect(await signedPartName(`${header}.${payload}`)).toBe(name.tokenId);
  });

  test("does not depend on how base64 was respelled on the way to the operator", async () => {
    const payload = part({ iss: issuer, sub: "ü~~??>>" });
    const spelled = Buffer.from(payload, "base64url").toString("base64");
    expect(await tokenName(`${header}.${spelled}.AAAA`)).toEqual(await tokenName(`${header}.${payload}.AAAA`));
  });

  test("is found with Bearer, a line break or spaces around it", async () => {
    const token = `${header}.${part({ iss: issuer, jti: "x" })}.AAAA`;
    for (const pasted of [`Bearer ${token}`, `bearer  ${token}\n`, `  ${token}\r\n`]) {
      expect(await tokenName(pasted)).toEqual({ issuer, tokenId: "x" });
    }
  });

  test.each([
    ["a number as jti", { iss: issuer, jti: 5 }],
    ["an empty jti", { iss: issuer, jti: "" }],
    ["null as jti", { iss: issuer, jti: null }],
  ])("with %s is that of its signed part, as the verifier never names it by such a jti", async (_, claims) => {
    const payload = part(claims);
    expect(await tokenName(`${header}.${payload}.A`)).toEqual({ issuer, tokenId: sha(`${header}.${payload}`) });
  });

  test("is not found where the signature was left behind, which as a jti would meet nothing", async () => {
    expect(await tokenName(`${header}.${part({ iss: issuer, jti: "x" })}`)).toBe(null);
    expect(await tokenName("a.b")).toEqual({ issuer: null, tokenId: "a.b" });
  });

  test.each([[{ jti: "a" }], [{ iss: 5, jti: "a" }], [{ iss: ["x"], jti: "a" }]])(
    "has no issuer where the token %j names none",
    async (claims) => expect(await tokenName(`${header}.${part(claims)}.A`)).toEqual({ issuer: null, tokenId: "a" }),
  );

  test.each([
    "7b1f4a52-0c6e-4f5e-9f0a-3d1c2b4a5e6f",
    "1.2.3",
    "a.b.c",
    "sha256:abc",
    "x",
    "eyJ",
    `${part("null")}.${part({})}.x`,
    "..",
    "%00",
    "__proto__",
  ])("is the value itself where that is no token: %s", async (value) =>
    expect(await tokenName(value)).toEqual({ issuer: null, tokenId: value }),
  );

  test.each([
    ["an encrypted token", `${part({ alg: "dir", enc: "A256GCM" })}..iv.text.tag`],
    ["a token whose payload was cut", `${header}.${part({ iss: issuer, jti: "x" }).slice(0, -3)}.A`],
    ["a token whose payload is a list", `${header}.${part("[1]")}.A`],
    ["a token whose payload is null", `${header}.${part("null")}.A`],
    ["a token whose payload is a text", `${header}.${part('"text"')}.A`],
    ["a token whose payload is a number", `${header}.${part("5")}.A`],
    ["a token's beginning", `${header}.${part({ iss: issuer, jti: "x" })}.A`.slice(0, 30)],
    ["a token in quotes", `"${header}.${part({ iss: issuer, jti: "x" })}.A"`],
    ["a token behind its header's name", `Authorization: Bearer ${header}.${part({ iss: issuer, jti: "x" })}.A`],
    ["a token behind Bearer and a tab", `Bearer\t${header}.${part({ iss: issuer, jti: "x" })}.A`],
    ["a token behind a space that nobody sees", `\u200b${header}.${part({ iss: issuer, jti: "x" })}.A`],
    ["a token of JSON without alg", `${part({ no: "alg" })}.${part({})}.x`],
    ["nothing", "  "],
    ["Bearer alone", "Bearer "],
  ])("is not there for %s: better refused than revoked in vain", async (_, value) => {
    expect(await tokenName(value)).toBeNull();
  });
});

describe("a text that holds a token", () => {
  const payload = part({ iss: issuer, jti: "x" });
  test.each([
    ["no white space", '{"alg":"ES256"}'],
    ["a space", '{ "alg":"ES256"}'],
    ["a line", '{\n  "alg": "ES256"\n}'],
    ["a tab", '{\t"alg":"ES256"}'],
  ])("is known by it, with %s behind the header's brace, and is no jti", async (_, written) => {
    for (const before of ["", "my token: ", "a.b "]) {
      const text = `${before}${part(written)}.${payload}.AAAA`;
      expect(holdsToken(text)).toBe(true);
      if (before !== "") expect(await tokenName(text)).toBe(null);
    }
  });

  test.each(["alice@homework.example.com", "a.b.c", "MTIz.MTIz.MTIz", "W10.W10.W10", "2026.11.22"])(
    "is not %s",
    (text) => expect(holdsToken(text)).toBe(false),
  );
});
