/**
 * Where a request comes from: the address and the country that Cloudflare gives. No other header is trusted.
 *
 * Leaves to the deployment that clients reach the Worker only through Cloudflare: on bare workerd a client's own
 * CF-Connecting-IP arrives like any other header. Leaves parsing the address to the conditions.
 */

const ADDRESS_HEADER = "CF-Connecting-IP";
const MOST_ADDRESS_CHARACTERS = 45;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const IPV6_CHARACTERS = /^[0-9a-f.:]*:[0-9a-f.:]*:[0-9a-f.:]*$/i;
const COUNTRY = /^[A-Z]{2}$/;
/** Cloudflare's value for an unknown country. `COUNTRY` already excludes its value for Tor, `T1`. */
const UNKNOWN_COUNTRY = "XX";

/**
 * The caller's address; `null` where the header is absent or is not one address (a list, or with a port or zone).
 * Does not check that an IPv6 address is valid, only that it consists of characters that one may have.
 */
export function callerAddress(header: (name: string) => string | null): string | null {
  const address = header(ADDRESS_HEADER);
  if (address === null || address.length > MOST_ADDRESS_CHARACTERS) return null;
  return IPV4.test(address) || IPV6_CHARACTERS.test(address) ? address : null;
}

/** The caller's country, ISO 3166-1 alpha-2, from `request.cf`; `null` where it is not known. */
export function callerCountry(cf: unknown): string | null {
  if (typeof cf !== "object" || cf === null || !("country" in cf)) return null;
  const { country } = cf;
  if (typeof country !== "string" || !COUNTRY.test(country) || country === UNKNOWN_COUNTRY) return null;
  return country;
}
