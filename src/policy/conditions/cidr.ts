/**
 * IP addresses and blocks of them, parsed strictly.
 *
 * Guarantees: an address has one meaning here or none. Octal, hexadecimal, short and decimal IPv4 forms, leading zeros,
 * zones, brackets, ports and white space are refused. An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is the IPv4
 * address; addresses that embed one otherwise (`::10.0.0.1`, 6to4, NAT64) stay IPv6 addresses. An IPv4 block contains
 * only IPv4 addresses, an IPv6 block (even `::/0`) only IPv6 addresses.
 * Leaves to `request/` whose address it is.
 */
import ipaddr from "ipaddr.js";

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

export interface Cidr {
  readonly network: Address;
  readonly prefixLength: number;
}

/** The longest text of an IPv6 address (RFC 4291 §2.2): six groups and a dotted quad. */
const LONGEST_TEXT = 45;
const DECIMAL_OCTET = "(?:0|[1-9][0-9]{0,2})";
const DOTTED_QUAD = new RegExp(`^${DECIMAL_OCTET}(?:\\.${DECIMAL_OCTET}){3}$`);
const PREFIX_LENGTH = /^(?:0|[1-9][0-9]{0,2})$/;

/** Cache of parsed addresses: callers come back, and parsing one costs more than evaluating all conditions. */
const read = new Map<string, Address | null>();
const MOST_READ = 1_000;

/** Parses an address; `null` where the text is not exactly one address. */
export function parseAddress(text: string): Address | null {
  const known = read.get(text);
  if (known !== undefined) return known;
  const address = text.length > LONGEST_TEXT ? null : addressOf(text);
  if (read.size >= MOST_READ) read.clear();
  if (text.length <= LONGEST_TEXT) read.set(text, address);
  return address;
}

function addressOf(text: string): Address | null {
  const address = parseAnyAddress(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Parses a block (`10.0.0.0/8`), or a single address as a block of one. The error says what is wrong with the text. */
export function parseCidr(text: string): Cidr | { readonly error: string } {
  const slash = text.indexOf("/");
  const address = parseAnyAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return { error: 'expected an IP address or a block such as "10.0.0.0/8"' };
  const longest = address instanceof ipaddr.IPv6 ? 128 : 32;
  const prefix = slash < 0 ? String(longest) : text.slice(slash + 1);
  if (!PREFIX_LENGTH.test(prefix) || Number(prefix) > longest) {
    return { error: `expected a prefix length from 0 to ${longest} after the slash` };
  }
  const prefixLength = Number(prefix);

  if (!(address instanceof ipaddr.IPv6) || !address.isIPv4MappedAddress()) return blockOf(address, prefixLength);
  if (prefixLength < 96) return { error: "an IPv4-mapped block has a prefix length of at least 96" };
  return blockOf(address.toIPv4Address(), prefixLength - 96);
}

/** Whether a block contains an address. False where their families differ. */
export function contains(cidr: Cidr, address: Address): boolean {
  return cidr.network.kind() === address.kind() && address.match(cidr.network, cidr.prefixLength);
}

function blockOf(address: Address, prefixLength: number): Cidr | { readonly error: string } {
  const first = firstOf(address, prefixLength);
  if (first.toString() === address.toString()) return { network: address, prefixLength };
  return { error: `the address lies inside the block: did you mean "${first.toString()}/${prefixLength}"?` };
}

function firstOf(address: Address, prefixLength: number): Address {
  const bytes = address.toByteArray();
  for (let index = 0; index < bytes.length; index++) {
    const kept = Math.max(0, Math.min(8, prefixLength - index * 8));
    bytes[index] = (bytes[index] ?? 0) & (0xff00 >> kept) & 0xff;
  }
  return ipaddr.fromByteArray(bytes);
}

function parseAnyAddress(text: string): Address | null {
  if (text.length === 0 || text.length > LONGEST_TEXT) return null;
  if (!text.includes(":")) return parseDottedQuad(text);
  if (!/^[0-9A-Fa-f:.]+$/.test(text)) return null;

  // ipaddr.js parses a dotted tail as octal where it can, and `::1.2.3.4` as a mapped address: give it groups only.
  let groups = text;
  if (text.includes(".")) {
    const tailAt = text.lastIndexOf(":") + 1;
    const tail = parseDottedQuad(text.slice(tailAt));
    if (tail === null) return null;
    const [a = 0, b = 0, c = 0, d = 0] = tail.octets;
    groups = `${text.slice(0, tailAt)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  return ipaddr.IPv6.isValid(groups) ? ipaddr.IPv6.parse(groups) : null;
}

function parseDottedQuad(text: string): ipaddr.IPv4 | null {
  if (!DOTTED_QUAD.test(text)) return null;
  return ipaddr.IPv4.isValid(text) ? ipaddr.IPv4.parse(text) : null;
}
