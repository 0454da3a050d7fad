/**
 * The part of a request's URL before the path: scheme and authority. Bare workerd copies the Host header into the
 * authority unchecked, so that `Host: h/v1/public?` or `Host: h#` would move or empty the path (contract §2 "Paths").
 *
 * Guarantees that the path begins where the client's request target began.
 * Trade-off: narrower than RFC 3986 §3.2.2: no userinfo, no escapes, no empty port, no zone ids.
 */

const COLON = 0x3a;
const DOT = 0x2e;

/**
 * The index at which the path begins; -1 where the URL's authority or the Host header is not host[:port].
 *
 * Does not require the two to be equal: a Worker that calls this one through a service binding, and Miniflare, set a
 * URL of their own and keep the client's Host header.
 */
export function pathStart(url: string, host: string | null): number {
  const from = url.startsWith("http://") ? 7 : url.startsWith("https://") ? 8 : -1;
  if (from < 0) return -1;
  const to = url.indexOf("/", from);
  if (to < 0 || !isHostAndPort(url, from, to)) return -1;
  if (host === null || (host.length === to - from && url.startsWith(host, from))) return to;
  return isHostAndPort(host, 0, host.length) ? to : -1;
}

/** RFC 9110 §7.2: letters, digits, `-`, `.` and `_`, or an IPv6 literal, and an optional port. */
function isHostAndPort(text: string, from: number, to: number): boolean {
  let at = from;
  if (text.charCodeAt(at) === 0x5b) {
    at++;
    while (at < to && isAddressCharacter(text.charCodeAt(at))) at++;
    if (at === from + 1 || text.charCodeAt(at) !== 0x5d) return false;
    at++;
  } else {
    while (at < to && isNameCharacter(text.charCodeAt(at))) at++;
    if (at === from) return false;
  }
  if (at === to) return true;
  if (text.charCodeAt(at) !== COLON || at + 1 === to || to - at > 6) return false;
  for (at++; at < to; at++) if (!isDigit(text.charCodeAt(at))) return false;
  return true;
}

function isNameCharacter(code: number): boolean {
  return isDigit(code) || isLetter(code) || code === DOT || code === 0x2d || code === 0x5f;
}

function isAddressCharacter(code: number): boolean {
  return isDigit(code) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66) || code === COLON || code === DOT;
}

function isLetter(code: number): boolean {
  return (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
