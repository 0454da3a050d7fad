/**
 * The shape of a route's value: a scope, a list of scopes, or a table.
 */
import * as v from "valibot";
import { conditionEntries } from "../conditions/conditions.ts";

const routeTable = v.strictObject({
  all: v.optional(
    v.pipe(v.array(v.string()), v.nonEmpty("must not be empty"), v.description("Every one of these scopes.")),
  ),
  any: v.optional(
    v.pipe(
      v.array(v.union([v.string(), v.pipe(v.array(v.string()), v.nonEmpty("must not be empty"))])),
      v.nonEmpty("must not be empty"),
      v.description("One of these entries: a scope, or a list of which every one is needed."),
    ),
  ),
  authenticated: v.optional(v.pipe(v.literal(true), v.description("A valid token and no scope."))),
  public: v.optional(v.pipe(v.literal(true), v.description("Nothing; a token that comes along is not looked at."))),
  resource: v.optional(
    v.pipe(
      v.union([v.string(), v.array(v.string())]),
      v.description('The resource that the call touches, as "type:{name}", or a list. []: none. Absent: *:*.'),
    ),
  ),
  revocation: v.optional(v.pipe(v.literal("strict"), v.description("Asks the D1 primary on each request."))),
  encoded_slash: v.optional(v.pipe(v.boolean(), v.description("Whether the path may hold %2F and %5C."))),
  connection: v.optional(
    v.pipe(
      v.literal("unbounded"),
      v.description("A WebSocket or event stream outlives its token's revocation and expiry."),
    ),
  ),
  ...conditionEntries,
});

const aString = v.string();
const routeList = v.pipe(v.array(v.string()), v.nonEmpty("must not be empty"));
const anyRoute = v.union([v.string(), routeList, routeTable]);

export const routeSchema = v.pipe(
  // Not a plain union, which tries all of its options. `undefined`: asked for the schema itself, not to check a value.
  v.lazy((value) => {
    if (value === undefined) return anyRoute;
    if (typeof value === "string") return aString;
    return Array.isArray(value) ? routeList : routeTable;
  }),
  v.description("What a call needs: a scope, a list of scopes of which every one is needed, or a table."),
);

export type RawRoute = v.InferOutput<typeof anyRoute>;
export type RawRouteTable = v.InferOutput<typeof routeTable>;
