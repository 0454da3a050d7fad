/**
 * The policy as the gateway uses it: read from `scopegate.toml`, checked whole and compiled once per isolate by
 * `load.ts`. Plain data; what a request costs is decided here, by what was computed at load.
 *
 * Times are seconds since the epoch, durations say their unit in their name.
 */

import type { Conditions } from "./conditions/conditions.ts";
import type { RawRoute } from "./reading/schema-route.ts";
import type { AllowListTemplate } from "./resources/allow-list-template.ts";
import type { Router } from "./routing/router.ts";
import type { Catalogue, Scope } from "./scope.ts";

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
  /** Share of allowed requests that leave a decision log line, 0 to 1. */
  readonly logSampleRate: number;
  readonly issuers: readonly IssuerPolicy[];
  readonly tokens: {
    readonly audience: string;
    readonly defaultLifetimeSeconds: number;
    readonly maxLifetimeSeconds: number;
  };
  readonly catalogue: Catalogue;
  readonly bundles: ReadonlyMap<string, Bundle>;
  /** The operator's routes, in the order of the file. The router knows the gateway's own besides. */
  readonly routes: readonly Route[];
  readonly router: Router;
  /** Rules of `scopegate check` that do not apply, at one route or scope or (`null`) everywhere. */
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
  /** `null`: discovered. */
  readonly jwksUri: string | null;
  readonly algorithms: readonly string[];
  readonly scopeClaim: string;
  /** Lower-case, without `application/`. `null`: any but one that says it is not an access token. */
  readonly requireTyp: string | null;
  /** What a token without the scope claim may do. `null`: nothing. */
  readonly legacyScopes: readonly string[] | null;
  readonly wildcards: boolean;
  readonly scopeMap: ReadonlyMap<string, readonly string[]>;
  readonly admin: boolean;
  /** The binding that holds the HS256 secret; then `algorithms` is exactly `["HS256"]`. */
  readonly secret: string | null;
}

/** Who answers a route: the API behind the gateway, the admin API, or the gateway itself (metadata, keys, health). */
export type RouteTarget = "origin" | "admin" | "gateway";

export interface Route {
  /** Its key in the policy: `GET /v1/charges/:charge`. Unique. */
  readonly key: string;
  readonly target: RouteTarget;
  /** Upper-case, or `*`. */
  readonly methods: readonly string[];
  readonly pattern: string;
  readonly requirement: Requirement;
  /** `null`: the route names none and needs `*:*`. `[]`: it touches none. */
  readonly resources: readonly AllowListTemplate[] | null;
  readonly conditions: Conditions | null;
  readonly strictRevocation: boolean;
  readonly encodedSlash: boolean;
  readonly unboundedConnection: boolean;
  /** Its value as the policy has it, for people to read; the gateway's own routes have none. */
  readonly written?: RawRoute;
}

export type Requirement =
  | { readonly kind: "public" }
  | { readonly kind: "authenticated" }
  | {
      readonly kind: "scopes";
      /** One of these, in this order; each needs every one of its scopes. `all` is a single alternative. */
      readonly alternatives: readonly Alternative[];
      /** Every name in the alternatives, once, in order: what a 403 tells (RFC 6750 §3). */
      readonly names: readonly string[];
    };

export interface Alternative {
  readonly scopes: readonly Scope[];
  /** The scopes' names joined by a space, as the origin gets them. */
  readonly header: string;
}
