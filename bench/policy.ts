/** Policies of any size, all with the routes that the benchmarks request. */
import { AUDIENCE } from "./tokens.ts";

export interface PolicySize {
  readonly routes: number;
  readonly scopes: number;
  readonly issuer: string;
  readonly refresh?: string;
}

/** A path of the measured route, which requires a scope, a resource and conditions. */
export const ITEM = "/v1/items/item-1";

export function policyText({ routes, scopes, issuer, refresh }: PolicySize): string {
  const lines = [
    "[gateway]",
    'public_url = "http://127.0.0.1:8787"',
    "[origin]",
    'timeout = "30s"',
    "[revocation]",
    `refresh = "${refresh ?? "5s"}"`,
    'max_staleness = "300s"',
    "[tokens]",
    `audience = "${AUDIENCE}"`,
    "[[issuers]]",
    `issuer = "${issuer}"`,
    `audience = "${AUDIENCE}"`,
    `jwks_uri = "${issuer}/keys"`,
    'algorithms = ["ES256", "RS256"]',
    "wildcards = true",
    ...scope("items:read"),
    ...Array.from({ length: scopes - 1 }, (_, n) => scope(`area${n}:read`)).flat(),
    "[routes]",
    '"GET /v1/items/:item" = { all = ["items:read"], resource = "item:{item}", cidr = ["127.0.0.0/8"], max_token_age = "12h" }',
    '"GET,PUT /v1/files/:file" = { all = ["items:read"], resource = "file:{file}" }',
    '"GET /v1/events/:stream" = { all = ["items:read"], resource = "stream:{stream}" }',
  ];
  for (let n = 0; n < routes - 3; n++) {
    const name = scopes > 1 ? `area${n % (scopes - 1)}:read` : "items:read";
    lines.push(`"GET /v1/area${n % 97}/collection${n}/:id" = { all = ["${name}"], resource = "thing:{id}" }`);
  }
  return `${lines.join("\n")}\n`;
}

function scope(name: string): string[] {
  return [`[scopes."${name}"]`, `description = "A scope of the benchmark"`, 'owner = "bench"'];
}
