/**
 * Every refusal: one table of reasons with their status and texts, one union of denials, one function that renders a
 * denial. A denial whose reason is not in the table fails to compile.
 *
 * Guarantees: application/problem+json (RFC 9457), never cached, no token, claim or internal message in it.
 * Leaves to the caller: the CORS headers, the decision log.
 */

export type Reason = keyof typeof REASONS;

/** One fault of a request body, a filter or a policy: the field, and what is wrong with it. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

type PlainReason = Exclude<
  Reason,
  | "method_not_allowed"
  | "scope_insufficient"
  | "resource_not_allowed"
  | "condition_not_met"
  | "keys_unavailable"
  | "revocation_unavailable"
  | AdminReason
>;
type AdminReason =
  | "request_invalid"
  | "grant_exceeds_issuer"
  | "not_found"
  | "conflict"
  | "payload_too_large"
  | "unsupported_media_type";

export type Denial =
  | { readonly reason: PlainReason }
  | { readonly reason: "method_not_allowed"; readonly allow: readonly string[] }
  | { readonly reason: "scope_insufficient"; readonly requiredScopes: readonly string[] }
  /** `resource`: the template not covered (`charge:{charge}`); `*:*` if there is none, or the list covers nothing. */
  | { readonly reason: "resource_not_allowed"; readonly resource: string }
  /** `condition` is the policy key of the condition that does not hold: `cidr`, `hours`, … */
  | { readonly reason: "condition_not_met"; readonly condition: string }
  | { readonly reason: "keys_unavailable" | "revocation_unavailable"; readonly retryAfterSeconds: number }
  /** `record` is the record that the request conflicts with, where the caller may see it. */
  | { readonly reason: AdminReason; readonly errors: readonly FieldError[]; readonly record?: unknown };

interface ReasonText {
  readonly status: number;
  readonly title: string;
  /** What the caller can check or do; shown on the page that the problem's `type` names. */
  readonly remedy: string;
  /** RFC 6750 §3.1 error code. `null`: a challenge without an error code; absent: no challenge. */
  readonly challenge?: "invalid_request" | "invalid_token" | "insufficient_scope" | null;
  readonly description?: string;
}

export const REASONS = {
  ambiguous_path: {
    status: 400,
    title: "The path can be read in more than one way",
    remedy:
      "Send the path in its canonical spelling: no dot segments, empty segments, backslashes, semicolons, double encodings or encoded slashes, no escape of what the API spells as it is (%40 for @), and in the case that the API uses.",
  },
  ambiguous_request: {
    status: 400,
    title: "The request names a resource more than once",
    remedy: "Send the query parameter or header that names the resource exactly once.",
  },
  credentials_malformed: {
    status: 400,
    title: "The Authorization header is malformed",
    remedy:
      "Send one header 'Authorization: Bearer <token>' with one token of at most 16 KiB. Nothing behind 'Bearer'? A variable may not be set.",
    challenge: "invalid_request",
  },
  route_not_found: {
    status: 404,
    title: "No route has this path",
    remedy: "Check the path. What the gateway's policy does not map is refused.",
  },
  method_not_allowed: {
    status: 405,
    title: "The path does not have this method",
    remedy: "Use one of the methods that the Allow header lists.",
  },
  token_missing: {
    status: 401,
    title: "A token is required",
    remedy: "Send 'Authorization: Bearer <token>'. Tokens in the query or in other headers are not read.",
    challenge: null,
  },
  token_invalid: {
    status: 401,
    title: "The token is not valid here",
    remedy:
      "Check the token's issuer, audience, type, algorithm, key and times. For safety the answer does not say which of them failed; the gateway's operator finds it in the decision log by the request id.",
    challenge: "invalid_token",
  },
  token_expired: {
    status: 401,
    title: "The token has expired",
    remedy: "Obtain a new token.",
    challenge: "invalid_token",
    description: "The token has expired",
  },
  token_revoked: {
    status: 401,
    title: "The token has been revoked",
    remedy: "Obtain a new token, or ask the API's administrators why this one was revoked.",
    challenge: "invalid_token",
    description: "The token has been revoked",
  },
  scope_insufficient: {
    status: 403,
    title: "The token's scopes do not cover this call",
    remedy: "Obtain a token with the scopes that 'required_scopes' lists.",
    challenge: "insufficient_scope",
  },
  resource_not_allowed: {
    status: 403,
    title: "The token's allow list does not cover this resource",
    remedy:
      "Use a token whose allow list covers what 'resource' describes: 'charge:{charge}' is the charge that the path names, 'charge:*' all charges; '*:*' needs a token that is not cut to single resources.",
  },
  condition_not_met: {
    status: 403,
    title: "A condition of this call does not hold",
    remedy: "'condition' says which one: the caller's address, its country, the hour, or the token's age.",
  },
  keys_unavailable: {
    status: 503,
    title: "The issuer's keys are unavailable",
    remedy: "Try again after the time that Retry-After gives. The token itself was not judged.",
  },
  revocation_unavailable: {
    status: 503,
    title: "The revocation list is unavailable",
    remedy: "Try again after the time that Retry-After gives. The token itself was not judged.",
  },
  origin_unreachable: {
    status: 502,
    title: "The API behind the gateway cannot be reached",
    remedy: "Try again later. The call was allowed; the API did not answer it.",
  },
  origin_timeout: {
    status: 504,
    title: "The API behind the gateway did not answer in time",
    remedy: "Try again later. The call was allowed and may have had its effect.",
  },
  internal_error: {
    status: 500,
    title: "The gateway failed",
    remedy: "Report the request id in 'instance' to the gateway's operator.",
  },
  request_invalid: {
    status: 400,
    title: "The request is not valid",
    remedy: "'errors' lists every fault with its field.",
  },
  grant_exceeds_issuer: {
    status: 403,
    title: "More was asked for than the caller holds",
    remedy:
      "Ask only for scopes, resources, lifetimes and subjects within your own token's; 'errors' lists what exceeds it.",
  },
  not_found: { status: 404, title: "There is no such record", remedy: "Check the id." },
  conflict: { status: 409, title: "The request conflicts with an earlier one", remedy: "'errors' says with which." },
  payload_too_large: { status: 413, title: "The body is too large", remedy: "Send at most 64 KiB." },
  unsupported_media_type: {
    status: 415,
    title: "The body is not JSON",
    remedy: "Send 'Content-Type: application/json'.",
  },
} as const satisfies Record<string, ReasonText>;

/** What a refusal contains besides its reason. `publicUrl` has no trailing slash. */
export interface DenialContext {
  readonly publicUrl: string;
  readonly adminPath: string;
  readonly requestId: string;
}

/** Renders a denial as the response that the client sees (contract §3). */
export function denialResponse(denial: Denial, context: DenialContext): Response {
  const text: ReasonText = REASONS[denial.reason];
  const headers = new Headers({
    "Content-Type": "application/problem+json",
    "Cache-Control": "no-store",
    "X-Request-Id": context.requestId,
  });
  const body: Record<string, unknown> = {
    type: problemType(denial.reason, context),
    title: text.title,
    status: text.status,
    reason: denial.reason,
    instance: context.requestId,
  };
  if (text.challenge !== undefined) headers.set("WWW-Authenticate", challenge(denial, text, context));

  switch (denial.reason) {
    case "method_not_allowed":
      headers.set("Allow", denial.allow.join(", "));
      break;
    case "scope_insufficient":
      body["required_scopes"] = denial.requiredScopes;
      break;
    case "resource_not_allowed":
      body["resource"] = denial.resource;
      break;
    case "condition_not_met":
      body["condition"] = denial.condition;
      break;
    case "keys_unavailable":
    case "revocation_unavailable":
      headers.set("Retry-After", String(denial.retryAfterSeconds));
      break;
    default:
      if ("errors" in denial) body["errors"] = denial.errors;
      if ("record" in denial && denial.record !== undefined) body["record"] = denial.record;
  }
  return new Response(JSON.stringify(body), { status: text.status, headers });
}

/** The absolute URL of the page that explains a reason. */
function problemType(reason: Reason, context: Pick<DenialContext, "publicUrl" | "adminPath">): string {
  return `${context.publicUrl}${context.adminPath}/problems/${reason}`;
}

/** The WWW-Authenticate value (RFC 6750 §3), with the URL of the protected resource metadata (RFC 9728 §5.1). */
function challenge(denial: Denial, text: ReasonText, context: DenialContext): string {
  let value = `Bearer realm="${context.publicUrl}", resource_metadata="${context.publicUrl}/.well-known/oauth-protected-resource"`;
  if (text.challenge) value += `, error="${text.challenge}"`;
  if (text.description) value += `, error_description="${text.description}"`;
  if (denial.reason === "scope_insufficient") value += `, scope="${denial.requiredScopes.join(" ")}"`;
  return value;
}
