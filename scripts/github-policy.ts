/**
 * A realistic policy: GitHub's REST API, as the npm package `@octokit/openapi` describes it. Each operation becomes a route,
 * each category becomes up to two scopes (`issues:read`, `issues:write`), and a path's owner, organization or enterprise
 * becomes the resource.
 *
 * `node scripts/github-policy.ts > scopegate.toml` writes it. It is input for tests and benchmarks, not a policy to deploy:
 * GitHub itself decides who may do what, and the method only tells reading from writing.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** One call of the API. */
export interface GithubOperation {
  readonly method: string;
  /** As OpenAPI writes it: `/repos/{owner}/{repo}`. */
  readonly template: string;
  readonly category: string;
  /** The names in the template that stand for one or more segments. */
  readonly multiSegment: ReadonlySet<string>;
}

interface Parameter {
  readonly $ref?: string;
  readonly name?: string;
  readonly in?: string;
  readonly "x-multi-segment"?: boolean;
}

interface Operation {
  readonly operationId: string;
  readonly "x-github": { readonly category: string };
  readonly parameters?: readonly Parameter[];
}

interface OpenApi {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly parameters: Record<string, Parameter> };
}

/** Every operation of the API, in the order of the document. */
export function githubOperations(): GithubOperation[] {
  const file = createRequire(import.meta.url).resolve("@octokit/openapi/generated/api.github.com.json");
  const document = JSON.parse(readFileSync(file, "utf8")) as OpenApi;
  return Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      template,
      category: operation["x-github"].category,
      multiSegment: multiSegmentNames(document, operation),
    })),
  );
}

function multiSegmentNames(document: OpenApi, operation: Operation): Set<string> {
  const names = new Set<string>();
  for (const written of operation.parameters ?? []) {
    const parameter =
      written.$ref === undefined ? written : document.components.parameters[written.$ref.split("/").at(-1) ?? ""];
    if (parameter?.in === "path" && parameter["x-multi-segment"] === true && parameter.name !== undefined)
      names.add(parameter.name);
  }
  return names;
}

/** The scope that a call requires. */
export function scopeOf(operation: GithubOperation): string {
  return `${operation.category}:${operation.method === "GET" ? "read" : "write"}`;
}

/** The key of a call's route: `GET /repos/:owner/:repo/contents/:path+`. */
export function routeKeyOf(method: string, template: string, multiSegment: ReadonlySet<string> = new Set()): string {
  const pattern = template.replace(
    /\{([^}]+)\}/g,
    (_, name: string) => `:${name.replaceAll("-", "_")}${multiSegment.has(name) ? "+" : ""}`,
  );
  return `${method} ${pattern}`;
}

/** The template of the resource that a path touches, or `null`. */
export function resourceOf(template: string): string | null {
  for (const name of ["owner", "org", "enterprise"]) if (template.includes(`{${name}}`)) return `${name}:{${name}}`;
  return null;
}

/** The policy's text, for a gateway that clients reach at `publicUrl`. */
export function githubPolicy(operations: readonly GithubOperation[], publicUrl: string): string {
  const scopes = new Map(operations.map((operation) => [scopeOf(operation), operation]));
  const lines = [
    "[gateway]",
    `public_url = ${quoted(publicUrl)}`,
    "",
    "[origin]",
    'url = "https://api.github.com"',
    "",
  ];
  for (const [scope, { category, method }] of scopes) {
    const verb = method === "GET" ? "See" : "Create and change";
    lines.push(
      `[scopes.${quoted(scope)}]`,
      `description = ${quoted(`${verb} ${category.replaceAll("-", " ")}`)}`,
      `owner = ${quoted(category)}`,
      "",
    );
  }
  lines.push("[routes]");
  for (const operation of operations) {
    const key = routeKeyOf(operation.method, operation.template, operation.multiSegment);
    const resource = resourceOf(operation.template);
    const needs = `all = [${quoted(scopeOf(operation))}]`;
    lines.push(`${quoted(key)} = { ${needs}, resource = ${resource === null ? "[]" : quoted(resource)} }`);
  }
  return `${lines.join("\n")}\n`;
}

/** A TOML basic string: TOML accepts JSON's escapes. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.stdout.write(githubPolicy(githubOperations(), "https://api.example.com"));
}
