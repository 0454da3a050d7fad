/**
 * The query of a list: filters, `limit` and `cursor`, read strictly. An unknown, repeated, empty or out-of-range parameter
 * is a fault: a filter with a typing error must not list everything.
 */
import * as v from "valibot";
import type { FieldError } from "../denial.ts";
import { isScopeToken } from "../policy/scope.ts";
import { faultsIn } from "./body.ts";
import { type Position, parseCursor } from "./cursor.ts";
import { done, type Outcome, refused } from "./refusal.ts";

const DEFAULT_LIMIT = 50;
const MOST = 200;

const filter = (description: string) =>
  v.optional(v.pipe(v.string(), v.nonEmpty("must not be empty"), v.description(description)));

const pageEntries = {
  limit: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => /^[1-9][0-9]{0,2}$/.test(text) && Number(text) <= MOST, `must be a number from 1 to ${MOST}`),
      v.description(`Items a page, at most ${MOST}. Absent: ${DEFAULT_LIMIT}.`),
    ),
  ),
  cursor: filter("Where the last page ended; good for the same filters only."),
};

export const pageQuery = v.strictObject(pageEntries);

export const tokensQuery = v.strictObject({
  subject: filter("Tokens of this subject."),
  scope: v.optional(
    v.pipe(
      v.string(),
      v.check(isScopeToken, "must be a scope or a wildcard"),
      v.description("Tokens that name this scope, or this wildcard."),
    ),
  ),
  status: v.optional(
    v.pipe(
      v.picklist(["active", "expired", "revoked"], 'must be "active", "expired" or "revoked"'),
      v.description("Tokens that are so now."),
    ),
  ),
  name: filter("Tokens whose name begins so, in the order of the names."),
  ...pageEntries,
});

export interface PageOf {
  readonly limit: number;
  readonly after: Position | null;
}

/** Reads a query by its schema, or refuses with every fault. */
export function readQuery<Schema extends v.GenericSchema>(
  schema: Schema,
  search: URLSearchParams,
): Outcome<v.InferOutput<Schema>> {
  const errors: FieldError[] = [];
  const table = new Map<string, string>();
  for (const [name, value] of search) {
    if (table.has(name)) errors.push({ field: name.slice(0, 64), message: "must be said once" });
    table.set(name, value);
  }
  const result = v.safeParse(schema, Object.fromEntries(table));
  if (!result.success) errors.push(...faultsIn(result.issues));
  return result.success && errors.length === 0 ? done(result.output) : refused("request_invalid", errors);
}

/** The page that a query asks for; `list` is the list's name, for its cursors. */
export function pageOf(
  query: { limit?: string | undefined; cursor?: string | undefined },
  list: string,
): Outcome<PageOf> {
  const after = query.cursor === undefined ? null : parseCursor(list, query.cursor);
  if (query.cursor !== undefined && after === null) {
    return refused("request_invalid", [
      { field: "cursor", message: "is not a cursor of this list with these filters" },
    ]);
  }
  return done({ limit: Number(query.limit ?? DEFAULT_LIMIT), after });
}
