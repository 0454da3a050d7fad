/** Schemas of the admin API's responses; only for its OpenAPI document and the tests that check responses against it. */
import * as v from "valibot";
import { REASONS } from "../src/denial.ts";
import { conditionsSchema } from "../src/policy/conditions/conditions.ts";

const nullable = <Schema extends v.GenericSchema>(schema: Schema) => v.union([schema, v.null()]);
const text = v.string();
const texts = v.array(text);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
export const instant = v.pipe(v.string(), v.isoTimestamp(), v.description("RFC 3339, UTC."));

const record = {
  id: v.pipe(text, v.description("The token's jti.")),
  name: text,
  subject: text,
  scopes: texts,
  allow_list: v.pipe(nullable(texts), v.description("null: no list; the token may touch everything.")),
  conditions: v.array(conditionsSchema),
  issued_at: instant,
  expires_at: instant,
  revoked_at: v.pipe(nullable(instant), v.description("May lie ahead, after a rotation with an overlap.")),
  last_used_at: nullable(instant),
  created_by: v.strictObject({ issuer: text, subject: nullable(text) }),
  parent: v.pipe(
    nullable(text),
    v.description("The token it was issued under: its id, or issuer, space and id where another issuer signed it."),
  ),
  status: v.picklist(["active", "expired", "revoked"]),
};

export const tokenRecord = v.strictObject(record);
export const issuedToken = v.strictObject({ ...record, token: v.pipe(text, v.description("Shown this once.")) });
export const revokedToken = v.strictObject({ ...record, sequence: count });

const revocationEntries = {
  sequence: count,
  kind: v.picklist(["token", "subject", "client", "issuer", "key"]),
  issuer: text,
  value: text,
  issued_before: nullable(instant),
  effective_at: instant,
  expires_at: nullable(instant),
  reason: text,
  created_at: instant,
  created_by: text,
  warning: v.optional(text),
};

export const revocation = v.strictObject(revocationEntries);
export const revocations = v.strictObject({ items: v.array(revocation) });
export const addedRevocations = v.union([revocation, revocations]);

export const revocationWithReceipts = v.strictObject({
  ...revocationEntries,
  locations: v.array(
    v.strictObject({ location: text, sequence: count, applied: v.boolean(), as_of: instant, reported_at: instant }),
  ),
  seen_last_five_minutes: count,
  applied_last_five_minutes: count,
  oldest_lag_seconds: nullable(v.number()),
});

export const scope = v.looseObject({
  scope: text,
  description: text,
  owner: text,
  implies: texts,
  max_lifetime: v.optional(text),
  deprecated: v.optional(text),
  sunset: v.optional(text),
  replaced_by: v.optional(texts),
  routes: texts,
  tokens: v.pipe(texts, v.maxLength(100), v.description("Ids of live tokens that name it, at most a hundred.")),
  token_count: count,
  last_decided_at: nullable(instant),
});

export const route = v.looseObject({ route: text });

export const audit = v.strictObject({
  at: instant,
  actor: v.strictObject({ issuer: text, subject: nullable(text), token: text }),
  action: v.picklist(["token.issue", "token.rotate", "token.revoke", "revocation.add", "revocation.withdraw"]),
  target: text,
  before: v.optional(v.looseObject({})),
  after: v.optional(v.looseObject({})),
  address: nullable(text),
  request_id: text,
});

export const explanation = v.looseObject({
  allowed: v.boolean(),
  status: count,
  reason: v.optional(v.picklist(Object.keys(REASONS))),
  path: text,
  route: v.optional(text),
  steps: v.array(v.looseObject({ step: text, passed: v.boolean() })),
});

export const problem = v.looseObject({
  type: text,
  title: text,
  status: count,
  reason: v.picklist(Object.keys(REASONS)),
  instance: v.pipe(text, v.description("The request's id.")),
  errors: v.optional(v.array(v.strictObject({ field: text, message: text }))),
});

export const page = (item: v.GenericSchema) =>
  v.strictObject({
    items: v.array(item),
    cursor: v.optional(v.pipe(text, v.description("Where the next page begins; absent on the last."))),
  });
