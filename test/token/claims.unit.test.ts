import { describe, expect, test } from "vitest";
import { type ClaimsPolicy, judgeClaims, judgeOwnClaims } from "../../src/token/claims.ts";
import type { Jws } from "../../src/token/jws.ts";
import { AUDIENCE, ISSUER, NOW } from "./fixture.ts";

const SKEW = 30;
const POLICY: ClaimsPolicy = { audiences: [AUDIENCE, "second"], requireTyp: null };
const CLAIMS = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "user-1",
  client_id: "client-1",
  jti: "token-1",
  iat: NOW - 60,
  exp: NOW + 60,
};

function jws(claims: Record<string, unknown>, typ: string | null = "at+jwt"): Jws {
  const payload = Object.fromEntries(
    Object.entries({ ...CLAIMS, ...claims }).filter(([, value]) => value !== undefined),
  );
  return { header: { alg: "ES256", kid: "k", typ }, payload, signedPart: "" };
}

function judge(claims: Record<string, unknown>, typ?: string | null, policy = POLICY): string {
  const outcome = judgeClaims(jws(claims, typ), policy, NOW, SKEW);
  return outcome.kind === "invalid" ? outcome.fault : outcome.kind;
}

test("a valid token's claims come out in their types", () => {
  expect(judgeClaims(jws({}), POLICY, NOW, SKEW)).toEqual({
    kind: "valid",
    claims: {
      subject: "user-1",
      client: "client-1",
      jti: "token-1",
      issuedAtSeconds: NOW - 60,
      expiresAtSeconds: NOW + 60,
    },
  });
});

test("the client is client_id, else azp, else nobody", () => {
  const client = (claims: Record<string, unknown>) => {
    const outcome = judgeClaims(jws(claims), POLICY, NOW, SKEW);
    return outcome.kind === "valid" ? outcome.claims.client : outcome;
  };
  expect(client({ azp: "other" })).toBe("client-1");
  expect(client({ client_id: undefined, azp: "other" })).toBe("other");
  expect(client({ client_id: undefined })).toBeNull();
});

describe("times", () => {
  test.each([
    ["exp a second within the skew", { exp: NOW - SKEW + 1 }, "valid"],
    ["exp exactly at the skew's end", { exp: NOW - SKEW }, "expired"],
    ["exp with a fraction", { exp: NOW + 0.5 }, "valid"],
    ["exp 0", { exp: 0 }, "expired"],
    ["exp negative", { exp: -1 }, "times"],
    ["exp beyond 2^53", { exp: 2 ** 53 }, "times"],
    ["exp 2.001e206", { exp: 2.001e206 }, "times"],
    ["exp infinite, as 1e999 parses", { exp: JSON.parse("1e999") }, "times"],
    ["exp missing", { exp: undefined }, "times"],
    ["exp a string", { exp: String(NOW + 60) }, "times"],
    ["exp a list", { exp: [NOW + 60] }, "times"],
    ["exp null", { exp: null }, "times"],
    ["exp false", { exp: false }, "times"],
    ["nbf at the skew's end", { nbf: NOW + SKEW }, "valid"],
    ["nbf beyond the skew", { nbf: NOW + SKEW + 1 }, "times"],
    ["nbf 0, as Keycloak once sent", { nbf: 0 }, "valid"],
    ["nbf null", { nbf: null }, "times"],
    ["nbf empty", { nbf: "" }, "times"],
    ["iat at the skew's end", { iat: NOW + SKEW }, "valid"],
    ["iat beyond the skew", { iat: NOW + SKEW + 1 }, "times"],
    ["iat missing", { iat: undefined }, "valid"],
    ["iat null", { iat: null }, "times"],
    ["iat a list", { iat: [] }, "times"],
  ])("%s", (_what, claims, outcome) => {
    expect(judge(claims)).toBe(outcome);
  });

  test("of an expired token with another fault only the fault counts", () => {
    expect(judge({ exp: NOW - 1000, aud: "other" })).toBe("audience");
    expect(judge({ exp: NOW - 1000, nbf: NOW + 1000 })).toBe("times");
  });
});

describe("audience", () => {
  test.each([
    ["ours", AUDIENCE, "valid"],
    ["our second", "second", "valid"],
    ["ours among others", ["x", AUDIENCE], "valid"],
    ["another", "other", "audience"],
    ["ours as a prefix", `${AUDIENCE}.evil.test`, "audience"],
    ["ours in upper case", AUDIENCE.toUpperCase(), "audience"],
    ["ours with a slash", `${AUDIENCE}/`, "audience"],
    ["a star", "*", "audience"],
    ["empty", "", "audience"],
    ["an empty list", [], "audience"],
    ["a list of lists", [[AUDIENCE]], "audience"],
    ["a list with ours and a number", [AUDIENCE, 1], "audience"],
    ["an object", { [AUDIENCE]: true }, "audience"],
    ["a number", 1, "audience"],
    ["null", null, "audience"],
    ["missing", undefined, "audience"],
  ])("%s", (_what, aud, outcome) => {
    expect(judge({ aud })).toBe(outcome);
  });

  test("a Cognito access token has its client for an audience, and no other token has", () => {
    const cognito = { aud: undefined, token_use: "access", client_id: "second" };
    expect(judge(cognito, null)).toBe("valid");
    expect(judge({ ...cognito, client_id: "client-1" }, null)).toBe("audience");
    expect(judge({ ...cognito, client_id: ["second"] }, null)).toBe("audience");
    expect(judge({ ...cognito, token_use: undefined }, null)).toBe("audience");
    expect(judge({ ...cognito, aud: "other" }, null)).toBe("audience");
    expect(judge({ ...cognito, aud: null }, null)).toBe("audience");
  });
});

describe("typ", () => {
  test.each([
    ["at+jwt", "valid"],
    ["jwt", "valid"],
    [null, "valid"],
    ["bearer", "valid"],
    ["dpop+jwt", "typ"],
    ["secevent+jwt", "typ"],
    ["logout+jwt", "typ"],
    ["token-introspection+jwt", "typ"],
    ["client-authentication+jwt", "typ"],
    ["oauth-authz-req+jwt", "typ"],
    ["kb+jwt", "typ"],
    ["vc+sd-jwt", "typ"],
    ["id_token", "typ"],
    ["jwe", "typ"],
    ["jose", "typ"],
  ])("%s is %s where the policy asks for none", (typ, outcome) => {
    expect(judge({}, typ)).toBe(outcome);
  });

  test("what require_typ asks for is the only one", () => {
    const strict = { ...POLICY, requireTyp: "at+jwt" };
    expect(judge({}, "at+jwt", strict)).toBe("valid");
    expect(judge({}, "jwt", strict)).toBe("typ");
    expect(judge({}, null, strict)).toBe("typ");
    expect(judge({}, "at+jwt", { ...POLICY, requireTyp: "jwt" })).toBe("typ");
  });

  test("a type of an issuer's own is taken where require_typ names it, and only there", () => {
    const own = { ...POLICY, requireTyp: "acme-access+jwt" };
    expect(judge({}, "acme-access+jwt", own)).toBe("valid");
    expect(judge({}, "at+jwt", own)).toBe("typ");
    expect(judge({}, "acme-access+jwt")).toBe("typ");
    expect(judge({ at_hash: "x" }, "jwt", { ...POLICY, requireTyp: "jwt" })).toBe("typ");
  });

  test.each([
    ["an ID token by at_hash", { at_hash: "x", nonce: "n" }],
    ["an ID token by c_hash", { c_hash: "x" }],
    ["a logout token", { events: { "http://schemas.openid.net/event/backchannel-logout": {} } }],
    ["a Keycloak ID token", { typ: "ID" }],
    ["a Keycloak refresh token", { typ: "Refresh" }],
    ["a Cognito ID token", { token_use: "id" }],
  ])("refuses %s that says nothing in its header", (_what, claims) => {
    expect(judge(claims, "jwt")).toBe("typ");
    expect(judge(claims, null)).toBe("typ");
  });

  test("takes an access token with a nonce, as old Keycloaks send", () => {
    expect(judge({ nonce: "n", typ: "Bearer" }, "jwt")).toBe("valid");
  });
});

describe("names", () => {
  test.each([
    ["sub missing", { sub: undefined }, "valid"],
    ["sub empty", { sub: "" }, "subject"],
    ["sub null", { sub: null }, "subject"],
    ["sub a number", { sub: 1 }, "subject"],
    ["sub beyond ASCII", { sub: "jürgen-名前" }, "valid"],
    ["sub with a line end", { sub: "a\r\nX-Admin: 1" }, "subject"],
    ["sub with half a letter", { sub: "\ud800" }, "subject"],
    ["jti missing", { jti: undefined }, "valid"],
    ["jti a number", { jti: 1_234_567 }, "token_id"],
    ["jti empty", { jti: "" }, "token_id"],
    ["jti null", { jti: null }, "token_id"],
    ["jti of 2,000 characters", { jti: "a".repeat(2000) }, "valid"],
    ["jti named as a prototype", { jti: "__proto__" }, "valid"],
    ["jti in the shape of a digest", { jti: `sha256:${"A".repeat(43)}` }, "token_id"],
    ["client_id a list", { client_id: ["client-1"] }, "client"],
    ["azp an object", { azp: {} }, "client"],
  ])("%s", (_what, claims, outcome) => {
    expect(judge(claims)).toBe(outcome);
  });

  test.each([[{ jkt: "x" }], [{}], [null], ["x"], [false]])(
    "refuses a confirmation that cannot be checked: %j",
    (cnf) => {
      expect(judge({ cnf })).toBe("confirmation");
    },
  );
});

describe("a token of this gateway", () => {
  function judgeOwn(claims: Record<string, unknown>, typ: string | null = "at+jwt"): string {
    const outcome = judgeOwnClaims(jws(claims, typ), AUDIENCE, NOW, SKEW);
    return outcome.kind === "invalid" ? outcome.fault : outcome.kind;
  }

  test("is valid with every claim of RFC 9068 §2.2", () => {
    expect(judgeOwn({})).toBe("valid");
    expect(judgeOwn({ exp: NOW - 100 })).toBe("expired");
  });

  test.each(["iss", "aud", "sub", "client_id", "iat", "exp", "jti"].filter((name) => name !== "iss"))(
    "is refused without %s",
    (name) => {
      expect(judgeOwn({ [name]: undefined })).not.toBe("valid");
    },
  );

  test("is refused with another typ, another audience, or azp instead of client_id", () => {
    expect(judgeOwn({}, "jwt")).toBe("typ");
    expect(judgeOwn({}, null)).toBe("typ");
    expect(judgeOwn({ aud: "second" })).toBe("audience");
    expect(judgeOwn({ client_id: undefined, azp: "client-1" })).toBe("required_claim");
  });

  test("is refused where its client would have to stand for the audience", () => {
    expect(judgeOwn({ aud: undefined, token_use: "access", client_id: AUDIENCE })).toBe("required_claim");
  });

  test.each([[["charges:read"]], [null], [5], [{}]])("is refused with the scope %j, which is no string", (scope) => {
    expect(judgeOwn({ scope })).toBe("scope");
  });

  test("may have an empty scope, or none", () => {
    expect([judgeOwn({ scope: "" }), judgeOwn({})]).toEqual(["valid", "valid"]);
  });
});
