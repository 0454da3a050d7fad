/**
 * Validates the claims about the token itself: whether it is meant for this gateway, is an access token at all, and is
 * in force at the given second (RFC 7519 §4.1, RFC 9068 §4, RFC 8725 §3).
 *
 * Pure: the caller passes the time. Leaves to `verify.ts` the signature, without which no claim can be trusted, and to
 * `scopes.ts` what the token may do.
 *
 * Where the standards leave the choice open, this refuses: an empty `sub` or `jti`; control characters or lone surrogates in
 * claims that are later logged or sent to the origin; times outside 0 to 2^53; any `cnf`, since none can be checked.
 */
import type { IssuerPolicy } from "../policy/policy.ts";
import { hasControls } from "../request/controls.ts";
import type { Jws, JwsHeader } from "./jws.ts";

/** The claims that the other rooms use, type-checked. */
export interface TokenClaims {
  readonly subject: string | null;
  /** `client_id`, else `azp`. */
  readonly client: string | null;
  readonly jti: string | null;
  readonly issuedAtSeconds: number | null;
  readonly expiresAtSeconds: number;
}

/** Why a token is refused: a fixed word for the log, never text from the token. */
export type ClaimFault =
  | "typ"
  | "audience"
  | "confirmation"
  | "times"
  | "subject"
  | "client"
  | "token_id"
  | "required_claim"
  | "scope";

export type ClaimsOutcome =
  | { readonly kind: "valid"; readonly claims: TokenClaims }
  /** Valid except that it has expired. The client may learn this only after the signature was verified. */
  | { readonly kind: "expired"; readonly claims: TokenClaims }
  | { readonly kind: "invalid"; readonly fault: ClaimFault };

/** The part of an issuer's policy against which its tokens' claims are checked. */
export type ClaimsPolicy = Pick<IssuerPolicy, "audiences" | "requireTyp">;

/** The id of a token without `jti` (`signedPartName` in `token-name.ts`): a `jti` of this form could impersonate one. */
const DIGEST_ID = /^sha256:[A-Za-z0-9_-]{43}$/;

/**
 * Judges the claims of another issuer's token at `nowSeconds`, with a tolerance of `skewSeconds` in both directions. Does
 * not compare `iss`: the caller has chosen `policy` by it.
 */
export function judgeClaims(jws: Jws, policy: ClaimsPolicy, nowSeconds: number, skewSeconds: number): ClaimsOutcome {
  const { header, payload } = jws;
  if (!isAccessToken(header, payload, policy.requireTyp)) return invalid("typ");
  if (!isMeantFor(payload, policy.audiences)) return invalid("audience");
  if (Object.hasOwn(payload, "cnf")) return invalid("confirmation");

  const subject = stringClaim(payload, "sub");
  if (subject === undefined) return invalid("subject");
  const clientId = stringClaim(payload, "client_id");
  const party = stringClaim(payload, "azp");
  if (clientId === undefined || party === undefined) return invalid("client");
  const jti = stringClaim(payload, "jti");
  if (jti === undefined || (jti !== null && DIGEST_ID.test(jti))) return invalid("token_id");

  const exp = timeClaim(payload, "exp");
  const nbf = timeClaim(payload, "nbf");
  const iat = timeClaim(payload, "iat");
  if (exp === null || exp === undefined || nbf === undefined || iat === undefined) return invalid("times");
  if (nbf !== null && nowSeconds < nbf - skewSeconds) return invalid("times");
  if (iat !== null && iat > nowSeconds + skewSeconds) return invalid("times");

  const claims = { subject, client: clientId ?? party, jti, issuedAtSeconds: iat, expiresAtSeconds: exp };
  return { kind: nowSeconds >= exp + skewSeconds ? "expired" : "valid", claims };
}

/** Judges the claims of a token of this gateway: RFC 9068 §2.1 and §2.2 strictly, with every claim they require. */
export function judgeOwnClaims(jws: Jws, audience: string, nowSeconds: number, skewSeconds: number): ClaimsOutcome {
  const { payload } = jws;
  const outcome = judgeClaims(jws, { audiences: [audience], requireTyp: "at+jwt" }, nowSeconds, skewSeconds);
  if (outcome.kind === "invalid") return outcome;
  const { claims } = outcome;
  const complete = claims.subject !== null && claims.jti !== null && claims.issuedAtSeconds !== null;
  if (!complete || !OWN_CLAIMS.every((name) => Object.hasOwn(payload, name))) return invalid("required_claim");
  // RFC 9068 §2.2.3: the claim of RFC 8693 §4.2, a string.
  if (Object.hasOwn(payload, "scope") && typeof payload["scope"] !== "string") return invalid("scope");
  return outcome;
}

/** Required in this gateway's own tokens; `judgeClaims` accepts substitutes for them from other issuers. */
const OWN_CLAIMS = ["aud", "client_id"];

/**
 * RFC 8725 §3.11, RFC 9068 §4: an explicit type decides. Without one, a token that looks like an ID token, a refresh token
 * or a security event is refused as an access token.
 */
function isAccessToken(header: JwsHeader, payload: Jws["payload"], requireTyp: string | null): boolean {
  if (requireTyp !== null && header.typ !== requireTyp) return false;
  if (header.typ === "at+jwt") return true;
  // The policy names this explicit type, so no further check is needed.
  if (requireTyp !== null && NAMES_ANOTHER_TYPE.test(requireTyp)) return true;
  if (header.typ !== null && NAMES_ANOTHER_TYPE.test(header.typ)) return false;
  if (OTHER_TOKENS_CLAIMS.some((name) => Object.hasOwn(payload, name))) return false;
  return (
    !saysOtherwise(payload, "typ", OTHER_KEYCLOAK_TYPES) && !saysOtherwise(payload, "token_use", OTHER_COGNITO_USES)
  );
}

/** Registered types of other tokens end in `+jwt` (`dpop+jwt`, `logout+jwt`, `secevent+jwt`, …); some issuers use bare words. */
const NAMES_ANOTHER_TYPE = /\+(?:sd-)?jwt$|^(?:id|id[_-]?token|refresh|refresh[_-]?token|rt|jwe|jose|jose\+json|dpop)$/;

/** Claims of ID tokens (OpenID Connect Core §3.3.2.11) and of security events (RFC 8417 §2.2), never of access tokens. */
const OTHER_TOKENS_CLAIMS = ["at_hash", "c_hash", "s_hash", "events"];

/** Keycloak's `typ` claim says what kind a token is: `Bearer` for access tokens. */
const OTHER_KEYCLOAK_TYPES = ["ID", "Refresh", "Offline", "Logout"];

/** Amazon Cognito's `token_use` claim says the same: `access` for access tokens. */
const OTHER_COGNITO_USES = ["id", "refresh"];

function saysOtherwise(payload: Jws["payload"], name: string, others: readonly string[]): boolean {
  const value = Object.hasOwn(payload, name) ? payload[name] : undefined;
  return typeof value === "string" && others.includes(value);
}

/**
 * RFC 7519 §4.1.3. Amazon Cognito's access tokens have no `aud`: without `aud`, and only if `token_use` says that this is an
 * access token, `client_id` is checked as the audience, as Cognito's own libraries do.
 */
function isMeantFor(payload: Jws["payload"], audiences: readonly string[]): boolean {
  if (!Object.hasOwn(payload, "aud")) {
    const client = Object.hasOwn(payload, "client_id") ? payload["client_id"] : undefined;
    const isAccess = Object.hasOwn(payload, "token_use") && payload["token_use"] === "access";
    return isAccess && typeof client === "string" && audiences.includes(client);
  }
  const { aud } = payload;
  if (typeof aud === "string") return audiences.includes(aud);
  if (!Array.isArray(aud) || !aud.every((entry) => typeof entry === "string")) return false;
  return aud.some((entry) => audiences.includes(entry));
}

/** A string claim; `null` where it is absent, `undefined` where it is not a usable string. */
function stringClaim(payload: Jws["payload"], name: string): string | null | undefined {
  if (!Object.hasOwn(payload, name)) return null;
  const value = payload[name];
  if (typeof value !== "string" || value === "" || !value.isWellFormed()) return undefined;
  return hasControls(value) ? undefined : value;
}

/** A NumericDate (RFC 7519 §2), fractions allowed; `null` where the claim is absent, `undefined` where it is not a valid one. */
function timeClaim(payload: Jws["payload"], name: string): number | null | undefined {
  if (!Object.hasOwn(payload, name)) return null;
  const value = payload[name];
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

function invalid(fault: ClaimFault): ClaimsOutcome {
  return { kind: "invalid", fault };
}

/**
 * The time from which the age of a token of this gateway is counted: `auth_time`, which a token inherits from the token that
 * it was issued under (RFC 9068 §2.2.1), but never later than `iat`; without it, `iat`. `undefined`: `auth_time` is invalid.
 */
export function authenticatedAt(payload: Jws["payload"], issuedAtSeconds: number | null): number | null | undefined {
  if (!Object.hasOwn(payload, "auth_time")) return issuedAtSeconds;
  const claim = payload["auth_time"];
  if (typeof claim !== "number" || !(claim >= 0 && claim <= Number.MAX_SAFE_INTEGER)) return undefined;
  return Math.min(claim, issuedAtSeconds ?? claim);
}
