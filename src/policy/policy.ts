/**
 * The policy as the gateway uses it: read from `scopegate.toml`, checked as a whole and compiled once per isolate by
 * `load.ts`. Read-only. Whatever can be computed at load is, so that it costs a request nothing.
 *
 * Times are seconds since the epoch; a duration has its unit in its name.
 */

import type { Route } from "./route.ts";
import type { Router } from "./routing/router.ts";
import type { Catalogue } from "./scope.ts";

export interface Policy {
  readonly gateway: {
    /** Without a trailing slash. */
    readonly publicUrl: string;
    readonly adminPath: string;
    readonly mode: "enforce" | "report";
    readonly clockSkewSeconds: number;
  };
  readonly origin: {
    readonly url: string | null;
    readonly timeoutMilliseconds: number;
    readonly authorization: "forward" | "remove";
    /** Lower-case names; one that ends in `*` is a prefix. */
    readonly removeHeaders: readonly string[];
    readonly caseSensitivePaths: boolean;
  };
  readonly revocation: { readonly refreshMilliseconds: number; readonly maxStalenessMilliseconds: number };
  readonly cors: CorsPolicy | null;
  /** Share of allowed requests that are logged, 0 to 1. */
  readonly logSampleRate: number;
  readonly issuers: readonly IssuerPolicy[];
  readonly tokens: {
    readonly audience: string;
    readonly defaultLifetimeSeconds: number;
    readonly maxLifetimeSeconds: number;
  };
  readonly catalogue: Catalogue;
  readonly bundles: ReadonlyMap<string, Bundle>;
  /** The operator's routes, in the order of the file. The router also has the gateway's own routes. */
  readonly routes: readonly Route[];
  readonly router: Router;
  /** Rules of `scopegate check` that are switched off, for one route or scope or (`null`) everywhere. */
  readonly silences: readonly { readonly rule: string; readonly at: string | null; readonly reason: string }[];
}

export interface CorsPolicy {
  readonly origins: ReadonlySet<string>;
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly maxAgeSeconds: number;
}

export interface Bundle {
  readonly name: string;
  readonly description: string;
  /** Catalogue scopes and wildcards. */
  readonly scopes: readonly string[];
}

export interface IssuerPolicy {
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** `null`: found by discovery. */
  readonly jwksUri: string | null;
  readonly algorithms: readonly string[];
  readonly scopeClaim: string;
  /** Lower-case, without `application/`. `null`: any `typ`, except one that says that it is not an access token. */
  readonly requireTyp: string | null;
  /** The scopes of a token without the scope claim. `null`: none. */
  readonly legacyScopes: readonly string[] | null;
  readonly wildcards: boolean;
  readonly scopeMap: ReadonlyMap<string, readonly string[]>;
  readonly admin: boolean;
  /** The binding that holds the HS256 secret; then `algorithms` is exactly `["HS256"]`. */
  readonly secret: string | null;
}
