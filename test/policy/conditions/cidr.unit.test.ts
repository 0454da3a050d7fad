import { existsSync, readFileSync } from "node:fs";
import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contains, parseAddress, parseCidr } from "../../../src/policy/conditions/cidr.ts";

/** Whether one rule holds for one address; a rule or an address that cannot be read is told apart. */
function verdict(rule: string, text: string): boolean | "bad rule" | "bad address" {
  const cidr = parseCidr(rule);
  if ("error" in cidr) return "bad rule";
  const address = parseAddress(text);
  return address === null ? "bad address" : contains(cidr, address);
}

describe("an address", () => {
  it.each([
    "010.0.0.1",
    "10.0.0.01",
    "10.1",
    "10.0.1",
    "0x0a000001",
    "0xa.0.0.1",
    "167772161",
    "10.0.0.1 ",
    " 10.0.0.1",
    "",
    "unknown",
    "10.0.0.1:443",
    "[::1]",
    "[::1]:443",
    "10.0.0.256",
    "999.999.999.999",
    "10.0.0.1/32",
    "10.0.0.1.",
    "10.0.0.1\n",
    "１０.0.0.1",
    "fe80::1%eth0",
    "::1%1",
    "1234:::5678",
    ":::",
    ":",
    "1::2::3",
    "::ffff:010.0.0.1",
    "::ffff:10.0.1",
    "::ffff:0xa.0.0.1",
    "::10.0.0.1:1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "g::",
    "1.2.3.4::",
    "::1\0",
    "::1/128",
    "a".repeat(5000),
    `${"1:".repeat(30_000)}`,
    "10.0.0.1,10.0.0.2",
  ])("is not %j", (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  it("has at most 45 characters, and as many as that", () => {
    const longest = "0000:0000:0000:0000:0000:ffff:255.255.255.255";
    expect(longest).toHaveLength(45);
    expect(parseAddress(longest)?.toString()).toBe("255.255.255.255");
    expect(parseCidr(longest)).toMatchObject({ prefixLength: 32 });
  });

  it("is IPv4 where it is an IPv4-mapped IPv6 address, in any spelling", () => {
    for (const text of ["::ffff:10.0.0.1", "::FFFF:a00:1", "0:0:0:0:0:ffff:0a00:0001", "::ffff:0a00:1"]) {
      expect(parseAddress(text)?.toString()).toBe("10.0.0.1");
    }
  });

  it("is IPv6 in every other embedding", () => {
    for (const text of [
      "::10.0.0.1",
      "::a00:1",
      "64:ff9b::10.0.0.1",
      "2002:a00:1::",
      "::ffff:0:10.0.0.1",
      "1::ffff:10.0.0.1",
    ]) {
      expect(parseAddress(text)?.kind()).toBe("ipv6");
      expect(verdict("10.0.0.0/8", text)).toBe(false);
      expect(verdict("0.0.0.0/0", text)).toBe(false);
    }
    expect(parseAddress("::10.0.0.1")?.toString()).toBe("::a00:1");
  });

  it("is read exactly where Node reads one", () => {
    const hex = fc.stringMatching(/^[0-9a-fA-F]{0,5}$/);
    const odd = fc.array(fc.oneof(hex, fc.constantFrom(":", "::", ".", "1.2.3.4", "0", "01", "255", "256", "%1")), {
      maxLength: 12,
    });
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      odd.map((parts) => parts.join("")),
      odd.map((parts) => parts.join(":")),
      fc.array(fc.nat(300), { maxLength: 6 }).map((parts) => parts.join(".")),
    );
    fc.assert(
      fc.property(text, (written) => {
        expect(parseAddress(written) !== null).toBe(isIP(written) !== 0 && !written.includes("%"));
      }),
      { numRuns: 3000 },
    );
  });
});

describe("a block of addresses", () => {
  it.each([
    ["10.0.0.0/33"],
    ["10.0.0.0/-1"],
    ["10.0.0.0/+8"],
    ["10.0.0.0/08"],
    ["10.0.0.0/8/8"],
    ["10.0.0.0/"],
    ["/8"],
    ["10.0.0.0/ 8"],
    ["10.0.0.0/8 "],
    ["10.0.0.0/0x8"],
    ["10.0.0.0/8.0"],
    ["10.0.0.0/255.0.0.0"],
    ["10/8"],
    ["10.0.0/8"],
    ["010.0.0.0/8"],
    ["*"],
    [""],
    ["::/129"],
    ["::/0128"],
    ["fe80::%eth0/10"],
    ["[::]/0"],
    ["localhost"],
    ["::ffff:127.0.0.1/129"],
    ["::ffff:0:0/95"],
    ["::ffff:0:0/0"],
  ])("is not %j", (text) => {
    expect(parseCidr(text)).toHaveProperty("error");
  });

  it("names the block where the address lies inside it", () => {
    expect(parseCidr("10.0.0.7/24")).toEqual({ error: expect.stringContaining('did you mean "10.0.0.0/24"') });
    expect(parseCidr("10.0.0.0/0")).toEqual({ error: expect.stringContaining('"0.0.0.0/0"') });
    expect(parseCidr("2001:db8::1/33")).toEqual({ error: expect.stringContaining('"2001:db8::/33"') });
    expect(parseCidr("::ffff:10.0.0.1/104")).toEqual({ error: expect.stringContaining('"10.0.0.0/8"') });
  });

  it.each([
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["::ffff:10.0.0.0/104", "10.1.2.3", true],
    ["::ffff:0:0/96", "192.0.2.1", true],
    ["::ffff:0:0/96", "::1", false],
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.1", "192.0.2.2", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "203.0.113.9", false],
    ["::/0", "::ffff:203.0.113.9", false],
    ["2001:db8::/127", "2001:db8::1", true],
    ["2001:db8::/127", "2001:db8::2", false],
    ["2001:DB8::/33", "2001:db8:7fff::", true],
    ["2001:db8::/33", "2001:db8:8000::", false],
    ["::1", "0:0::0:1", true],
  ])("%s on %s: %s", (rule, address, expected) => {
    expect(verdict(rule, address)).toBe(expected);
  });

  it("agrees with Node's block list", () => {
    const near = fc
      .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.nat(31))
      .map(([bits, flip]) => [bits, (bits ^ (1 << flip)) >>> 0] as const);
    const dotted = (bits: number) => [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
    const groups = (bits: number) => `2001:db8:0:0:0:0:${(bits >>> 16).toString(16)}:${(bits & 0xffff).toString(16)}`;
    fc.assert(
      fc.property(near, fc.nat(32), fc.boolean(), ([bits, other], length, v6) => {
        const network = length === 0 ? 0 : (bits & (-1 << (32 - length))) >>> 0;
        const list = new BlockList();
        const [show, family, prefix] = v6
          ? ([groups, "ipv6", 96 + length] as const)
          : ([dotted, "ipv4", length] as const);
        list.addSubnet(show(network), prefix, family);
        for (const address of [bits, other]) {
          expect(verdict(`${show(network)}/${prefix}`, show(address))).toBe(list.check(show(address), family));
        }
      }),
      { numRuns: 1000 },
    );
  });
});

interface AddressCase {
  readonly id: string;
  readonly addr?: string;
  readonly rule: string | [];
  readonly expected: boolean | string;
}

/** Where this gateway decides otherwise than the corpus, or decides what the corpus leaves open. */
const DIFFERENCES = new Map<string, { readonly ours: ReturnType<typeof verdict>; readonly reason: string }>([
  ["hono-ip-1", { ours: "bad rule", reason: '"*" is no block; every address is 0.0.0.0/0 and ::/0' }],
  ["hono-ip-2", { ours: "bad rule", reason: '"*" is no block' }],
  ["hono-ip-10", { ours: "bad rule", reason: "host bits are set: it says 1.0.0.0 and means 0.0.0.0/0" }],
  ["hono-ip-15", { ours: false, reason: "a mapped address is IPv4, and an IPv6 block holds IPv6 addresses only" }],
  ["hono-ip-16", { ours: "bad rule", reason: "a block half of which is IPv4 has no one meaning" }],
  ["own-ip-1", { ours: "bad rule", reason: "host bits are set: it says 10.0.0.0 and means everybody" }],
  [
    "own-ip-4",
    { ours: false, reason: "an IPv6 block holds IPv6 addresses only, as IPv4 blocks hold IPv4 addresses only" },
  ],
  ["own-ip-16", { ours: "bad rule", reason: "host bits set: refused with the block that may be meant" }],
  ["own-ip-19", { ours: false, reason: "NAT64 is not the IPv4 address" }],
  ["own-ip-20", { ours: false, reason: "6to4 is not the IPv4 address" }],
]);

const CORPUS = "../shared/corpora/addresses.json";
const present = existsSync(CORPUS);

describe.skipIf(!present)(`the corpus of addresses${present ? "" : ` (SKIPPED: ${CORPUS} is not there)`}`, () => {
  const corpus = present ? JSON.parse(readFileSync(CORPUS, "utf8")) : { hono: [], own: [] };
  const cases: AddressCase[] = [...corpus.hono, ...corpus.own];

  it("is whole, and every difference is about one of its cases", () => {
    expect(cases).toHaveLength(62);
    for (const id of DIFFERENCES.keys()) expect(cases.map((each) => each.id)).toContain(id);
  });

  it.each(cases)("$id: $addr on $rule is $expected, or a listed difference", ({ id, addr, rule, expected }) => {
    const ours = Array.isArray(rule) ? false : verdict(rule, addr ?? "192.0.2.1");
    const difference = DIFFERENCES.get(id);
    if (difference !== undefined) {
      expect(ours).toBe(difference.ours);
      expect(ours).not.toBe(expected);
    } else if (expected === "config-error") expect(ours).toBe("bad rule");
    else if (typeof expected === "string") expect(ours).toBe("bad address");
    else expect(ours).toBe(expected);
  });
});
