/**
 * The scopes and routes of the policy, with what the records say about the use of the scopes.
 *
 * A scope's tokens are those that name it; a token that holds it through a wildcard or another scope's `implies` is counted
 * for the name in its record only. Counting reads an index, one entry per live token.
 * Accepted: a cursor is a position in the policy file, so after a deployment the next page may skip or repeat items.
 */
import type { Policy } from "../policy/policy.ts";
import type { RawPolicy } from "../policy/reading/schema.ts";
import type { RawRoute } from "../policy/reading/schema-route.ts";
import type { Alternative, Route } from "../policy/route.ts";
import { formatCursor, numberIn } from "./cursor.ts";
import { found } from "./in-time.ts";
import { formatInstantOrNull } from "./instant.ts";
import type { PageOf } from "./query.ts";
import type { Page } from "./tokens/records.ts";

export const SCOPE_LIST = "scopes";
export const ROUTE_LIST = "routes";

/** At most so many ids are listed for a scope; `token_count` counts all, `GET /tokens?scope=` pages through them. */
const MOST_IDS = 100;

type WrittenScope = RawPolicy["scopes"][string];

export interface ScopeItem extends Partial<Omit<WrittenScope, "description" | "owner" | "implies">> {
  readonly scope: string;
  readonly description: string;
  readonly owner: string;
  readonly implies: readonly string[];
  /** The keys of the routes that require it by name. */
  readonly routes: readonly string[];
  /** The ids of live tokens that name it, at most a hundred. */
  readonly tokens: readonly string[];
  readonly token_count: number;
  /** When a request was last allowed by it, as far as `usage.ts` has recorded it. */
  readonly last_decided_at: string | null;
}

export type RouteItem = { readonly route: string } & Exclude<RawRoute, string | string[]>;

interface ScopeUse {
  readonly scope: string;
  readonly count: number;
  readonly ids: string;
  readonly last_at: number | null;
}

/** One page of the scopes, the built-in ones first, then in the order of the policy file. */
export async function listScopes(
  db: D1Database,
  policy: Policy,
  page: PageOf,
  nowSeconds: number,
): Promise<Page<ScopeItem>> {
  const { items: scopes, ...rest } = cut(SCOPE_LIST, policy.catalogue.scopes, page);
  const names = scopes.map(({ name }) => name);
  const { results } = await found(scopesStatement(db, names, nowSeconds).all<ScopeUse>());
  const uses = new Map(results.map((use) => [use.scope, use]));
  const items = scopes.map((scope) => {
    const use = uses.get(scope.name);
    return {
      ...scope.written,
      scope: scope.name,
      description: scope.description,
      owner: scope.owner,
      implies: scope.implies,
      routes: policy.routes
        .filter((route) => alternativesOf(route).some((one) => one.scopes.includes(scope)))
        .map(keyOf),
      tokens: use === undefined ? [] : (JSON.parse(use.ids) as string[]),
      token_count: use?.count ?? 0,
      last_decided_at: formatInstantOrNull(use?.last_at ?? null),
    };
  });
  return { items, ...rest };
}

/** The query for the use of these scopes: one row per scope. */
export function scopesStatement(db: D1Database, names: readonly string[], nowSeconds: number): D1PreparedStatement {
  return db
    .prepare(
      `SELECT asked.value AS scope,
         (SELECT count(*) FROM token_scopes WHERE scope = asked.value AND live_until > ?2) AS count,
         (SELECT json_group_array(id) FROM (SELECT tokens.id FROM token_scopes AS held CROSS JOIN tokens ON tokens.number = held.token
            WHERE held.scope = asked.value AND held.live_until > ?2 ORDER BY held.live_until DESC LIMIT ${MOST_IDS})) AS ids,
         (SELECT last_at FROM usage WHERE kind = 'scope' AND name = asked.value ORDER BY day DESC LIMIT 1) AS last_at
       FROM json_each(?1) AS asked`,
    )
    .bind(JSON.stringify(names), nowSeconds);
}

/** One page of the policy's routes, in the order of the file. A route written as a scope or list of scopes is shown as `all`. */
export function listRoutes(policy: Policy, page: PageOf): Page<RouteItem> {
  const { items, ...rest } = cut(ROUTE_LIST, policy.routes, page);
  return { items: items.map(routeItem), ...rest };
}

function routeItem({ key, written }: Route): RouteItem {
  if (typeof written === "string") return { route: key, all: [written] };
  return Array.isArray(written) ? { route: key, all: written } : { route: key, ...written };
}

function cut<T>(list: string, all: readonly T[], { limit, after }: PageOf): Page<T> {
  const from = numberIn(after) ?? 0;
  const to = from + limit;
  return { items: all.slice(from, to), ...(to < all.length ? { cursor: formatCursor(list, [to]) } : {}) };
}

function alternativesOf({ requirement }: Route): readonly Alternative[] {
  return requirement.kind === "scopes" ? requirement.alternatives : [];
}

function keyOf({ key }: Route): string {
  return key;
}
