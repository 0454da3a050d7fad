/**
 * Conditions on the caller's address, country and hour, and on the token's age (contract §2).
 *
 * Guarantees: an unknown fact satisfies no condition. An address that cannot be parsed satisfies neither `cidr` nor
 * `not_cidr`, a token without `iat` no `max_token_age`. An empty list is not an absent one: no caller satisfies it (an
 * empty `not_cidr`: every caller whose address can be parsed does).
 * Leaves to the caller which conditions apply to a call, and keeping the tables as they were written.
 */
import * as v from "valibot";
import { durationSeconds, positiveDurationSchema } from "../duration.ts";
import { type Cidr, contains, parseAddress, parseCidr } from "./cidr.ts";
import { isCountryCode } from "./country.ts";
import { compileHours, type Hours, hoursSchema, isWithin } from "./hours.ts";

/** A compiled table of conditions; `null` for a key that the table does not have. */
export interface Conditions {
  readonly cidr: readonly Cidr[] | null;
  readonly notCidr: readonly Cidr[] | null;
  readonly hours: Hours | null;
  readonly countries: ReadonlySet<string> | null;
  readonly maxTokenAgeSeconds: number | null;
}

export interface ConditionFacts {
  /** The caller's address as text; `null` where there is none. */
  readonly address: string | null;
  /** The caller's country, ISO 3166-1 alpha-2, upper-case; `null` where unknown. Called only for `countries`. */
  readonly country: () => string | null;
  readonly nowSeconds: number;
  /** The token's `iat`; `null` where it has none, and where there is no token. */
  readonly issuedAtSeconds: number | null;
}

const cidrSchema = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const cidr = parseCidr(dataset.value);
    if ("error" in cidr) addIssue({ message: cidr.error });
  }),
);

const countrySchema = v.pipe(
  v.string(),
  v.regex(/^[A-Z]{2}$/, 'expected an upper-case country code such as "DE"'),
  v.check(isCountryCode, "expected a country code of ISO 3166-1"),
);

/** The keys of a table of conditions, for a schema that has others beside them. */
export const conditionEntries = {
  cidr: v.optional(v.pipe(v.array(cidrSchema), v.description("The caller's address is in one of these."))),
  not_cidr: v.optional(v.pipe(v.array(cidrSchema), v.description("The caller's address is in none of these."))),
  hours: v.optional(v.pipe(hoursSchema, v.description("When; to before from ends on the next day."))),
  countries: v.optional(v.pipe(v.array(countrySchema), v.description("The caller's country is one of these."))),
  max_token_age: v.optional(
    v.pipe(positiveDurationSchema, v.description("The token was issued at most this long ago.")),
  ),
};

/** A table of conditions alone, as tokens carry it: only the keys above, and at least one. */
export const conditionsSchema = v.pipe(
  v.strictObject(conditionEntries),
  v.check((table) => Object.keys(table).length > 0, "expected at least one condition"),
);

export type ConditionTable = v.InferOutput<typeof conditionsSchema>;

/** Compiles a table that a schema with `conditionEntries` has accepted; `null` where it has none of these keys. */
export function compileConditions(table: ConditionTable): Conditions | null {
  const { cidr, not_cidr, hours, countries, max_token_age } = table;
  if ((cidr ?? not_cidr ?? hours ?? countries ?? max_token_age) === undefined) return null;
  return {
    cidr: cidr === undefined ? null : cidr.map(cidrOf),
    notCidr: not_cidr === undefined ? null : not_cidr.map(cidrOf),
    hours: hours === undefined ? null : compileHours(hours),
    countries: countries === undefined ? null : new Set(countries),
    maxTokenAgeSeconds: max_token_age === undefined ? null : durationSeconds(max_token_age),
  };
}

/**
 * Reads a token's `conditions` claim: one table, or a list of tables that must all hold. Absent: none. Anything else,
 * an unknown key, an empty table or list: `"unreadable"`, which never holds.
 */
export function readConditions(claim: unknown): readonly Conditions[] | "unreadable" {
  if (claim === undefined) return [];
  const tables: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  if (tables.length === 0) return "unreadable";
  const compiled: Conditions[] = [];
  for (const table of tables) {
    const parsed = v.safeParse(conditionsSchema, table, { abortEarly: true });
    const conditions = parsed.success && !Array.isArray(table) ? compileConditions(parsed.output) : null;
    if (conditions === null) return "unreadable";
    compiled.push(conditions);
  }
  return compiled;
}

/** The policy's key of the first condition that does not hold; `null` where all hold. */
export function failingCondition(conditions: Conditions, facts: ConditionFacts): string | null {
  const { cidr, notCidr, hours, countries, maxTokenAgeSeconds } = conditions;
  if (cidr !== null || notCidr !== null) {
    const address = facts.address === null ? null : parseAddress(facts.address);
    if (cidr !== null && (address === null || !cidr.some((block) => contains(block, address)))) return "cidr";
    if (notCidr !== null && (address === null || notCidr.some((block) => contains(block, address)))) return "not_cidr";
  }
  if (hours !== null && !isWithin(hours, facts.nowSeconds)) return "hours";
  if (countries !== null && !countries.has(facts.country() ?? "")) return "countries";
  if (maxTokenAgeSeconds !== null && !isYoung(facts, maxTokenAgeSeconds)) return "max_token_age";
  return null;
}

/** An `iat` in the future, which verification allows within the clock skew, counts as young. */
function isYoung({ nowSeconds, issuedAtSeconds }: ConditionFacts, maxTokenAgeSeconds: number): boolean {
  return issuedAtSeconds !== null && nowSeconds - issuedAtSeconds <= maxTokenAgeSeconds;
}

function cidrOf(text: string): Cidr {
  const cidr = parseCidr(text);
  if ("error" in cidr) throw new Error("not a block of addresses");
  return cidr;
}
