import { beforeAll, describe, expect, test } from "vitest";
import type { Policy } from "../../src/policy/policy.ts";
import { namesIn } from "../../src/policy/scope.ts";
import { fingerprint } from "../../src/revocation/fingerprint.ts";
import type { KeyTrouble } from "../../src/token/key-source.ts";
import type { Principal } from "../../src/token/principal.ts";
import type { Fetch } from "../../src/token/published-keys.ts";
import { loadSigningKeys, type SigningKeys } from "../../src/token/signing-keys.ts";
import { createVerifier, isRefusal, type TokenRefusal, type Verifier } from "../../src/token/verify.ts";
import {
  AUDIENCE,
  base64url,
  GATEWAY,
  ISSUER,
  makeKey,
  makeToken,
  NOW,
  PLAIN_ISSUER,
  policyOf,
  type TestKey,
} from "./fixture.ts";

let es256: TestKey;
let rs256: TestKey;
let ed25519: TestKey;
let own: TestKey;
let stranger: TestKey;
let signingKeys: SigningKeys;

beforeAll(async () => {
  [es256, rs256, ed25519, own, stranger] = await Promise.all([
    makeKey("ES256", "es"),
    makeKey("RS256", "rs"),
    makeKey("EdDSA", "ed"),
    makeKey("ES256", "own"),
    makeKey("ES256", "es"),
  ]);
  signingKeys = await loadSigningKeys(JSON.stringify({ keys: [own.privateJwk] }));
});

interface Bench {
  readonly verifier: Verifier;
  readonly fetched: string[];
  readonly troubles: KeyTrouble[];
  verify(token: string, nowSeconds?: number): Promise<Principal | TokenRefusal>;
}

interface BenchOptions {
  readonly policy?: Policy;
  readonly keys?: readonly unknown[];
  readonly fetch?: Fetch;
  readonly bindings?: Record<string, unknown>;
  readonly signingKeys?: () => Promise<SigningKeys>;
  readonly now?: number;
}

/** A verifier in front of an issuer that publishes `keys` (absent: one of each kind). */
function bench(options: BenchOptions = {}): Bench {
  const fetched: string[] = [];
  const troubles: KeyTrouble[] = [];
  const keys = options.keys ?? [es256.publicJwk, rs256.publicJwk, ed25519.publicJwk];
  const verifier = createVerifier({
    policy: options.policy ?? policyOf(`${PLAIN_ISSUER}jwks_uri = "https://login.example.com/keys"\n`),
    bindings: options.bindings ?? {},
    signingKeys: options.signingKeys ?? (async () => signingKeys),
    fetch: async (url, init) => {
      fetched.push(url);
      return options.fetch === undefined ? Response.json({ keys }) : options.fetch(url, init);
    },
    now: () => options.now ?? NOW,
    copies: null,
    report: (trouble) => troubles.push(trouble),
  });
  return {
    verifier,
    fetched,
    troubles,
    verify: (token, nowSeconds = NOW) => verifier.verify(token, nowSeconds, () => undefined),
  };
}

function invalid(detail: string): TokenRefusal {
  return { reason: "token_invalid", detail } as TokenRefusal;
}

async function principal(verifying: Promise<Principal | TokenRefusal>): Promise<Principal> {
  const result = await verifying;
  if (isRefusal(result)) throw new Error(JSON.stringify(result));
  return result;
}

describe("a token of a configured issuer", () => {
  test("becomes a principal with everything that the other rooms ask for", async () => {
    const policy = policyOf(PLAIN_ISSUER);
    const found = await principal(bench().verify(await makeToken(es256, { allow_list: ["charge:*"] })));
    expect(namesIn(policy.catalogue, found.grant.granted)).toEqual(["charges:read"]);
    expect(found).toMatchObject({
      issuer: ISSUER,
      subject: "user-1",
      client: "client-1",
      tokenId: "token-1",
      keyId: "es",
      ancestors: [],
      fingerprints: [fingerprint(ISSUER, "token-1")],
      issuedAtSeconds: NOW - 60,
      expiresAtSeconds: NOW + 3600,
      goodUntilSeconds: NOW + 3630,
      own: false,
      scopes: ["charges:read"],
      allowList: { kind: "listed" },
      conditions: [],
    });
  });

  test.each(["ES256", "RS256", "EdDSA"])("signed with %s is verified", async (algorithm) => {
    const key = [es256, rs256, ed25519].find((candidate) => candidate.algorithm === algorithm) as TestKey;
    expect((await principal(bench().verify(await makeToken(key)))).keyId).toBe(key.kid);
  });

  test("signed with Ed25519 under its newer name is verified (RFC 9864)", async () => {
    expect((await principal(bench().verify(await makeToken(ed25519, {}, { alg: "Ed25519" })))).keyId).toBe("ed");
  });

  test("without a kid is verified by the key that fits", async () => {
    expect((await principal(bench().verify(await makeToken(es256, {}, { kid: undefined })))).keyId).toBe("es");
  });

  test("is verified by the second of two keys with one kid", async () => {
    const { verify } = bench({ keys: [stranger.publicJwk, es256.publicJwk] });
    expect((await principal(verify(await makeToken(es256)))).keyId).toBe("es");
  });

  test("without a jti is named by the digest of what was signed, however its signature is spelled", async () => {
    const token = await makeToken(es256, { jti: undefined });
    const twin = respellSignature(token);
    expect(twin).not.toBe(token);
    const [one, other] = [await principal(bench().verify(token)), await principal(bench().verify(twin))];
    expect(one.tokenId).toMatch(/^sha256:[A-Za-z0-9_-]{43}$/);
    expect(other.tokenId).toBe(one.tokenId);
    expect(other.fingerprints).toEqual(one.fingerprints);
  });

  test("keeps its conditions to itself: only this gateway's count", async () => {
    expect((await principal(bench().verify(await makeToken(es256, { conditions: "x" })))).conditions).toEqual([]);
  });

  test("has no ancestors, whatever it says", async () => {
    expect((await principal(bench().verify(await makeToken(es256, { ancestors: ["a"] })))).ancestors).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    ["absent", undefined, "absent"],
    ["empty", [], "empty"],
    ["null", null, "unreadable"],
    ["text", "*:*", "unreadable"],
    ["all", ["*:*"], "all"],
  ])("with an allow list that is %s", async (_what, allow_list, kind) => {
    expect((await principal(bench().verify(await makeToken(es256, { allow_list })))).allowList.kind).toBe(kind);
  });
});

/** The other signature of an ECDSA pair: (r, n - s). */
function respellSignature(token: string): string {
  const [header, payload, signature = ""] = token.split(".");
  const bytes = Uint8Array.from(atob(signature.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const hex = Array.from(bytes.subarray(32), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const twin = (order - BigInt(`0x${hex}`)).toString(16).padStart(64, "0");
  for (let at = 0; at < 32; at++) bytes[32 + at] = Number.parseInt(twin.slice(at * 2, at * 2 + 2), 16);
  const text = btoa(String.fromCharCode(...bytes));
  return `${header}.${payload}.${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

describe("a token is refused", () => {
  test.each<[string, string, () => Promise<string>]>([
    ["that is none", "shape", async () => "abc"],
    ["of an unknown issuer", "issuer", () => makeToken(es256, { iss: "https://other.example.com/" })],
    ["without an issuer", "issuer", () => makeToken(es256, { iss: undefined })],
    ["of an issuer that is a list", "issuer", () => makeToken(es256, { iss: [ISSUER] })],
    ["of our issuer without its slash", "issuer", () => makeToken(es256, { iss: ISSUER.slice(0, -1) })],
    ["of an issuer named as a prototype's member", "issuer", () => makeToken(es256, { iss: "constructor" })],
    ["for another audience", "audience", () => makeToken(es256, { aud: "other" })],
    ["with a confirmation", "confirmation", () => makeToken(es256, { cnf: { jkt: "x" } })],
    ["whose kid belongs to another kind of key", "key", () => makeToken(es256, {}, { kid: "rs" })],
    ["with an unknown kid", "key", () => makeToken(es256, {}, { kid: "ES" })],
    ["signed by a stranger with our kid", "signature", () => makeToken(stranger)],
    ["signed by a stranger without a kid", "signature", () => makeToken(stranger, {}, { kid: undefined })],
    ["signed by this gateway for another issuer", "signature", () => makeToken(own, {}, { kid: "es" })],
    ["signed by another issuer for this gateway", "key", () => makeToken(es256, { iss: GATEWAY })],
  ])("%s", async (_what, detail, token) => {
    expect(await bench().verify(await token())).toEqual(invalid(detail));
  });

  test.each(["none", "HS256", "RS512", "ES384", "rs256", "constructor"])("with the alg %s", async (alg) => {
    const [, payload, signature] = (await makeToken(es256)).split(".");
    const token = `${base64url(JSON.stringify({ alg, typ: "at+jwt", kid: "es" }))}.${payload}.${signature}`;
    expect(await bench().verify(token)).toMatchObject({ reason: "token_invalid" });
  });

  test("with any part of it changed", async () => {
    const token = await makeToken(es256);
    const { verify } = bench();
    for (let at = 0; at < token.length; at += 7) {
      const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
      if (changed !== token) expect(await verify(changed)).toMatchObject({ reason: "token_invalid" });
    }
  });

  test("with an issuer's key that the token brought along", async () => {
    const token = await makeToken(stranger, {}, { jwk: stranger.publicJwk });
    expect(await bench().verify(token)).toEqual(invalid("shape"));
  });

  test("without a word to the issuer where its claims are wrong", async () => {
    const { verify, fetched } = bench();
    await verify(await makeToken(es256, { aud: "other" }));
    await verify(await makeToken(es256, {}, { alg: "ES256", jku: "https://evil.example/keys" }).then(respellSignature));
    expect(fetched.filter((url) => url !== "https://login.example.com/keys")).toEqual([]);
  });

  test("as expired only if it is otherwise valid and truly signed", async () => {
    const { verify } = bench();
    const expired = { exp: NOW - 100 };
    expect(await verify(await makeToken(es256, expired))).toEqual({ reason: "token_expired" });
    expect(await verify(await makeToken(stranger, expired))).toEqual(invalid("signature"));
    expect(await verify(await makeToken(es256, { ...expired, aud: "other" }))).toEqual(invalid("audience"));
    const unsigned = `${(await makeToken(es256, expired)).split(".").slice(0, 2).join(".")}.`;
    expect(await verify(unsigned)).toMatchObject({ reason: "token_invalid" });
  });
});

describe("issuers are kept apart", () => {
  const OTHER = "https://other.example.com/";
  const two = `${PLAIN_ISSUER}algorithms = ["ES256"]\n[[issuers]]\nissuer = "${OTHER}"\naudience = "other"\nalgorithms = ["RS256"]\n`;

  test("in keys with one kid, in algorithms and in audiences", async () => {
    const twin = await makeKey("ES256", "es");
    const { verify } = bench({
      policy: policyOf(two),
      fetch: async (url) => {
        const [issuer, key] = url.startsWith(OTHER) ? [OTHER, twin] : [ISSUER, es256];
        if (url.endsWith("/keys")) return Response.json({ keys: [key.publicJwk, rs256.publicJwk] });
        return Response.json({ issuer, jwks_uri: `${issuer}keys` });
      },
    });
    expect(isRefusal(await verify(await makeToken(es256)))).toBe(false);
    expect(await verify(await makeToken(twin))).toEqual(invalid("signature"));
    expect(await verify(await makeToken(rs256))).toEqual(invalid("algorithm"));
    expect(isRefusal(await verify(await makeToken(rs256, { iss: OTHER, aud: "other" })))).toBe(false);
    expect(await verify(await makeToken(rs256, { iss: OTHER }))).toEqual(invalid("audience"));
    expect(await verify(await makeToken(twin, { iss: OTHER, aud: "other" }))).toEqual(invalid("algorithm"));
  });
});

describe("a token of this gateway", () => {
  const mine = { iss: GATEWAY };

  test("is verified by the gateway's own keys and asks nobody", async () => {
    const { verify, fetched } = bench();
    const claims = { ...mine, scope: "charges:* scopegate:tokens", ancestors: ["root", "branch"] };
    const found = await principal(verify(await makeToken(own, claims, {})));
    expect(fetched).toEqual([]);
    expect(found).toMatchObject({ own: true, ancestors: ["root", "branch"], keyId: "own" });
    expect(found.fingerprints).toEqual(["token-1", "root", "branch"].map((id) => fingerprint(GATEWAY, id)));
    expect(namesIn(policyOf("").catalogue, found.grant.granted)).toEqual([
      "scopegate:tokens",
      "charges:read",
      "charges:write",
      "charges:delete",
    ]);
  });

  test("has its conditions, and what cannot be read of them holds never", async () => {
    const { verify } = bench();
    const conditions = [{ cidr: ["10.0.0.0/8"] }, { countries: ["DE"] }];
    expect((await principal(verify(await makeToken(own, { ...mine, conditions })))).conditions).toHaveLength(2);
    const unknown = await principal(verify(await makeToken(own, { ...mine, conditions: { moon: "full" } })));
    expect(unknown.conditions).toBe("unreadable");
  });

  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ["with another typ", {}, { typ: "JWT" }],
    ["without a typ", {}, { typ: undefined }],
    ["without a jti", { jti: undefined }, {}],
    ["without a client_id", { client_id: undefined }, {}],
    ["with ancestors that are no list", { ancestors: "root" }, {}],
    ["with ancestors that are no names", { ancestors: [1] }, {}],
    ["with seventeen ancestors", { ancestors: Array.from({ length: 17 }, String) }, {}],
  ])("is refused %s", async (_what, claims, header) => {
    const result = await bench().verify(await makeToken(own, { ...mine, ...claims }, header));
    expect(result).toMatchObject({ reason: "token_invalid" });
  });

  test("lives no longer than its scopes may, however it got them", async () => {
    const { verify } = bench();
    for (const scope of ["charges:delete", "charges:*", "*"]) {
      const claims = { ...mine, scope, exp: NOW + 86_400, iat: NOW - 3600 };
      expect((await principal(verify(await makeToken(own, claims)))).goodUntilSeconds).toBe(NOW + 30);
      expect(await verify(await makeToken(own, claims), NOW + 30)).toEqual({ reason: "token_expired" });
    }
    const plain = { ...mine, scope: "charges:read", exp: NOW + 86_400, iat: NOW - 3600 };
    expect((await principal(verify(await makeToken(own, plain)))).goodUntilSeconds).toBe(NOW + 86_430);
  });

  test("meets an outage where the keys are not usable, and is verified once they are", async () => {
    let usable = false;
    const { verify, troubles } = bench({
      signingKeys: () => (usable ? Promise.resolve(signingKeys) : loadSigningKeys(undefined)),
    });
    const token = await makeToken(own, mine);
    expect(await verify(token)).toEqual({ reason: "keys_unavailable", retryAfterSeconds: 60 });
    expect(troubles).toEqual([{ event: "signing_keys_unusable", issuer: GATEWAY, cause: "SIGNING_KEYS is not set" }]);
    usable = true;
    expect(isRefusal(await verify(token))).toBe(false);
  });
});

describe("an issuer with a shared secret", () => {
  const SECRET = "0123456789abcdef0123456789abcdef";
  const policy = policyOf(`${PLAIN_ISSUER}algorithms = ["HS256"]\nsecret = "LEGACY"\n`);

  async function hs256(secret: string, header: object = {}): Promise<string> {
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: "u", exp: NOW + 60 };
    const signed = `${base64url(JSON.stringify({ alg: "HS256", ...header }))}.${base64url(JSON.stringify(claims))}`;
    const bytes = new TextEncoder().encode(secret);
    const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(signed)));
    const text = btoa(String.fromCharCode(...mac));
    return `${signed}.${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
  }

  test("verifies by it, whatever the kid, and asks nobody", async () => {
    const { verify, fetched } = bench({ policy, bindings: { LEGACY: SECRET } });
    expect((await principal(verify(await hs256(SECRET)))).keyId).toBe("secret:LEGACY");
    expect((await principal(verify(await hs256(SECRET, { kid: "/dev/null" })))).keyId).toBe("secret:LEGACY");
    expect(await verify(await hs256(`${SECRET}x`))).toEqual(invalid("signature"));
    expect(await verify(await makeToken(es256))).toEqual(invalid("algorithm"));
    expect(fetched).toEqual([]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["missing", {}, "LEGACY is not set"],
    ["no text", { LEGACY: { get: () => SECRET } }, "LEGACY is not set"],
    ["short", { LEGACY: SECRET.slice(1) }, "LEGACY is shorter than 32 bytes"],
  ])("verifies nothing where it is %s, and says so once", async (_what, bindings, cause) => {
    const { verify, troubles } = bench({ policy, bindings });
    const token = await hs256(SECRET.slice(1));
    expect(await verify(token)).toEqual({ reason: "keys_unavailable", retryAfterSeconds: 60 });
    await verify(token);
    expect(troubles).toEqual([{ event: "secret_unusable", issuer: ISSUER, cause }]);
  });

  test("is not found in a prototype", async () => {
    const odd = policyOf(`${PLAIN_ISSUER}algorithms = ["HS256"]\nsecret = "toString"\n`);
    expect(await bench({ policy: odd }).verify(await hs256(SECRET))).toMatchObject({ reason: "keys_unavailable" });
  });
});

describe("a verified token", () => {
  test("is recalled at once, until it ends, and never before it was verified", async () => {
    const { verifier, verify } = bench();
    const token = await makeToken(es256, { exp: NOW + 300 });
    expect(verifier.recall(token, NOW)).toBeUndefined();
    const found = await verify(token);
    expect(verifier.recall(token, NOW)).toBe(found);
    expect(verifier.recall(`${token}A`, NOW)).toBeUndefined();
    expect(verifier.recall(token, NOW + 329)).toBe(found);
    expect(verifier.recall(token, NOW + 330)).toBeUndefined();
    expect(await verify(token, NOW + 330)).toEqual({ reason: "token_expired" });
  });

  test("is not recalled while its issuer's keys are due, so that somebody refreshes them", async () => {
    const { verifier, verify, fetched } = bench();
    const token = await makeToken(es256);
    const found = await verify(token);
    expect(verifier.recall(token, NOW + 600)).toBeUndefined();
    expect(await verify(token, NOW + 600)).toBe(found);
    expect(fetched).toHaveLength(2);
  });

  test("that was refused is not remembered", async () => {
    const { verifier, verify } = bench();
    const token = await makeToken(stranger);
    await verify(token);
    expect(verifier.recall(token, NOW)).toBeUndefined();
  });

  test("ends with a sunset of the catalogue, and is granted anew", async () => {
    const sunset = policyOf(
      `${PLAIN_ISSUER}[scopes."charges:export"]\ndescription = "x"\nowner = "x"\ndeprecated = "2026-09-01"\nsunset = "2027-03-01"\n`,
    );
    const at = Date.parse("2027-03-01T00:00:00Z") / 1000;
    const { verifier, verify } = bench({
      policy: sunset,
      now: at,
      fetch: async (url) =>
        Response.json(
          url.endsWith("keys") ? { keys: [es256.publicJwk] } : { issuer: ISSUER, jwks_uri: `${ISSUER}keys` },
        ),
    });
    const token = await makeToken(es256, { scope: "charges:export", iat: at - 100, exp: at + 100 });
    const before = await principal(verify(token, at - 1));
    expect(namesIn(sunset.catalogue, before.grant.granted)).toEqual(["charges:export"]);
    expect(before.goodUntilSeconds).toBe(at);
    expect(verifier.recall(token, at)).toBeUndefined();
    expect(namesIn(sunset.catalogue, (await principal(verify(token, at))).grant.granted)).toEqual([]);
  });
});
