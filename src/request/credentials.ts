/**
 * The token that a request carries: in the Authorization header, with the scheme Bearer, and nowhere else
 * (contract §3 "Tokens"; RFC 6750 §2.1, RFC 9110 §11.4).
 *
 * Guarantees that a token which it returns is one b64token of at most 16 KiB. Does not look into it.
 *
 * Trade-off: the runtime joins repeated headers with a comma, so a second credential is looked for behind every
 * comma, within quoted strings too: a Digest realm of `"a, Bearer b"` is refused rather than taken apart.
 */

export type Credentials =
  | { readonly kind: "none" }
  | { readonly kind: "malformed" }
  | { readonly kind: "bearer"; readonly token: string };

const MOST_TOKEN_CHARACTERS = 16_384;
/** `Bearer` and one space; more spaces are allowed (RFC 6750 §2.1) and taken off. */
const TOKEN_AT = 7;

/** One b64token. On the hot way: in V8 half the price of a loop over the characters. */
const BEARER = /^bearer +[A-Za-z0-9\-._~+/]+=*$/i;
const ANY_BEARER = /^bearer /i;

const NONE: Credentials = { kind: "none" };
const MALFORMED: Credentials = { kind: "malformed" };

/** RFC 9110 §5.6.2: what a scheme's name consists of. */
const SCHEME_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const SECOND_BEARER = /,[ \t]*bearer(?:[ \t,]|$)/i;

/** Reads the Authorization header as the runtime gives it; `null` where there is none. */
export function credentials(authorization: string | null): Credentials {
  if (authorization === null) return NONE;
  if (authorization.length <= TOKEN_AT + MOST_TOKEN_CHARACTERS && BEARER.test(authorization))
    return { kind: "bearer", token: authorization.slice(TOKEN_AT).trimStart() };
  return ANY_BEARER.test(authorization) ? MALFORMED : withoutBearer(authorization);
}

/** Another scheme with its credentials is no token; anything else was meant as one and is malformed. */
function withoutBearer(authorization: string): Credentials {
  const space = authorization.indexOf(" ");
  if (space < 0) return MALFORMED;
  const scheme = authorization.slice(0, space);
  if (!SCHEME_NAME.test(scheme) || SECOND_BEARER.test(authorization)) return MALFORMED;
  return NONE;
}
