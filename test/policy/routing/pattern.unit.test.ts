import { describe, expect, test } from "vitest";
import {
  compareMixed,
  compareSpecificity,
  matchMixed,
  type Pattern,
  type Piece,
  parsePattern,
} from "../../../src/policy/routing/pattern.ts";

function pattern(text: string): Pattern {
  const parsed = parsePattern(text);
  if ("error" in parsed) throw new Error(parsed.error);
  return parsed;
}

/** The pieces of a pattern of one mixed segment. */
function pieces(segment: string): readonly Piece[] {
  const [only] = pattern(`/${segment}`).segments;
  if (only?.kind !== "mixed") throw new Error(`${segment} is not mixed`);
  return only.pieces;
}

describe("a segment of text and names", () => {
  test.each<[segment: string, text: string, values: string[] | null]>([
    [":a.b", "x.b", ["x"]],
    [":a.b", "x.b.b", ["x.b"]],
    [":a.b", ".b", null],
    [":a.b", "x.bc", null],
    [":a.b", "b", null],
    ["a:x", "ab", ["b"]],
    ["a:x", "a", null],
    ["a:x", "ba", null],
    ["a:x", "aa", ["a"]],
    ["a:x.b", "ax.b", ["x"]],
    ["a:x.b", "a.b", null],
    ["a:x.b", "a.b.b", [".b"]],
    [":a-:b", "x-y", ["x", "y"]],
    [":a-:b", "x-y-z", ["x", "y-z"]],
    [":a-:b", "-x-y", ["-x", "y"]],
    [":a-:b", "x-", null],
    [":a-:b", "--", null],
    [":a-:b", "---", ["-", "-"]],
    [":a-:b", "xy", null],
    [":a...:b", "v1...v2", ["v1", "v2"]],
    [":a...:b", "v1....v2", ["v1", ".v2"]],
    ["x:a-:b.z", "x1-2.z", ["1", "2"]],
    ["x:a-:b.z", "x1-2.z.z", ["1", "2.z"]],
    ["x:a-:b.z", "x1-.z", null],
  ])("%s has %s: %j", (segment, text, values) => {
    for (const before of ["", "/", "/zz/", "/x1-2.z/"]) {
      for (const behind of ["", "/", "/a.b", "/-y.z"]) {
        const found: string[] = ["earlier"];
        const from = before.length;
        const is = matchMixed(pieces(segment), before + text + behind, from, from + text.length, found);
        expect([is, found]).toEqual([values !== null, ["earlier", ...(values ?? [])]]);
      }
    }
  });
});

/** Each goes before all that stand behind it. */
const MIXED = ["abc:x", "ab:x", "a:x.bb", "a:x.b", "a:x-b", "a:x.c", "a:x", ":x.bb", ":x.b"];

describe("of two mixed segments", () => {
  test("the one with more text goes first, from the left; both ways", () => {
    const ordered = MIXED.toSorted((a, b) => compareMixed(pieces(a), pieces(b)));
    for (const order of [MIXED, MIXED.toReversed(), MIXED.toSorted()]) {
      expect(order.toSorted((a, b) => compareMixed(pieces(a), pieces(b)))).toEqual(ordered);
    }
    const goesBefore = (a: string, b: string): number => Math.sign(compareMixed(pieces(a), pieces(b)));
    const pairs = [
      ["ab:x", "a:x"],
      ["a:x", ":x.b"],
      ["a:x.b", "a:x"],
      [":x.bb", ":x.b"],
      ["a:x.bb", "a:x.b"],
      ["a:x.b", "a:x.c"],
      ["a:x.b:y", "a:x.b"],
    ] as const;
    for (const [first, second] of pairs) {
      expect([first, second, goesBefore(first, second)]).toEqual([first, second, -1]);
      expect([second, first, goesBefore(second, first)]).toEqual([second, first, 1]);
    }
  });

  test("neither goes first where they stand for the same", () => {
    for (const segment of MIXED) expect(compareMixed(pieces(segment), pieces(segment.replace("x", "other")))).toBe(0);
  });
});

describe("of two patterns", () => {
  const goesBefore = (a: string, b: string): number => Math.sign(compareSpecificity(pattern(a), pattern(b)));

  test.each([
    ["/a", "/a:x"],
    ["/a:x", "/:x"],
    ["/:x", "/:x+"],
    ["/a/b", "/a/:x"],
    ["/a/:x", "/a/*"],
    ["/a/:x+", "/a/*"],
    ["/a", "/a/*"],
    ["/a/b", "/:x/b"],
    ["/a/*", "/:x/b"],
    ["/ab:x", "/a:x"],
    ["/:y/ab:x", "/:y/a:x"],
    ["/a:x/b", "/a:x/:y"],
    ["/a:x/b:y", "/a:x/:y"],
    ["/a:x.b/:y", "/a:x/b"],
    ["/a:x/bb:y", "/a:x/b:y"],
    ["/:x+/a", "/:x+"],
    ["/:x+/a", "/:x+/:y"],
    ["/a/b/c", "/a/b/*"],
  ])("%s goes before %s", (first, second) => {
    expect(goesBefore(first, second)).toBe(-1);
    expect(goesBefore(second, first)).toBe(1);
    expect(goesBefore(first, first)).toBe(0);
  });
});

describe("a pattern that is refused says how to write it", () => {
  test.each([
    ["a", "a pattern begins with a slash"],
    ["/a//b", "a pattern has no empty segments"],
    ["/a*", "a * stands alone, as the last segment"],
    ["/*/a", "a * stands alone, as the last segment"],
    ["/:a/:a", "the names in a pattern differ"],
    ["/:a:b", 'two names need literal text between them in ":a:b"'],
    ["/x:a+", '":a+" stands alone in its segment'],
    ["/a:1", 'a ":" in "a:1" is not followed by a name (a letter or "_" first)'],
    ["/{id}", 'a name is written ":id", not "{id}"'],
    ["/v{n}.json", 'a name is written ":n", not "{n}"'],
    ["/<id>", 'a name is written ":id", not "<id>"'],
    ["/<int:id>", 'a name is written ":name", not "<int:id>"'],
    ["/{}", 'a name is written ":name", not "{}"'],
    ...[":id?", ":id(\\d+)", ":id([a-z]*)", ":id(^x)", "x:id?y"].map((part) => [
      `/${part}`,
      `a pattern has no optional parts and no regular expressions, as in "${part}"; a name is ":id" alone`,
    ]),
    ["/a b", '"a b" is not a canonical path segment; write "a%20b"'],
    ["/a%62", '"a%62" is not a canonical path segment; write "ab"'],
    ["/a b:x", '"a b" is not a canonical path segment; write "a%20b"'],
    ["/a?b", '"a?b" is not a canonical path segment'],
    ["/a;b", '"a;b" is not a canonical path segment'],
    ["/..", '".." is not a canonical path segment'],
    ["/.", '"." is not a canonical path segment'],
  ])("%s: %s", (text, error) => {
    expect(parsePattern(text)).toEqual({ error });
  });

  test.each(["/Items(:id)", "/:set(:id)", "/:set([0-9]+)", "/(a)", "/[id]"])("and %s is not: it is text", (text) => {
    expect(parsePattern(text)).not.toHaveProperty("error");
  });

  test("and one that is not is taken apart", () => {
    expect(parsePattern("/")).toEqual({ text: "/", segments: [], names: [], star: false });
    expect(parsePattern("/a/")).toMatchObject({ text: "/a", segments: [{ kind: "literal", text: "a" }] });
    expect(parsePattern("/a@b/:c/x:d/:e+/*")).toEqual({
      text: "/a@b/:c/x:d/:e+/*",
      segments: [
        { kind: "literal", text: "a@b" },
        { kind: "name" },
        { kind: "mixed", pieces: ["x", null] },
        { kind: "rest" },
      ],
      names: ["c", "d", "e"],
      star: true,
    });
  });
});
