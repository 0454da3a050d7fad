/**
 * The body of `POST /revocations`: its schema, and its conversion into entries of the list, or the faults in them.
 *
 * Guarantees: of a token that is submitted whole, only its issuer and its name are kept.
 */
import * as v from "valibot";
import type { Policy } from "../../policy/policy.ts";
import { MOST_ENTRIES, type NewRevocation } from "../../revocation/records.ts";
import { REVOCATION_KINDS } from "../../revocation/revocation.ts";
import { holdsToken, tokenName } from "../../revocation/token-name.ts";
import { parseInstant } from "../instant.ts";

/** For a name that is given directly. A name taken from a whole token may be longer, so that every token can be revoked. */
const LONGEST_NAME = 512;
const LONGEST_VALUE = 16 * 1024;

const instant = v.pipe(
  v.string(),
  v.check((text) => parseInstant(text) !== null, 'must be an RFC 3339 time, as "2026-11-22T08:00:00Z"'),
);
const text = (longest: number) =>
  v.pipe(
    v.string(),
    v.nonEmpty("must not be empty"),
    v.maxLength(longest, `must have at most ${longest} characters`),
    v.check((value) => value.isWellFormed(), "must be well-formed Unicode"),
  );

const revocationSchema = v.strictObject({
  kind: v.pipe(v.picklist(REVOCATION_KINDS), v.description("What the value names.")),
  issuer: v.optional(v.pipe(text(LONGEST_NAME), v.description("Whose tokens. Absent: this gateway's own."))),
  value: v.pipe(
    text(LONGEST_VALUE),
    v.description(
      "A sub, a client, a kid, an issuer; of a token its jti, or the token, of which only the name is kept.",
    ),
  ),
  issued_before: v.optional(v.pipe(instant, v.description("Only tokens with an earlier iat, and those without one."))),
  expires_at: v.optional(v.pipe(instant, v.description("From then on the entry no longer counts."))),
  reason: v.pipe(text(500), v.description("Why, for those who read the list.")),
});

export const revocationsSchema = v.union([
  revocationSchema,
  v.pipe(
    v.array(revocationSchema),
    v.nonEmpty("must not be empty"),
    v.maxLength(MOST_ENTRIES, `must have at most ${MOST_ENTRIES} entries`),
  ),
]);

export type RevocationsBody = v.InferInput<typeof revocationsSchema>;
type RevocationBody = v.InferOutput<typeof revocationSchema>;

/** Checks one entry; calls `fault` for each fault, and then returns `null`. */
export async function entryOf(
  body: RevocationBody,
  policy: Policy,
  nowSeconds: number,
  fault: (field: string, message: string) => void,
): Promise<NewRevocation | null> {
  const own = policy.gateway.publicUrl;
  let isGood = true;
  const bad = (field: string, message: string): void => {
    isGood = false;
    fault(field, message);
  };
  let { value } = body;
  let issuer = body.issuer ?? own;
  if (body.kind === "token") {
    const name = await tokenName(value);
    if (name === null)
      bad("value", "is neither a jti nor a whole token that can be read; paste all of it and nothing around it");
    else if (name.issuer !== null && body.issuer !== undefined && name.issuer !== body.issuer) {
      bad("issuer", "is not the issuer of the token");
    }
    value = name?.tokenId ?? "";
    issuer = body.issuer ?? name?.issuer ?? own;
  } else if (holdsToken(value)) {
    bad("value", 'holds a token, which is not kept; revoke it as kind "token"');
  } else if (body.kind === "issuer") {
    if (body.issuer !== undefined && body.issuer !== value) bad("issuer", "is not the value; leave it out");
    issuer = value;
  }
  const isInToken = body.kind === "token" && value !== body.value;
  if ((value.length > LONGEST_NAME && !isInToken) || issuer.length > LONGEST_NAME) {
    bad("value", `must be a name of at most ${LONGEST_NAME} characters, or a whole token`);
  }
  const issuedBefore = ceiling(body.issued_before);
  const expiresAt = ceiling(body.expires_at);
  if (expiresAt !== null && expiresAt <= nowSeconds) bad("expires_at", "must lie ahead");
  if (!isGood) return null;
  return { kind: body.kind, issuer, value, issuedBefore, expiresAt, reason: body.reason };
}

/** A warning for a valid entry that may be a mistake; `null` if there is none. */
export function warningOf({ kind, issuer, value, issuedBefore }: NewRevocation, policy: Policy, nowSeconds: number) {
  const own = policy.gateway.publicUrl;
  const named = kind === "issuer" ? value : issuer;
  if (named !== own && !policy.issuers.some((known) => known.issuer === named)) {
    return "the policy does not know this issuer";
  }
  // `entryOf` rounds times up, so the present moment may have become the next second.
  const meetsWhatComes = issuedBefore === null || issuedBefore > nowSeconds + 1;
  return kind === "issuer" && value === own && meetsWhatComes
    ? "ends every token of this gateway, those to come too: none of its own can withdraw it"
    : null;
}

/** Rounds up to a whole second: both fields are upper bounds, and too late revokes more, never less. */
function ceiling(instantText: string | undefined): number | null {
  const seconds = instantText === undefined ? null : parseInstant(instantText);
  return seconds === null ? null : Math.ceil(seconds);
}
