/** A route as the gateway uses it: compiled, read-only. */
import type { Conditions } from "./conditions/conditions.ts";
import type { RawRoute } from "./reading/schema-route.ts";
import type { AllowListTemplate } from "./resources/allow-list-template.ts";
import type { Scope } from "./scope.ts";

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
  /** `null`: the route names no resource and needs `*:*`. `[]`: it touches no resource. */
  readonly resources: readonly AllowListTemplate[] | null;
  readonly conditions: Conditions | null;
  readonly strictRevocation: boolean;
  readonly encodedSlash: boolean;
  readonly unboundedConnection: boolean;
  /** Its value as written in the policy, for display; the gateway's own routes have none. */
  readonly written?: RawRoute;
}

export type Requirement =
  | { readonly kind: "public" }
  | { readonly kind: "authenticated" }
  | {
      readonly kind: "scopes";
      /** One of these is enough, tried in this order; each needs all of its scopes. `all` is a single alternative. */
      readonly alternatives: readonly Alternative[];
      /** Every name in the alternatives, once, in order: the `scope` of a 403's challenge (RFC 6750 §3). */
      readonly names: readonly string[];
    };

export interface Alternative {
  readonly scopes: readonly Scope[];
  /** The scopes' names joined by a space, as the origin gets them. */
  readonly header: string;
}
