/** The issuers of the README, each asked to judge a token of the shape that docs/issuers.md shows. */
import { readFileSync } from "node:fs";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { parse } from "smol-toml";
import { beforeAll, describe, expect, test } from "vitest";
import { loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { namesIn } from "../../src/policy/scope.ts";
import type { Principal } from "../../src/token/principal.ts";
import { createVerifier, isRefusal, type TokenRefusal } from "../../src/token/verify.ts";
import { blocksOf } from "./markdown.ts";

const NOW = 1_800_000_000;
const blocks = (file: string, language: string) => blocksOf({ file, text: readFileSync(file, "utf8") }, language);

const payloads: readonly JWTPayload[] = blocks("docs/issuers.md", "json").map(({ text }) => JSON.parse(text));
const payloadOf = (host: string): JWTPayload => {
  const found = payloads.find(({ iss }) => iss?.includes(host));
  if (found === undefined) throw new Error(`docs/issuers.md shows no token of ${host}`);
  return found;
};

/** Headers as these providers write them: `typ` where they do. */
const PROVIDERS = [
  { host: "auth0.com", typ: "JWT", jti: false, client: "my_client_id" },
  { host: "okta.com", typ: undefined, jti: true, client: null },
  { host: "microsoftonline.com", typ: "JWT", jti: false, client: "11112222-bbbb-3333-cccc-4444dddd5555" },
  { host: "amazonaws.com", typ: undefined, jti: true, client: "1example23456789" },
  { host: "sso.example.com", typ: "JWT", jti: true, client: "web" },
  { host: "cloudflareaccess.com", typ: "JWT", jti: false, client: null },
];

let policy: Policy;
let judge: (payload: JWTPayload, typ: string | undefined) => Promise<Principal | TokenRefusal>;

beforeAll(async () => {
  const entries = blocks("README.md", "toml").find(
    ({ text }) => Array.isArray(parse(text)["issuers"]) && !text.includes("[routes]"),
  );
  const base = readFileSync("scopegate.toml", "utf8");
  const loaded = loadPolicy(`${base}\n${entries?.text ?? ""}`);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  policy = loaded.policy;

  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "k1", use: "sig" }] };
  const verifier = createVerifier({
    policy,
    bindings: {},
    signingKeys: () => Promise.reject(new Error("no token here is the gateway's own")),
    // Each issuer as it is: metadata below the issuer (with the keys elsewhere), and the keys of Access at its own place.
    fetch: async (url) => {
      const issuer = url.replace(/\/?\.well-known\/openid-configuration$/, "");
      const known = policy.issuers.find((each) => each.issuer.replace(/\/$/, "") === issuer);
      if (known !== undefined && known.jwksUri === null) {
        return Response.json({ issuer: known.issuer, jwks_uri: `${new URL(issuer).origin}/keys` });
      }
      const isKeys = url.endsWith("/keys") || url === "https://acme.cloudflareaccess.com/cdn-cgi/access/certs";
      return isKeys ? Response.json(jwks) : new Response(null, { status: 404 });
    },
    now: () => NOW,
    copies: null,
    report: () => undefined,
  });
  judge = async (payload, typ) => {
    const header = { alg: "RS256", kid: "k1", ...(typ !== undefined && { typ }) };
    const token = await new SignJWT({ iat: NOW - 60, exp: NOW + 3600, ...payload })
      .setProtectedHeader(header)
      .sign(privateKey);
    return verifier.verify(token, NOW, () => undefined);
  };
});

function principal(judged: Principal | TokenRefusal): Principal {
  if (isRefusal(judged)) throw new Error(JSON.stringify(judged));
  return judged;
}

describe.each(PROVIDERS)("a token of $host", ({ host, typ, jti, client }) => {
  test("is accepted and grants charges:read and nothing more", async () => {
    const who = principal(await judge(payloadOf(host), typ));
    expect(namesIn(policy.catalogue, who.grant.granted)).toEqual(["charges:read"]);
  });

  test("is known by its subject, its client and its name as the page says", async () => {
    const who = principal(await judge(payloadOf(host), typ));
    expect(who.subject).toBe(payloadOf(host).sub);
    expect(who.client).toBe(client);
    expect(who.tokenId.startsWith("sha256:")).toBe(!jti);
  });

  test("is refused for another audience", async () => {
    const { aud: _, client_id: __, ...others } = payloadOf(host);
    const judged = await judge({ ...others, aud: "https://other.example.com" }, typ);
    expect(judged).toMatchObject({ reason: "token_invalid", detail: "audience" });
  });

  test("is refused where it says that it is an ID token", async () => {
    const judged = await judge({ ...payloadOf(host), at_hash: "fPlsvVszI29LU2UhDyJ9vg" }, typ);
    expect(judged).toMatchObject({ reason: "token_invalid", detail: "typ" });
  });
});

test("Cognito's ID token is refused, though it names the app client as its audience", async () => {
  const { client_id: aud, ...others } = payloadOf("amazonaws.com");
  const judged = await judge({ ...others, aud: String(aud), token_use: "id" }, undefined);
  expect(judged).toMatchObject({ reason: "token_invalid", detail: "typ" });
});

test("Keycloak's user without a role on the client may do nothing", async () => {
  const who = principal(await judge({ ...payloadOf("sso.example.com"), resource_access: {} }, "JWT"));
  expect(namesIn(policy.catalogue, who.grant.granted)).toEqual([]);
});

test("a service token of Cloudflare Access is refused for its empty subject, as the page says", async () => {
  const judged = await judge({ ...payloadOf("cloudflareaccess.com"), sub: "", common_name: "e367826f.access" }, "JWT");
  expect(judged).toMatchObject({ reason: "token_invalid", detail: "subject" });
});
