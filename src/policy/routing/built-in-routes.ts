/**
 * The gateway's own routes: the admin API and what is served without a token. They take the same router and pipeline as
 * the operator's routes; only their target differs.
 */
import type { Requirement, Route, RouteTarget } from "../route.ts";
import { BUILT_IN_SCOPES, type Catalogue } from "../scope.ts";

const [ADMIN, READ, TOKENS] = BUILT_IN_SCOPES.map((scope) => scope.name);

/** Calls under `admin_path`, each with scopes of which one is enough (contract §5). */
const ADMIN_CALLS: readonly (readonly [method: string, path: string, scopes: readonly (string | undefined)[]])[] = [
  ["POST", "/tokens", [ADMIN, TOKENS]],
  ["GET", "/tokens", [ADMIN, READ, TOKENS]],
  ["GET", "/tokens/:id", [ADMIN, READ, TOKENS]],
  ["DELETE", "/tokens/:id", [ADMIN, TOKENS]],
  ["POST", "/tokens/:id/rotate", [ADMIN, TOKENS]],
  ["POST", "/revocations", [ADMIN]],
  ["GET", "/revocations", [ADMIN, READ]],
  ["GET", "/revocations/:sequence", [ADMIN, READ]],
  ["DELETE", "/revocations/:sequence", [ADMIN]],
  ["GET", "/scopes", [ADMIN, READ]],
  ["GET", "/routes", [ADMIN, READ]],
  ["POST", "/explain", [ADMIN, READ]],
  ["GET", "/audit", [ADMIN, READ]],
  ["GET", "/openapi.json", [ADMIN, READ, TOKENS]],
];

export const WELL_KNOWN = "/.well-known";

export function builtInRoutes(adminPath: string, catalogue: Catalogue): Route[] {
  const open = (pattern: string): Route => route("GET", pattern, "gateway", { kind: "public" });
  return [
    open(`${WELL_KNOWN}/jwks.json`),
    open(`${WELL_KNOWN}/oauth-protected-resource`),
    open(`${adminPath}/health`),
    open(`${adminPath}/problems/:reason`),
    ...ADMIN_CALLS.map(([method, path, scopes]) => route(method, adminPath + path, "admin", anyOf(scopes, catalogue))),
  ];
}

function anyOf(names: readonly (string | undefined)[], catalogue: Catalogue): Requirement {
  const scopes = names.flatMap((name) => catalogue.byName.get(name ?? "") ?? []);
  return {
    kind: "scopes",
    alternatives: scopes.map((scope) => ({ scopes: [scope], header: scope.name })),
    names: scopes.map((scope) => scope.name),
  };
}

function route(method: string, pattern: string, target: RouteTarget, requirement: Requirement): Route {
  return {
    key: `${method} ${pattern}`,
    target,
    methods: [method],
    pattern,
    requirement,
    resources: requirement.kind === "public" ? null : [],
    conditions: null,
    // A token that was just revoked must not issue its successor before this isolate knows of the revocation.
    strictRevocation: target === "admin" && method !== "GET" && !pattern.endsWith("/explain"),
    encodedSlash: false,
    unboundedConnection: false,
  };
}

/** Whether a path or pattern is `prefix` or lies below it. */
export function isUnder(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f);
}
