/** Compiles the issuers: whose keys, which algorithms, which scopes. */

import { hasControls } from "../../request/controls.ts";
import type { Faults } from "../faults.ts";
import { closest } from "../near.ts";
import type { IssuerPolicy } from "../policy.ts";
import type { RawIssuer, RawPolicy } from "../reading/schema.ts";
import type { Catalogue } from "../scope.ts";
import { isSecureUrl } from "../urls.ts";
import { checkGrantName } from "./compile-scopes.ts";

/** The algorithms of an issuer whose entry names none (contract §2). */
const DEFAULT_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
const PUBLIC_KEY_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
const SECRET_ALGORITHM = "HS256";

export function compileIssuers(raw: RawPolicy, catalogue: Catalogue, faults: Faults): IssuerPolicy[] {
  const seen = new Set<string>();
  return raw.issuers.map((entry, position) => {
    const path = ["issuers", position];
    if (!isSecureUrl(entry.issuer)) faults.add([...path, "issuer"], "must be an https URL, or http on a loopback host");
    // In `ancestors`, a space separates another issuer's name from its token's id, so the name must hold none.
    if (/\s/.test(entry.issuer) || hasControls(entry.issuer))
      faults.add([...path, "issuer"], "must not hold white space or controls");
    if (entry.issuer === raw.gateway.public_url)
      faults.add([...path, "issuer"], "is this gateway's own; it needs no entry");
    if (seen.has(entry.issuer)) faults.add([...path, "issuer"], `"${entry.issuer}" stands here twice`);
    seen.add(entry.issuer);
    if (entry.jwks_uri !== undefined && !isSecureUrl(entry.jwks_uri)) {
      faults.add([...path, "jwks_uri"], "must be an https URL, or http on a loopback host");
    }
    const algorithms = checkedAlgorithms(entry, path, faults);
    const admin = { admin: entry.admin };
    for (const [at, scope] of (entry.legacy_scopes ?? []).entries())
      checkGrantName(scope, [...path, "legacy_scopes", at], catalogue, admin, faults);
    for (const [theirs, ours] of Object.entries(entry.scope_map ?? {})) {
      for (const [at, scope] of ours.entries())
        checkGrantName(scope, [...path, "scope_map", theirs, at], catalogue, admin, faults);
    }
    const audiences = typeof entry.audience === "string" ? [entry.audience] : entry.audience;
    if (audiences.some((audience) => audience === "")) faults.add([...path, "audience"], "must not be empty");
    return {
      issuer: entry.issuer,
      audiences,
      jwksUri: entry.jwks_uri ?? null,
      algorithms,
      scopeClaim: entry.scope_claim,
      requireTyp:
        entry.require_typ === undefined ? null : entry.require_typ.toLowerCase().replace(/^application\//, ""),
      legacyScopes: entry.legacy_scopes ?? null,
      wildcards: entry.wildcards,
      scopeMap: new Map(Object.entries(entry.scope_map ?? {})),
      admin: entry.admin,
      secret: entry.secret ?? null,
    };
  });
}

/** HS256 must stand alone: beside a public-key algorithm it could allow algorithm confusion (RFC 8725 §2.1). */
function checkedAlgorithms(entry: RawIssuer, path: readonly (string | number)[], faults: Faults): readonly string[] {
  const algorithms = entry.algorithms ?? (entry.secret === undefined ? DEFAULT_ALGORITHMS : [SECRET_ALGORITHM]);
  for (const [position, algorithm] of algorithms.entries()) {
    if (PUBLIC_KEY_ALGORITHMS.includes(algorithm) || algorithm === SECRET_ALGORITHM) continue;
    const near = closest(algorithm, [...PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHM]);
    const remedy =
      near === null || algorithm.toLowerCase() === "none"
        ? `one of ${PUBLIC_KEY_ALGORITHMS.join(", ")}`
        : `did you mean "${near}"?`;
    faults.add([...path, "algorithms", position], `"${algorithm}" is not accepted; ${remedy}`);
  }
  const shared = algorithms.includes(SECRET_ALGORITHM);
  if (shared && algorithms.length > 1) faults.add([...path, "algorithms"], `${SECRET_ALGORITHM} stands alone`);
  if (shared && entry.secret === undefined)
    faults.add([...path, "secret"], `${SECRET_ALGORITHM} needs the name of the binding that holds the secret`);
  if (!shared && entry.secret !== undefined)
    faults.add([...path, "secret"], `needs algorithms = ["${SECRET_ALGORITHM}"]`);
  if (entry.secret !== undefined && entry.jwks_uri !== undefined)
    faults.add([...path, "jwks_uri"], "an issuer with a secret has no keys to fetch");
  return algorithms;
}
