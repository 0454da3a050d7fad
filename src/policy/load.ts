/**
 * From the text of `scopegate.toml` to a policy that serves, or to the list of all its faults. Nothing in between: a
 * policy with one fault does not load.
 */
import { TomlError } from "smol-toml";
import * as v from "valibot";
import { compileRemovedHeaders } from "../request/removed-headers.ts";
import { compileIssuers } from "./compile/compile-issuers.ts";
import { compileRoutes } from "./compile/compile-routes.ts";
import { compileBundles, compileScopes } from "./compile/compile-scopes.ts";
import { parseDuration } from "./duration.ts";
import { type Fault, type Faults, faultsOf } from "./faults.ts";
import type { CorsPolicy, Policy } from "./policy.ts";
import { type PolicyDocument, readDocument, readWhole, type WrittenRoutes, writtenRoutes } from "./reading/document.ts";
import { addIssues } from "./reading/issue.ts";
import { mended } from "./reading/mend.ts";
import { policySchema, type RawPolicy } from "./reading/schema.ts";
import type { RawRoute } from "./reading/schema-route.ts";
import { addNoTables, addPrototypeNames, shapedOf } from "./reading/shape.ts";
import { syntaxFault } from "./reading/syntax.ts";
import { builtInRoutes, isUnder, WELL_KNOWN } from "./routing/built-in-routes.ts";
import { parsePattern } from "./routing/pattern.ts";
import { createRouter, patternsOf } from "./routing/router.ts";
import { addressError, isSecureUrl } from "./urls.ts";

const MOST_SKEW_SECONDS = 12 * 3600;

export type Loaded =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Loads a policy from its text. Does not look at bindings and secrets: the code that uses them checks them. */
export function loadPolicy(text: string): Loaded {
  const faults = faultsOf(text);
  const document = documentOf(text, faults);
  if (document === null) return { ok: false, faults: faults.list };
  addPrototypeNames(document.table, faults);
  addNoTables(document.table, faults);
  const shaped = shapedOf(document);
  if (shaped === null) {
    addFaultsOfShape(readWhole(text).table, faults);
    return { ok: false, faults: faults.list };
  }
  const policy = compile(shaped.raw, shaped.routes, faults);
  return faults.list.length > 0 ? { ok: false, faults: faults.list } : { ok: true, policy };
}

/** One line per fault: `scopegate.toml:12 routes."GET /x": unknown scope …`. */
export function faultText(fault: Fault, file = "scopegate.toml"): string {
  return `${file}${fault.line === null ? "" : `:${fault.line}`} ${fault.path}: ${fault.message}`;
}

function documentOf(text: string, faults: Faults): PolicyDocument | null {
  try {
    return readDocument(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    faults.list.push(syntaxFault(text, error));
    return null;
  }
}

function addFaultsOfShape(table: Record<string, unknown>, faults: Faults): void {
  const { issues } = v.safeParse(policySchema, table);
  if (issues === undefined) return;
  addIssues(faults, issues, policySchema);
  addFaultsBeyond(table, issues, faults);
}

/** Adds the other faults of a policy that the schema refuses; none where `mended` cannot give it a valid shape. */
function addFaultsBeyond(
  table: Record<string, unknown>,
  issues: readonly v.BaseIssue<unknown>[],
  faults: Faults,
): void {
  const told = faults.list.map(({ path }) => path);
  const rest = mended(table, issues);
  if (rest === null) return;
  const before = faults.list.length;
  compile(rest, writtenRoutes(rest.routes), faults);
  const beyond = faults.list.splice(before);
  faults.list.push(
    ...beyond.filter(({ path }) => !told.some((other) => isWithin(path, other) || isWithin(other, path))),
  );
}

/** Whether the written key `path` is `outer` or lies below it. */
function isWithin(path: string, outer: string): boolean {
  return (
    path.startsWith(outer) && (path.length === outer.length || path[outer.length] === "." || path[outer.length] === "[")
  );
}

function compile(raw: RawPolicy, routes: WrittenRoutes<RawRoute>, faults: Faults): Policy {
  const { gateway, revocation } = raw;
  const origin: Policy["origin"] = {
    url: raw.origin.url ?? null,
    timeoutMilliseconds: seconds(raw.origin.timeout) * 1000,
    authorization: raw.origin.authorization,
    removeHeaders: raw.origin.remove_headers.map((name) => name.toLowerCase()),
    caseSensitivePaths: raw.origin.case_sensitive_paths,
  };
  checkGateway(raw, faults);
  const catalogue = compileScopes(raw, faults);
  const bundles = compileBundles(raw, catalogue, faults);
  const issuers = compileIssuers(raw, catalogue, faults);
  const router = createRouter(
    compileRoutes(routes, { adminPath: gateway.admin_path, removed: compileRemovedHeaders(origin) }, catalogue, faults),
    patternsOf(builtInRoutes(gateway.admin_path, catalogue)),
    {
      adminPath: gateway.admin_path,
      caseSensitivePaths: raw.origin.case_sensitive_paths,
      onConflict: (first, second, method) => {
        faults.add(["routes", second.key], `says ${method} of the same paths as "${first.key}"`);
      },
    },
  );

  const refresh = seconds(revocation.refresh);
  const staleness = seconds(revocation.max_staleness);
  if (refresh === 0) faults.add(["revocation", "refresh"], "must be longer than 0s");
  if (staleness < refresh) faults.add(["revocation", "max_staleness"], "must not be shorter than refresh");
  for (const key of ["default_lifetime", "max_lifetime"] as const) {
    if (seconds(raw.tokens[key]) === 0) faults.add(["tokens", key], "must be longer than 0s");
  }

  return {
    gateway: {
      publicUrl: gateway.public_url,
      adminPath: gateway.admin_path,
      mode: gateway.mode,
      clockSkewSeconds: seconds(gateway.clock_skew),
    },
    origin,
    revocation: { refreshMilliseconds: refresh * 1000, maxStalenessMilliseconds: staleness * 1000 },
    cors: compileCors(raw, faults),
    logSampleRate: raw.log.sample_rate,
    issuers,
    tokens: {
      audience: raw.tokens.audience ?? gateway.public_url,
      defaultLifetimeSeconds: seconds(raw.tokens.default_lifetime),
      maxLifetimeSeconds: seconds(raw.tokens.max_lifetime),
    },
    catalogue,
    bundles,
    routes: router.routes,
    router,
    silences: raw.checks.silence.map(({ rule, at, reason }) => ({ rule, at: at ?? null, reason })),
  };
}

function checkGateway(raw: RawPolicy, faults: Faults): void {
  const { public_url: publicUrl, admin_path: adminPath } = raw.gateway;
  const url = isSecureUrl(publicUrl) ? new URL(publicUrl) : null;
  if (url === null) faults.add(["gateway", "public_url"], "must be an https URL, or http on a loopback host");
  else if (url.origin !== publicUrl) {
    faults.add(
      ["gateway", "public_url"],
      `must be a scheme and a host in lower case, with no path or trailing slash, as "${url.origin}"`,
    );
  }

  if (seconds(raw.gateway.clock_skew) > MOST_SKEW_SECONDS) {
    faults.add(
      ["gateway", "clock_skew"],
      "must be at most 12h: an entry of the revocation list outlives its token by a day",
    );
  }

  const pattern = parsePattern(adminPath);
  const isPlain =
    !("error" in pattern) && pattern.text === adminPath && pattern.segments.every(({ kind }) => kind === "literal");
  if (!isPlain || adminPath === "/" || ("star" in pattern && pattern.star)) {
    faults.add(["gateway", "admin_path"], 'must be a plain path without a trailing slash, as "/_scopegate"');
  } else if (isUnder(adminPath, WELL_KNOWN)) {
    faults.add(["gateway", "admin_path"], `must not lie under ${WELL_KNOWN}`);
  }

  const originError = raw.origin.url === undefined ? null : addressError(raw.origin.url);
  if (originError !== null) faults.add(["origin", "url"], originError);
  if (seconds(raw.origin.timeout) === 0) faults.add(["origin", "timeout"], "must be longer than 0s");
  for (const [position, name] of raw.origin.remove_headers.entries()) {
    if (!/^[!#$%&'+.^_`|~0-9A-Za-z-]+\*?$/.test(name)) {
      faults.add(
        ["origin", "remove_headers", position],
        `"${name}" is not a header's name; a * stands at the end only`,
      );
    }
  }
}

function compileCors(raw: RawPolicy, faults: Faults): CorsPolicy | null {
  const { cors } = raw;
  if (cors === undefined) return null;
  for (const [position, origin] of cors.origins.entries()) {
    if (origin !== "*" && (!URL.canParse(origin) || new URL(origin).origin !== origin)) {
      faults.add(
        ["cors", "origins", position],
        `"${origin}" is not an origin; write scheme and host, as "https://app.example.com"`,
      );
    }
  }
  for (const key of ["methods", "headers"] as const) {
    for (const [position, name] of cors[key].entries()) {
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
        faults.add(["cors", key, position], `"${name}" is not a ${key.slice(0, -1)}'s name`);
    }
  }
  return {
    origins: new Set(cors.origins),
    methods: cors.methods,
    headers: cors.headers,
    maxAgeSeconds: seconds(cors.max_age),
  };
}

/** The seconds of a duration whose spelling the schema has checked. */
function seconds(duration: string): number {
  return parseDuration(duration) ?? 0;
}
