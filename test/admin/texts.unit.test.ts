/** What the admin API reads and writes as text: JSON, cursors, times. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatCursor, type Position, parseCursor } from "../../src/admin/cursor.ts";
import { formatInstant, parseInstant } from "../../src/admin/instant.ts";
import { parseStrictJson } from "../../src/admin/json.ts";

const read = (text: string) => parseStrictJson(new TextEncoder().encode(text));

describe("JSON", () => {
  test("that any serializer writes is read as what it was", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(read(text)).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  test.each([
    ['{"a":1,"a":2}'],
    ['{"a":1,"\\u0061":2}'],
    ['{ "a" : 1 , "a" : 2 }'],
    ['[{"b":{"a":[],"a":[]}}]'],
    ['{"":1,"":2}'],
    ['{"__proto__":1,"__proto__":2}'],
    ['{"x":"\\"a\\":1","a":{"x":1},"x":2}'],
    ['{"a":{"b":1},"c":[{}],"a":2}'],
    ['[[],{"a":[{"b":1}],"a":2}]'],
    ['{"a":"","a":""}'],
  ])("that says a member twice is refused: %s", (text) => {
    expect(read(text)).toMatchObject({ ok: false });
  });

  test.each([['{"a":"a","b":["a","a"],"c":{"a":1}}'], ['{"a":"\\\\","b":"{\\"a\\":1,\\"a\\":2}"}'], ['["a","a"]']])(
    "that only seems to say one twice is read: %s",
    (text) => {
      expect(read(text)).toMatchObject({ ok: true });
    },
  );

  test("with a byte order mark, in Latin-1 or with a second value is refused", () => {
    expect(parseStrictJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)).ok).toBe(false);
    expect(parseStrictJson(Uint8Array.of(0x22, 0xe9, 0x22)).ok).toBe(false);
    expect(read("{}{}").ok).toBe(false);
    expect(read("").ok).toBe(false);
  });

  test("nested as deep as a body can be is read in one pass", () => {
    const deep = "[".repeat(30_000) + "]".repeat(30_000);
    expect(() => read(deep)).not.toThrow();
  });
});

describe("a cursor", () => {
  const position: fc.Arbitrary<Position> = fc.oneof(
    fc.tuple(fc.nat()),
    fc.tuple(fc.string({ unit: "grapheme" }), fc.nat()),
  );

  test("leads back to its position, in its list alone", () => {
    fc.assert(
      fc.property(position, fc.string(), fc.string(), (at, list, other) => {
        const cursor = formatCursor(list, at);
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(parseCursor(list, cursor)).toEqual(at);
        if (other !== list) expect(parseCursor(other, cursor)).toBeNull();
      }),
    );
  });

  test("with one character changed, added or taken away is none", () => {
    fc.assert(
      fc.property(position, fc.nat(), fc.constantFrom(..."ABab01_-"), (at, place, character) => {
        const cursor = formatCursor("list", at);
        const index = place % cursor.length;
        const changed = cursor.slice(0, index) + character + cursor.slice(index + 1);
        if (changed !== cursor) expect(parseCursor("list", changed)).toBeNull();
        expect(parseCursor("list", cursor.slice(0, index) + cursor.slice(index + 1))).toBeNull();
        expect(parseCursor("list", cursor + character)).toBeNull();
      }),
    );
  });

  test.each([[""], ["="], ["%00"], ["\u{1f600}"], ["A".repeat(5000)], ["bnVsbA"]])("is not %j", (text) => {
    expect(parseCursor("list", text)).toBeNull();
  });

  test.each<[position: unknown, isRead: boolean]>([
    [[0], true],
    [[Number.MAX_SAFE_INTEGER], true],
    [["", 0], true],
    [[-1], false],
    [["a", -1], false],
    [[0.5], false],
    [[2 ** 53], false],
    [["a"], false],
    [[1, 1], false],
    [["a", "b"], false],
    [["a", 1, 1], false],
    [[], false],
    [null, false],
    [{ 0: 1, length: 1 }, false],
    ["1", false],
  ])("with a true checksum of %j is read: %s", (position, isRead) => {
    expect(parseCursor("list", formatCursor("list", position as Position))).toEqual(isRead ? position : null);
  });

  test("has one spelling: bits that no byte takes are none", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const rests = [1, 12, 123].map((at) => {
      const cursor = formatCursor("list", [at]);
      const last = alphabet.indexOf(cursor.at(-1) ?? "");
      expect(parseCursor("list", cursor.slice(0, -1) + alphabet[last ^ 1])).toBeNull();
      return cursor.length % 4;
    });
    expect(rests.sort()).toEqual([0, 2, 3]);
  });

  test("has at most 2,048 characters", () => {
    const named = (length: number) => formatCursor("list", ["n".repeat(length), 1]);
    expect([named(1516).length, parseCursor("list", named(1516))]).toEqual([2048, ["n".repeat(1516), 1]]);
    expect(parseCursor("list", named(1517))).toBeNull();
  });
});

describe("a time", () => {
  test("is written in UTC and read back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
        expect(parseInstant(formatInstant(seconds))).toBe(seconds);
      }),
    );
    expect(formatInstant(0)).toBe("1970-01-01T00:00:00Z");
    for (const text of ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]) {
      expect(formatInstant(parseInstant(text) ?? Number.NaN)).toBe(text);
    }
    expect(parseInstant("2026-01-01T02:00:00.25+02:00")).toBe(Date.UTC(2026, 0, 1) / 1000 + 0.25);
  });

  test.each<[text: string, utc: string]>([
    ["2026-01-01T23:59:59Z", "2026-01-01T23:59:59Z"],
    ["2026-01-02T00:00:00+23:59", "2026-01-01T00:01:00Z"],
    ["2026-01-01T00:00:00-23:00", "2026-01-01T23:00:00Z"],
    ["2024-02-29T00:00:00.999999999Z", "2024-02-29T00:00:00Z"],
    ["0000-01-01T12:00:00+12:00", "0000-01-01T00:00:00Z"],
    ["9999-12-31T11:59:59-12:00", "9999-12-31T23:59:59Z"],
  ])("written as %s is %s", (text, utc) => {
    expect(formatInstant(Math.floor(parseInstant(text) ?? Number.NaN))).toBe(utc);
  });

  test.each([
    ["2026-01-01T00:60:00Z"],
    ["2026-01-01T00:00:00+24:00"],
    ["2026-01-01T00:00:00+00:60"],
    ["2026-00-01T00:00:00Z"],
    ["2026-02-30T00:00:00Z"],
    ["2026-13-01T00:00:00Z"],
    ["2026-01-01T24:00:00Z"],
    ["2026-01-01T00:00:60Z"],
    ["2026-01-01T00:00:00"],
    ["2026-01-01 00:00:00Z"],
    ["2026-01-01"],
    ["1767225600"],
    ["2026-01-01T00:00:00+25:00"],
    ["now"],
    ["9999-12-31T23:59:59-12:00"],
    ["0000-01-01T00:00:00+12:00"],
    ["9999-12-31T23:59:59.5Z"],
  ])("is not %s", (text) => {
    expect(parseInstant(text)).toBeNull();
  });
});
