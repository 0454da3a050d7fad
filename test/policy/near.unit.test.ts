import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closest } from "../../src/policy/near.ts";

const KEYS = ["timeout", "authorization", "remove_headers", "url", "all", "any", "cidr", "not_cidr", "max_token_age"];

describe("the closest known name", () => {
  it.each([
    ["timeuot", "timeout"],
    ["tiemout", "timeout"],
    ["timout", "timeout"],
    ["timeoutt", "timeout"],
    ["autorisation", "authorization"],
    ["remove-headers", "remove_headers"],
    ["removeHeaders", "remove_headers"],
    ["CIDR", "cidr"],
    ["ulr", "url"],
    ["anny", "any"],
  ])("takes %s for %s", (name, meant) => {
    expect(closest(name, KEYS)).toBe(meant);
  });

  it.each(["", "x", "retries", "max_age_token", "uri_of_origin", "a".repeat(101)])("has nothing for %j", (name) => {
    expect(closest(name, KEYS)).toBeNull();
  });

  it.each<[name: string, known: string[], meant: string | null]>([
    // One edit for three letters, two for four, a third of the length for a long one.
    ["abc", ["abd"], "abd"],
    ["abc", ["ade"], null],
    ["abcd", ["abxy"], "abxy"],
    ["abcd", ["axyz"], null],
    ["abcdefghi", ["abcdefxyz"], "abcdefxyz"],
    ["abcdefghi", ["abcdewxyz"], null],
    ["abcd", ["ab"], "ab"],
    ["abcd", ["a"], null],
    ["ab", ["abcd"], null],
    // Two neighbours that are swapped are one edit, at the beginning too.
    ["ba", ["ab"], "ab"],
    ["abc", ["cba"], null],
    ["xay", ["ax"], null],
    ["abb", ["bab"], "bab"],
    ["aab", ["bba"], null],
    ["ab", ["ca"], null],
    ["ab", ["bc"], null],
    // A hundred characters are compared, a hundred and one are not.
    ["a".repeat(100), ["a".repeat(99)], "a".repeat(99)],
    ["a".repeat(101), ["a".repeat(100)], null],
    ["a".repeat(99), ["a".repeat(100)], "a".repeat(100)],
    ["a".repeat(100), ["a".repeat(101)], null],
  ])("takes %s, of %j, for %s", (name, known, meant) => {
    expect(closest(name, known)).toBe(meant);
  });

  it("takes the nearest, and the first of equals", () => {
    expect(closest("charges:raed", ["charges:write", "charge:read", "charges:read"])).toBe("charges:read");
    expect(closest("aaab", ["aaac", "aaad"])).toBe("aaac");
  });

  it("finds every known name itself, and one edit of it", () => {
    fc.assert(
      fc.property(fc.constantFrom(...KEYS), fc.nat(), fc.constantFrom("x", "_", "q"), (key, at, char) => {
        const place = at % key.length;
        expect(closest(key, KEYS)).toBe(key);
        expect(closest(key.slice(0, place) + char + key.slice(place), [key])).toBe(key);
        expect(closest(key.slice(0, place) + key.slice(place + 1), [key])).toBe(key);
      }),
    );
  });
});
