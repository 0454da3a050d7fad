/**
 * The body of `POST /tokens`: its schema, and every check that needs only the policy.
 *
 * Guarantees: all faults are reported together, each with its field, before anything is signed or stored.
 * Leaves to `grant.ts`: whether the caller may grant it.
 */
import * as v from "valibot";
import type { FieldError } from "../../denial.ts";
import { type ConditionTable, conditionsSchema } from "../../policy/conditions/conditions.ts";
import { parseDuration, positiveDurationSchema } from "../../policy/duration.ts";
import type { Policy } from "../../policy/policy.ts";
import { parseAllowList } from "../../policy/resources/allow-list.ts";
import { grantsAny, isReserved, isScopeToken, isWildcard } from "../../policy/scope.ts";
import { hasControls } from "../../request/controls.ts";
import { faultsOf, fieldName } from "../body.ts";
import { done, type Outcome, refused } from "../refusal.ts";
import { type Asked, longestLifetime } from "./grant.ts";

const LONGEST_NAME = 200;
const LONGEST_SUBJECT = 255;
const MOST_SCOPES = 128;
const MOST_TABLES = 16;

const printable = (longest: number) =>
  v.pipe(
    v.string(),
    v.nonEmpty("must not be empty"),
    v.maxLength(longest, `must have at most ${longest} characters`),
    v.check((text) => text.isWellFormed() && !hasControls(text), "must not hold control characters"),
  );

export const issueSchema = v.strictObject({
  name: v.pipe(printable(LONGEST_NAME), v.description("What the token is for, in words.")),
  scopes: v.optional(
    v.pipe(
      v.array(v.string()),
      v.nonEmpty("must not be empty"),
      v.maxLength(MOST_SCOPES, `must have at most ${MOST_SCOPES} entries`),
      v.description("Scopes of the catalogue, and wildcards. Either these or a bundle."),
    ),
  ),
  bundle: v.optional(v.pipe(v.string(), v.description("A bundle of the policy, for its scopes."))),
  allow_list: v.optional(
    v.pipe(
      v.array(v.string()),
      v.description("What the token may touch: type:id, type:* or *:*. Absent: what the caller may."),
    ),
  ),
  lifetime: v.optional(
    v.pipe(positiveDurationSchema, v.description('As "12h". Absent: the policy\'s default, cut to what is allowed.')),
  ),
  conditions: v.optional(
    v.pipe(
      v.union([
        conditionsSchema,
        v.pipe(
          v.array(conditionsSchema),
          v.nonEmpty("must not be empty"),
          v.maxLength(MOST_TABLES, `must have at most ${MOST_TABLES} entries`),
        ),
      ]),
      v.description("One table or a list of tables; all must hold."),
    ),
  ),
  subject: v.optional(v.pipe(printable(LONGEST_SUBJECT), v.description("Whose it is. Absent: the caller's own."))),
});

export type IssueBody = v.InferInput<typeof issueSchema>;

export interface IssueRequest extends Asked {
  readonly name: string;
}

/** Checks a body against the schema and the policy: the request, or a refusal with every fault. */
export function readIssueRequest(body: unknown, policy: Policy, nowSeconds: number): Outcome<IssueRequest> {
  const errors = faultsOf(issueSchema, body);
  const table: Partial<Record<string, unknown>> = isTable(body) ? body : {};
  const scopes = readScopes(table, policy, nowSeconds, errors);
  const allowList = readList(table, errors);
  const lifetimeSeconds = readLifetime(table, scopes, policy, nowSeconds, errors);
  if (errors.length > 0 || !v.is(issueSchema, body)) return refused("request_invalid", unique(errors));

  const { conditions, subject } = body;
  return done({
    name: body.name,
    scopes,
    conditions: tablesOf(conditions),
    ...(allowList === undefined ? {} : { allowList }),
    ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }),
    ...(subject === undefined ? {} : { subject }),
  });
}

function tablesOf(conditions: ConditionTable | readonly ConditionTable[] | undefined): readonly ConditionTable[] {
  if (conditions === undefined) return [];
  return isList(conditions) ? conditions : [conditions];
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

/** The requested scopes, each once: those named, or those of the bundle that are still granted. */
function readScopes(
  table: Record<string, unknown>,
  policy: Policy,
  nowSeconds: number,
  errors: FieldError[],
): string[] {
  const { scopes, bundle } = table;
  if (scopes !== undefined && bundle !== undefined) {
    errors.push({ field: "bundle", message: "stands for scopes: say one of the two" });
  }
  if (scopes === undefined && bundle === undefined)
    errors.push({ field: "scopes", message: "is required, or a bundle" });
  if (Array.isArray(scopes)) {
    const names: readonly unknown[] = scopes;
    for (const [index, name] of names.slice(0, MOST_SCOPES).entries()) {
      const fault = typeof name === "string" ? scopeFault(name, policy, nowSeconds) : null;
      if (fault !== null) errors.push({ field: fieldName(["scopes", index]), message: fault });
    }
    return [...new Set(names.filter((name) => typeof name === "string"))];
  }
  if (typeof bundle !== "string") return [];
  const known = policy.bundles.get(bundle);
  if (known === undefined) {
    errors.push({ field: "bundle", message: "is not a bundle of the policy" });
    return [];
  }
  const names = known.scopes.filter((name) => grantsAny(policy.catalogue, name, nowSeconds));
  if (names.length === 0) errors.push({ field: "bundle", message: "has no scope that is still granted" });
  return names;
}

function scopeFault(name: string, policy: Policy, nowSeconds: number): string | null {
  if (grantsAny(policy.catalogue, name, nowSeconds)) return null;
  if (!isScopeToken(name)) return "is not a scope (RFC 6749 §3.3)";
  if (policy.catalogue.byName.has(name)) return "is past its sunset: nothing grants it";
  if (isWildcard(name) && !isReserved(name)) return "covers no scope of the catalogue";
  return "is not a scope of the catalogue";
}

function readList(table: Record<string, unknown>, errors: FieldError[]): Asked["allowList"] {
  // If it is not an array, the schema has already reported that.
  if (!Array.isArray(table["allow_list"])) return undefined;
  const parsed = parseAllowList(table["allow_list"]);
  if (parsed.ok) return parsed.list;
  for (const { index, message } of parsed.errors) {
    errors.push({ field: fieldName(index === null ? ["allow_list"] : ["allow_list", index]), message });
  }
  return undefined;
}

function readLifetime(
  table: Record<string, unknown>,
  scopes: readonly string[],
  policy: Policy,
  nowSeconds: number,
  errors: FieldError[],
): number | undefined {
  const { lifetime } = table;
  const seconds = typeof lifetime === "string" ? parseDuration(lifetime) : null;
  if (seconds === null) return undefined;
  const longest = longestLifetime(policy, scopes, nowSeconds);
  if (seconds > longest.seconds) {
    const because = longest.scope === null ? "the policy" : longest.scope;
    errors.push({ field: "lifetime", message: `is longer than ${because} allows, ${longest.seconds}s` });
  }
  return seconds;
}

/** Each fault once, at most a hundred. */
function unique(errors: readonly FieldError[]): FieldError[] {
  return [...new Map(errors.map((error) => [`${error.field}\n${error.message}`, error])).values()].slice(0, 100);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
