/**
 * Access tokens in the shapes that well-known products issue, each under the `[[issuers]]` that one would write for it; the
 * README's examples are these. Values are invented, members and types are the products' own (their documentation, 2025).
 */
import { beforeAll, expect, test } from "vitest";
import { namesIn } from "../../src/policy/scope.ts";
import { loadSigningKeys } from "../../src/token/signing-keys.ts";
import { createVerifier, isRefusal } from "../../src/token/verify.ts";
import { makeKey, makeToken, NOW, policyOf, type TestKey } from "./fixture.ts";

interface Shape {
  readonly product: string;
  /** `[[issuers]]`, without its first line. */
  readonly policy: string;
  readonly issuer: string;
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  /** What the token may do then, of the catalogue. */
  readonly granted: readonly string[];
  readonly client: string | null;
}

/** Takes away the claims of the fixture that the product does not send. */
const NONE = { aud: undefined, sub: undefined, client_id: undefined, jti: undefined, scope: undefined };

const SHAPES: readonly Shape[] = [
  {
    product: "Auth0, permissions of its RBAC",
    policy: `audience = "https://api.example.com"\nscope_claim = "permissions"`,
    issuer: "https://tenant.eu.auth0.com/",
    header: { alg: "RS256", typ: "JWT", kid: "auth0" },
    claims: {
      ...NONE,
      sub: "auth0|5f7c8ec7c33c6c004bbafe82",
      aud: ["https://api.example.com", "https://tenant.eu.auth0.com/userinfo"],
      azp: "my_client_id",
      scope: "openid profile",
      permissions: ["charges:read", "charges:write"],
    },
    granted: ["charges:read", "charges:write"],
    client: "my_client_id",
  },
  {
    product: "Auth0, scope under its RFC 9068 profile",
    policy: `audience = "https://api.example.com"\nrequire_typ = "at+jwt"`,
    issuer: "https://tenant.eu.auth0.com/",
    header: { alg: "RS256", typ: "at+jwt", kid: "auth0" },
    claims: {
      ...NONE,
      sub: "client@clients",
      aud: "https://api.example.com",
      client_id: "client",
      jti: "oaEJTVqnmLXLMtsF",
      scope: "charges:read",
    },
    granted: ["charges:read"],
    client: "client",
  },
  {
    product: "Okta, custom authorization server",
    policy: `audience = "https://api.example.com"\nscope_claim = "scp"`,
    issuer: "https://org.okta.com/oauth2/default",
    header: { alg: "RS256", typ: undefined, kid: "okta" },
    claims: {
      ...NONE,
      ver: 1,
      jti: "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
      sub: "user@example.com",
      aud: "https://api.example.com",
      cid: "0oabz0ozy5dDpEKyA0h7",
      uid: "00uid4BxXw6I6TV4m0g3",
      scp: ["charges:read", "openid"],
    },
    granted: ["charges:read"],
    client: null,
  },
  {
    product: "Entra ID v2, delegated scp",
    policy: `audience = "11111111-1111-1111-1111-111111111111"\nscope_claim = "scp"\nscope_map = { "Charges.Read" = ["charges:read"], "Charges.ReadWrite" = ["charges:read", "charges:write"] }`,
    issuer: "https://login.microsoftonline.com/22222222-2222-2222-2222-222222222222/v2.0",
    header: { alg: "RS256", typ: "JWT", kid: "entra", x5t: "entra" },
    claims: {
      ...NONE,
      aud: "11111111-1111-1111-1111-111111111111",
      azp: "33333333-3333-3333-3333-333333333333",
      azpacr: "1",
      nbf: NOW - 60,
      oid: "44444444-4444-4444-4444-444444444444",
      sub: "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
      scp: "Charges.ReadWrite User.Read",
      tid: "22222222-2222-2222-2222-222222222222",
      uti: "AAAA",
      ver: "2.0",
    },
    granted: ["charges:read", "charges:write"],
    client: "33333333-3333-3333-3333-333333333333",
  },
  {
    product: "Entra ID v2, application roles",
    policy: `audience = "11111111-1111-1111-1111-111111111111"\nscope_claim = "roles"\nscope_map = { "Charges.Read.All" = ["charges:read"] }`,
    issuer: "https://login.microsoftonline.com/22222222-2222-2222-2222-222222222222/v2.0",
    header: { alg: "RS256", typ: "JWT", kid: "entra" },
    claims: {
      ...NONE,
      aud: "11111111-1111-1111-1111-111111111111",
      azp: "33333333-3333-3333-3333-333333333333",
      idtyp: "app",
      sub: "55555555-5555-5555-5555-555555555555",
      roles: ["Charges.Read.All"],
      ver: "2.0",
    },
    granted: ["charges:read"],
    client: "33333333-3333-3333-3333-333333333333",
  },
  {
    product: "Amazon Cognito, whose access tokens have no aud: the app client's id stands for it",
    policy: `audience = "1example23456789"\nscope_map = { "api/charges.read" = ["charges:read"] }`,
    issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_example",
    header: { alg: "RS256", typ: undefined, kid: "cognito" },
    claims: {
      ...NONE,
      sub: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
      "cognito:groups": ["admin"],
      token_use: "access",
      scope: "api/charges.read openid",
      auth_time: NOW - 60,
      client_id: "1example23456789",
      username: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
      jti: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
      origin_jti: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
      version: 2,
    },
    granted: ["charges:read"],
    client: "1example23456789",
  },
  {
    product: "Keycloak, realm roles",
    policy: `audience = "charges-api"\nscope_claim = "realm_access.roles"\nscope_map = { "charges-reader" = ["charges:read"] }`,
    issuer: "https://keycloak.example.com/realms/main",
    header: { alg: "RS256", typ: "JWT", kid: "keycloak" },
    claims: {
      ...NONE,
      jti: "onrtac:12345678-1234-1234-1234-123456789012",
      aud: ["charges-api", "account"],
      sub: "f:12345678:user",
      typ: "Bearer",
      azp: "web",
      sid: "12345678",
      acr: "1",
      "allowed-origins": ["https://app.example.com"],
      realm_access: { roles: ["offline_access", "charges-reader"] },
      resource_access: { account: { roles: ["manage-account"] } },
      scope: "profile email",
    },
    granted: ["charges:read"],
    client: "web",
  },
  {
    product: "Cloudflare Access, which knows no scopes: a custom OIDC claim, or what every user may do",
    policy: `audience = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"\nscope_claim = "custom.groups"\nlegacy_scopes = ["customers:read"]\nscope_map = { "billing" = ["charges:read"] }`,
    issuer: "https://team.cloudflareaccess.com",
    header: { alg: "RS256", typ: undefined, kid: "access" },
    claims: {
      ...NONE,
      aud: ["4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"],
      email: "user@example.com",
      nbf: NOW - 60,
      type: "app",
      identity_nonce: "6ei69kawdKzMIAPF",
      sub: "7335d417-61da-459d-899c-0a01c76a2f94",
      country: "DE",
      custom: { groups: ["billing"] },
    },
    granted: ["charges:read"],
    client: null,
  },
];

const CLOUDFLARE_SERVICE: Shape = {
  ...(SHAPES.at(-1) as Shape),
  product: "Cloudflare Access, a user without custom claims",
  claims: { ...SHAPES.at(-1)?.claims, custom: undefined },
  granted: ["customers:read"],
};

const all = [...SHAPES, CLOUDFLARE_SERVICE];

let key: TestKey;

beforeAll(async () => {
  key = await makeKey("RS256");
});

async function verify(shape: Shape, claims: Record<string, unknown> = {}) {
  const kid = String(shape.header["kid"]);
  const policy = policyOf(
    `[[issuers]]\nissuer = "${shape.issuer}"\n${shape.policy}\njwks_uri = "${shape.issuer}/keys"\n`,
  );
  const verifier = createVerifier({
    policy,
    bindings: {},
    signingKeys: () => loadSigningKeys(undefined),
    fetch: async () => Response.json({ keys: [{ ...key.publicJwk, kid }] }),
    now: () => NOW,
    copies: null,
    report: () => undefined,
  });
  const token = await makeToken(key, { iss: shape.issuer, ...shape.claims, ...claims }, shape.header);
  return { policy, result: await verifier.verify(token, NOW, () => undefined) };
}

test.each(all.map((shape) => [shape.product, shape] as const))("%s", async (_product, shape) => {
  const { policy, result } = await verify(shape);
  if (isRefusal(result)) throw new Error(JSON.stringify(result));
  expect(namesIn(policy.catalogue, result.grant.granted)).toEqual(shape.granted);
  expect(result.client).toBe(shape.client);
  expect(result.issuer).toBe(shape.issuer);
});

test.each(all.map((shape) => [shape.product, shape] as const))("%s: not for another API", async (_product, shape) => {
  const other = shape.claims["aud"] === undefined ? { client_id: "other" } : { aud: "other" };
  expect((await verify(shape, other)).result).toEqual({ reason: "token_invalid", detail: "audience" });
});
