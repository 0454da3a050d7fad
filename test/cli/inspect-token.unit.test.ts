/** What `scopegate explain --token` makes of a token: judged as the gateway does, as far as that needs no key from elsewhere. */
import { SignJWT } from "jose";
import { afterAll, describe, expect, test } from "vitest";
import { generateSigningKeys, loadSigningKeys } from "../../src/token/signing-keys.ts";
import { directoryWith, scopegate } from "./run.ts";

const OWN = "https://api.example.com";
const OTHER = "https://login.example.com/";
const AT = "2026-06-01T12:00:00Z";
const NOW = Date.parse(AT) / 1000;
const directory = directoryWith({
  "scopegate.toml": `
[gateway]
public_url = "${OWN}"
[tokens]
audience = "api"
[[issuers]]
issuer = "${OTHER}"
audience = ["here", "there"]
algorithms = ["RS256", "EdDSA"]
scope_claim = "scp"
[scopes.a]
description = "d"
owner = "o"
max_lifetime = "1h"
[routes]
"GET /a" = { all = ["a"], resource = [] }
"GET /a/:id" = { all = ["a"], resource = "a:{id}" }
"GET /fresh" = { all = ["a"], resource = [], max_token_age = "1m" }
`,
});
afterAll(() => directory.remove());

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const own = { iss: OWN, aud: "api", sub: "s", client_id: "c", jti: "j", scope: "a", iat: NOW, exp: NOW + 600 };
const other = { iss: OTHER, aud: "there", scp: "a", iat: NOW, exp: NOW + 600 };

/** A token whose signature nobody can verify. */
function unverifiable(claims: object, alg = "iss" in claims && claims.iss === OWN ? "ES256" : "RS256"): string {
  return `${encoded({ alg, typ: "at+jwt", kid: "k" })}.${encoded(claims)}.${"A".repeat(86)}`;
}

/** Whether it is allowed, or why not; and what is said of the token. */
async function explained(target: string, token: string, env: Record<string, string> = {}, at = AT) {
  const args = ["explain", "GET", target, "--at", at, "--json", "--token", token];
  const { reason, steps } = JSON.parse((await scopegate(directory.path, args, env)).stdout);
  const named = (name: string) => steps.find(({ step }: { step: string }) => step === name);
  return { outcome: reason ?? "allowed", said: (named("token") ?? named("credentials")).detail as string };
}

const UNCHECKED = "its signature is not checked: there are no local SIGNING_KEYS";
const ELSEWHERE = `its signature is not checked: the keys of ${OTHER} are not here`;

describe("a token of this gateway whose key is not here", () => {
  test.each<[object, string, string, string]>([
    [{}, "/a", "allowed", UNCHECKED],
    [
      { aud: "apis" },
      "/a",
      "token_invalid",
      'the token is not valid here: audience: its aud is "apis"; the policy wants "api"',
    ],
    [{ exp: NOW - 30 }, "/a", "token_expired", "the token has expired"],
    [{ exp: NOW - 29 }, "/a", "allowed", UNCHECKED],
    [{ iat: NOW - 3629 }, "/a", "allowed", UNCHECKED],
    [{ iat: NOW - 3630 }, "/a", "token_expired", "the token has outlived the max_lifetime of its scopes"],
    [{ auth_time: NOW - 61 }, "/fresh", "condition_not_met", UNCHECKED],
    [{ auth_time: "now" }, "/a", "token_invalid", "the token is not valid here: times"],
    [{ allow_list: ["a:1"] }, "/a/1", "allowed", UNCHECKED],
    [{ allow_list: ["a:1"] }, "/a/2", "resource_not_allowed", UNCHECKED],
    [{ conditions: { countries: ["DE"] } }, "/a", "condition_not_met", UNCHECKED],
    [{ conditions: "none" }, "/a", "condition_not_met", UNCHECKED],
  ])("with %j, for %s: %s", async (claims, target, outcome, said) => {
    expect(await explained(target, unverifiable({ ...own, ...claims }))).toEqual({ outcome, said });
  });
});

describe("a token of another issuer", () => {
  test.each<[object, string, string, string]>([
    [{}, "/a", "allowed", ELSEWHERE],
    [
      { aud: "api" },
      "/a",
      "token_invalid",
      'the token is not valid here: audience: its aud is "api"; the policy wants "here", "there"',
    ],
    [{ exp: NOW - 30 }, "/a", "token_expired", "the token has expired"],
    [{ iat: NOW - 7200 }, "/a", "allowed", ELSEWHERE],
    [{ iat: NOW - 61 }, "/fresh", "condition_not_met", ELSEWHERE],
    [{ auth_time: NOW - 61 }, "/fresh", "allowed", ELSEWHERE],
    [{ allow_list: ["a:1"] }, "/a/1", "allowed", ELSEWHERE],
    [{ allow_list: ["a:1"] }, "/a/2", "resource_not_allowed", ELSEWHERE],
    [{ conditions: { countries: ["DE"] } }, "/a", "allowed", ELSEWHERE],
    [
      { scp: undefined, scope: "a" },
      "/a",
      "scope_insufficient",
      `${ELSEWHERE}; the token has no claim "scp" (scope_claim)`,
    ],
    [
      { iss: "x" },
      "/a",
      "token_invalid",
      `the token comes from an issuer that the policy does not name: its iss is "x"; the policy has "${OWN}", "${OTHER}"`,
    ],
  ])("with %j, for %s: %s", async (claims, target, outcome, said) => {
    expect(await explained(target, unverifiable({ ...other, ...claims }))).toEqual({ outcome, said });
  });

  test("by one of its algorithms is judged, and by another refused", async () => {
    expect(await explained("/a", unverifiable(other, "Ed25519"))).toEqual({ outcome: "allowed", said: ELSEWHERE });
    expect(await explained("/a", unverifiable(other, "ES256"))).toEqual({
      outcome: "token_invalid",
      said: "the token is signed by an algorithm that the policy does not accept",
    });
  });
});

test.each([
  ["a b", "credentials_malformed", "the token is no bearer token (RFC 6750 §2.1)"],
  ["a.b", "token_invalid", "the token is not a whole JWT (three parts joined by dots): was it cut off?"],
  ["a.b.c", "token_invalid", "the token is no JWS in compact form that could be read strictly"],
])("%s is no token: %s", async (token, outcome, said) => {
  expect(await explained("/a", token)).toEqual({ outcome, said });
});

test("a token that the local keys verify is judged at the time that is asked about", async () => {
  const keys = await generateSigningKeys();
  const { signer } = await loadSigningKeys(keys);
  const sign = (claims: object) =>
    new SignJWT({ ...own, ...claims }).setProtectedHeader({ alg: "ES256", typ: "at+jwt" }).sign(signer.key);
  const ask = async (claims: object, at?: string) => explained("/a", await sign(claims), { SIGNING_KEYS: keys }, at);
  expect(await ask({})).toEqual({ outcome: "allowed", said: "of s, verified with the local SIGNING_KEYS" });
  expect(await ask({}, "2026-06-01T12:10:30Z")).toEqual({ outcome: "token_expired", said: "the token has expired" });
  expect(await ask({ iat: NOW - 3630 })).toEqual({
    outcome: "token_expired",
    said: "the token has outlived the max_lifetime of its scopes",
  });
  expect(await explained("/a", unverifiable(own), { SIGNING_KEYS: keys })).toEqual({
    outcome: "allowed",
    said: "its signature is not checked: its key is not among the local SIGNING_KEYS",
  });
  expect(await ask({ aud: "x" })).toEqual({
    outcome: "token_invalid",
    said: 'the token is not valid here: audience: its aud is "x"; the policy wants "api"',
  });
});
