/** What the tests of this room share: keys, tokens, and policies as an operator writes them. */
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";
import { loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";

export const NOW = 1_800_000_000;
export const GATEWAY = "https://api.example.com";
export const ISSUER = "https://login.example.com/";
export const AUDIENCE = "https://api.example.com";

/** A policy with the given text for `[[issuers]]` (and more), and a small catalogue. */
export function policyOf(issuers: string, gateway = GATEWAY): Policy {
  const loaded = loadPolicy(`
[gateway]
public_url = "${gateway}"
[origin]
url = "https://origin.example.com"
[tokens]
audience = "${AUDIENCE}"
default_lifetime = "30d"
max_lifetime = "365d"
${SCOPES}
${issuers}
[routes]
"GET /v1/charges" = { all = ["charges:read"], resource = [] }
"POST /v1/charges" = { all = ["charges:write"], resource = [] }
"DELETE /v1/charges" = { all = ["charges:delete"], resource = [] }
"GET /v1/customers" = { all = ["customers:read"], resource = [] }
`);
  if (!loaded.ok) throw new Error(loaded.faults.map(({ path, message }) => `${path}: ${message}`).join("\n"));
  return loaded.policy;
}

const SCOPES = ["charges:read", "charges:write", "charges:delete", "customers:read"]
  .map(
    (name) =>
      `[scopes."${name}"]\ndescription = "${name}"\nowner = "billing"\n${name === "charges:delete" ? 'max_lifetime = "1h"\n' : ""}`,
  )
  .join("");

export const PLAIN_ISSUER = `[[issuers]]\nissuer = "${ISSUER}"\naudience = "${AUDIENCE}"\n`;

export interface TestKey {
  readonly algorithm: string;
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
}

export async function makeKey(algorithm = "ES256", kid?: string): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const bare = await exportJWK(publicKey);
  const name = kid ?? (await calculateJwkThumbprint(bare));
  const members = { kid: name, alg: algorithm, use: "sig" };
  const privateJwk = { ...(await exportJWK(privateKey)), ...members };
  return { algorithm, kid: name, privateKey, publicJwk: { ...bare, ...members }, privateJwk };
}

/** A token that is good at `NOW`; `undefined` takes a claim or a header parameter away. */
export function makeToken(
  key: TestKey,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT(
    without({
      iss: ISSUER,
      aud: AUDIENCE,
      sub: "user-1",
      client_id: "client-1",
      jti: "token-1",
      iat: NOW - 60,
      exp: NOW + 3600,
      scope: "charges:read",
      ...claims,
    }),
  )
    .setProtectedHeader(without({ alg: key.algorithm, typ: "at+jwt", kid: key.kid, ...header }) as JWTHeaderParameters)
    .sign(key.privateKey);
}

export function base64url(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function without(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
