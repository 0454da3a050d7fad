/**
 * The policy that the soak asks about, as the oracle reads it and as the gateway does: every kind of route, and a second
 * issuer on loopback. Revocations are in force after a second, so that the soak meets many.
 */
import { policyText } from "./oracle-arbitraries.ts";
import type { OraclePolicy } from "./oracle-policy.ts";

export const PUBLIC_URL = "https://api.example.com";
export const ADMIN_PATH = "/_scopegate";
export const FOREIGN_ISSUER = "https://login.example.com/";
/** After a revocation was answered; the gateway's `refresh`, and what its query and a busy machine may take. */
export const IN_FORCE_MILLISECONDS = 1000 + 4000;

const none = { implies: [] };

export const SOAK_POLICY: OraclePolicy = {
  caseSensitivePaths: false,
  scopes: new Map([
    ["charges:read", none],
    ["charges:write", { implies: ["charges:read"] }],
    ["charges:delete", { implies: [], cidr: ["192.0.2.0/24", "2001:db8::/32"] }],
    ["charges:gone", { implies: ["charges:read"], sunset: "2020-01-01" }],
    ["customers:read", none],
    ["payouts:write", none],
    ["files:write", none],
    ["teams:manage", { implies: ["customers:read", "files:write"] }],
  ]),
  routes: new Map([
    ["GET /health", { public: true }],
    ["GET /office", { public: true, cidr: ["192.0.2.0/24"] }],
    ["GET /v1/me", { authenticated: true, resource: [] }],
    ["GET /v1/charges", { all: ["charges:read"] }],
    ["GET /v1/charges/:charge", { all: ["charges:read"], resource: ["charge:{charge}"] }],
    ["POST /v1/charges", { all: ["charges:write"], resource: ["charge:*"] }],
    ["DELETE /v1/charges/:charge", { all: ["charges:write", "charges:delete"], resource: ["charge:{charge}"] }],
    ["GET /v1/charges/export", { all: ["charges:gone"], resource: [] }],
    [
      "GET /v1/search",
      { any: ["charges:read", ["customers:read", "files:write"]], resource: ["project:{query.project}"] },
    ],
    ["POST /v1/payouts", { all: ["payouts:write"], resource: [], max_token_age: "12h", not_cidr: ["10.0.0.0/8"] }],
    ["GET,PUT /v1/files/*", { all: ["files:write"], resource: ["file:{*}"] }],
    ["GET /v1/compare/:base...:head", { authenticated: true, resource: ["ref:{base}", "ref:{head}"] }],
    ["GET /v1/packages/:name", { authenticated: true, resource: ["package:{name}"], encoded_slash: true }],
    ["GET /v1/tenant", { authenticated: true, resource: ["tenant:{header.x-tenant}"] }],
    ["* /v1/teams/:team/*", { all: ["teams:manage"], resource: ["team:{team}"] }],
    ["GET /v1/abroad", { authenticated: true, resource: [], countries: ["DE", "FR"] }],
  ]),
};

/** The whole `scopegate.toml`. */
export function soakPolicyText(jwksUri: string): string {
  return `${policyText(SOAK_POLICY).replace(
    "[origin]",
    `admin_path = "${ADMIN_PATH}"
[revocation]
refresh = "1s"
[tokens]
audience = "${PUBLIC_URL}"
[[issuers]]
issuer = "${FOREIGN_ISSUER}"
audience = "${PUBLIC_URL}"
algorithms = ["ES256"]
jwks_uri = "${jwksUri}"
[origin]`,
  )}\n`;
}
