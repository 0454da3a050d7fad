/**
 * GitHub's table of which permission, at which level, each route needs (../shared/corpora, not part of this project), as a
 * policy in which each of a route's permissions is an alternative.
 *
 * GitHub says of such a route only that "multiple permissions are required, or a different permission may be used"; here it
 * is the latter, because alternatives are what the other map has none of.
 */
import { readFileSync } from "node:fs";
import { routeKeyOf } from "../../scripts/github-policy.ts";

export const PERMISSIONS_FILE = "../shared/corpora/github/route-permissions.json";

export interface PermissionRoute {
  readonly method: string;
  readonly template: string;
  /** One of these is enough. */
  readonly alternatives: readonly string[];
}

interface Row {
  readonly level: string;
  readonly permission: string;
  readonly method: string;
  readonly path: string;
  readonly access: string;
}

/** The routes of the table, each once. */
export function permissionRoutes(): PermissionRoute[] {
  const { rows } = JSON.parse(readFileSync(PERMISSIONS_FILE, "utf8")) as { rows: Row[] };
  const routes = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.method} ${row.path}`;
    routes.set(key, [...(routes.get(key) ?? []), row]);
  }
  return [...routes.values()].map((same) => {
    const [first] = same as [Row];
    return { method: first.method, template: first.path, alternatives: [...new Set(same.map(scopeOf))] };
  });
}

function scopeOf(row: Row): string {
  return `${row.level}.${row.permission}:${row.access}`;
}

export function githubPermissionPolicy(routes: readonly PermissionRoute[], publicUrl: string): string {
  const scopes = new Set(routes.flatMap(({ alternatives }) => alternatives));
  const lines = [
    `gateway = { public_url = ${JSON.stringify(publicUrl)} }`,
    "",
    "[origin]",
    'url = "https://api.github.com"',
  ];
  for (const scope of scopes)
    lines.push(`[scopes.${JSON.stringify(scope)}]`, 'description = "See GitHub"', 'owner = "github"');
  lines.push("[routes]");
  for (const { method, template, alternatives } of routes) {
    lines.push(`${JSON.stringify(routeKeyOf(method, template))} = { any = ${JSON.stringify(alternatives)} }`);
  }
  return `${lines.join("\n")}\n`;
}
