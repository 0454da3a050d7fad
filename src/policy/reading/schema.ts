/**
 * The shape of `scopegate.toml`: strict objects at every level, so that an unknown key is refused and never ignored.
 * The same schema validates at load and is turned into `scopegate.schema.json` for editors; its descriptions are the
 * documentation of the keys.
 *
 * Leaves to `load.ts` what one key alone does not show: names that must exist, cycles, routes that conflict.
 */
import * as v from "valibot";
import { conditionEntries } from "../conditions/conditions.ts";
import { isRealDay } from "../day.ts";
import { durationSchema } from "../duration.ts";
import { routeSchema } from "./schema-route.ts";

const text = (description: string) => v.pipe(v.string(), v.nonEmpty("must not be empty"), v.description(description));
const flag = (description: string) => v.pipe(v.boolean(), v.description(description));
const texts = (description: string) =>
  v.pipe(v.array(v.pipe(v.string(), v.nonEmpty("must not be empty"))), v.description(description));
const date = (description: string) =>
  v.pipe(v.string(), v.check(isDate, 'must be a date, as "2026-09-01"'), v.description(description));
const duration = (description: string) => v.pipe(durationSchema, v.description(description));

const gateway = v.pipe(
  v.strictObject({
    public_url: text("This gateway as clients see it, and the issuer of its own tokens. No path, no trailing slash."),
    admin_path: v.optional(text("Where the admin API lies. No route may lie under it."), "/_scopegate"),
    mode: v.optional(
      v.pipe(
        v.picklist(["enforce", "report"]),
        v.description(
          '"report" logs what would be refused for its token, scopes, resources or conditions and forwards it.',
        ),
      ),
      "enforce",
    ),
    clock_skew: v.optional(duration("How far the clocks of issuers may differ from this one."), "30s"),
  }),
  v.description("The gateway itself."),
);

const origin = v.pipe(
  v.strictObject({
    url: v.optional(
      text("The API behind the gateway; a path in it stands before the request's. ORIGIN and ORIGIN_URL go first."),
    ),
    timeout: v.optional(duration("How long the origin may take until its response's headers."), "30s"),
    authorization: v.optional(
      v.pipe(
        v.picklist(["forward", "remove"]),
        v.description('"remove": the origin does not get the caller\'s token.'),
      ),
      "forward",
    ),
    remove_headers: v.optional(texts("Request headers that the origin must not see; a final * is a wildcard."), []),
    case_sensitive_paths: v.optional(flag("Whether the origin tells /Admin from /admin."), false),
  }),
  v.description("The API behind the gateway."),
);

const revocation = v.pipe(
  v.strictObject({
    refresh: v.optional(duration("How often an isolate asks for what is new."), "5s"),
    max_staleness: v.optional(duration("Older knowledge than this decides nothing. Not shorter than refresh."), "30s"),
  }),
  v.description("How revocations reach the gateway."),
);

const cors = v.pipe(
  v.strictObject({
    origins: v.pipe(
      v.array(v.string()),
      v.nonEmpty("must not be empty"),
      v.description("Origins whose pages may call the API."),
    ),
    methods: v.optional(texts("Methods that a preflight allows."), ["GET", "HEAD", "POST"]),
    headers: v.optional(texts("Request headers that a preflight allows."), ["Authorization", "Content-Type"]),
    max_age: v.optional(duration("How long a browser may keep a preflight's answer."), "1h"),
  }),
  v.description("Cross-origin calls from browsers. Absent: a preflight is a request like any other."),
);

const log = v.pipe(
  v.strictObject({
    sample_rate: v.optional(
      v.pipe(
        v.number(),
        v.minValue(0, "must be from 0 to 1"),
        v.maxValue(1, "must be from 0 to 1"),
        v.description("Share of allowed requests that leave a log line, 0 to 1. Refusals and admin writes always do."),
      ),
      0.01,
    ),
  }),
  v.description("The decision log."),
);

const issuer = v.pipe(
  v.strictObject({
    issuer: text("The `iss` of its tokens, to the letter. https, or http on a loopback host."),
    audience: v.pipe(
      v.union([v.string(), v.pipe(v.array(v.string()), v.nonEmpty("must not be empty"))]),
      v.description("The `aud` that its tokens must name; one of a list."),
    ),
    jwks_uri: v.optional(text("Where its keys are. Absent: discovered.")),
    algorithms: v.optional(
      v.pipe(
        v.array(v.string()),
        v.nonEmpty("must not be empty"),
        v.description("Signature algorithms that are accepted."),
      ),
    ),
    secret: v.optional(text('The binding that holds the HS256 secret; only with algorithms = ["HS256"].')),
    scope_claim: v.optional(
      text("The claim that holds the scopes: a member of that name, else a path of names joined by dots."),
      "scope",
    ),
    require_typ: v.optional(text("The `typ` that its tokens must have.")),
    legacy_scopes: v.optional(texts("What a token without the scope claim may do. Absent: nothing.")),
    wildcards: v.optional(flag("Whether a trailing * in its tokens' scopes is a wildcard."), false),
    scope_map: v.optional(v.pipe(v.record(v.string(), v.array(v.string())), v.description("Its scope names to ours."))),
    admin: v.optional(flag("Whether its tokens may carry scopegate: scopes."), false),
  }),
  v.description("Who may sign tokens, besides this gateway."),
);

const tokens = v.pipe(
  v.strictObject({
    audience: v.optional(text("The `aud` of the tokens that this gateway issues. Absent: public_url.")),
    default_lifetime: v.optional(duration("The lifetime of a token that asks for none."), "30d"),
    max_lifetime: v.optional(duration("No token lives longer."), "365d"),
  }),
  v.description("API tokens that this gateway issues."),
);

const scope = v.pipe(
  v.strictObject({
    description: text("What it is for."),
    owner: text("Who answers for it."),
    implies: v.optional(texts("Scopes that it grants besides itself, transitively."), []),
    max_lifetime: v.optional(duration("No token of this gateway with this scope lives longer.")),
    deprecated: v.optional(date("From when it should no longer be used; answers carry Deprecation (RFC 9745).")),
    sunset: v.optional(date("From when nothing grants it; answers carry Sunset (RFC 8594).")),
    replaced_by: v.optional(texts("What to use instead; told, not applied."), []),
    ...conditionEntries,
  }),
  v.description("A scope of the catalogue."),
);

const bundle = v.pipe(
  v.strictObject({
    description: text("Who it is for."),
    scopes: v.pipe(texts("Its scopes; wildcards count."), v.nonEmpty("must not be empty")),
  }),
  v.description("A named set of scopes to issue tokens from."),
);

const silence = v.strictObject({
  rule: text("The rule's number, as `scopegate check` prints it."),
  at: v.optional(text("The route or scope it is silenced for. Absent: everywhere.")),
  reason: text("Why."),
});

export const policySchema = v.pipe(
  v.strictObject({
    gateway,
    origin: v.optional(origin, {}),
    revocation: v.optional(revocation, {}),
    cors: v.optional(cors),
    log: v.optional(log, {}),
    issuers: v.optional(v.array(issuer), []),
    tokens: v.optional(tokens, {}),
    scopes: v.optional(v.record(v.string(), scope), {}),
    bundles: v.optional(v.record(v.string(), bundle), {}),
    routes: v.pipe(v.record(v.string(), routeSchema), v.description('What each call needs, by "METHODS PATTERN".')),
    checks: v.optional(
      v.strictObject({
        silence: v.optional(
          v.pipe(v.array(silence), v.description("Rules of `scopegate check` that do not apply here.")),
          [],
        ),
      }),
      {},
    ),
  }),
  v.title("scopegate policy"),
);

export type RawPolicy = v.InferOutput<typeof policySchema>;
export type RawIssuer = RawPolicy["issuers"][number];

function isDate(value: string): boolean {
  return (
    /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2}))?$/.test(value) &&
    !Number.isNaN(Date.parse(value)) &&
    isRealDay(Number(value.slice(0, 4)), Number(value.slice(5, 7)), Number(value.slice(8, 10)))
  );
}
