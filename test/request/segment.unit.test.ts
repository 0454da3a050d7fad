import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalPath } from "../../src/request/path.ts";
import { canonicalSegment, isCanonicalId } from "../../src/request/segment.ts";

describe("the canonical segment of a value", () => {
  test.each([
    ["my file", "my%20file"],
    ["@acme/hello", "@acme%2Fhello"],
    ["a\\b", "a%5Cb"],
    ["https://example.com/", "https:%2F%2Fexample.com%2F"],
    ["café", "caf%C3%A9"],
    ["€😀", "%E2%82%AC%F0%9F%98%80"],
    ["\u00a0\u07ff\u0800\uffff", "%C2%A0%DF%BF%E0%A0%80%EF%BF%BF"],
    ["a+b!$&'()*,=:@-._~", "a+b!$&'()*,=:@-._~"],
    ['?#[]|{}^`"<>', "%3F%23%5B%5D%7C%7B%7D%5E%60%22%3C%3E"],
    ["\ud7ff\ue000", "%ED%9F%BF%EE%80%80"],
    ["\uffffa", "%EF%BF%BFa"],
    ["\u{10000}a", "%F0%90%80%80a"],
    ["é.", "%C3%A9."],
    ["*", "*"],
    ["...", "..."],
    [".a", ".a"],
  ])("of %j is %s", (value, segment) => {
    expect(canonicalSegment(value)).toBe(segment);
  });

  test.each([
    [""],
    ["."],
    [".."],
    [" "],
    [". "],
    ["../x"],
    ["a/.."],
    ["a\\.\\b"],
    ["a/ /b"],
    ["100%"],
    ["%2F"],
    ["a;b"],
    ["a\nb"],
    ["\u0000"],
    ["\u007f"],
    ["\u0085"],
    ["\ud800"],
    ["\udc00x"],
    ["x\ud83d"],
  ])("of %j is none", (value) => {
    expect(canonicalSegment(value)).toBe(null);
  });

  test("stands in a canonical path as it is, and decodes to the value", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "binary-ascii" }), fc.string()),
        (value) => {
          const segment = canonicalSegment(value);
          if (segment === null) return;
          expect(segment).not.toContain("/");
          expect(canonicalPath(`http://h/${segment}`, null)?.path).toBe(`/${segment}`);
          expect(decodeURIComponent(segment)).toBe(value);
        },
      ),
      { numRuns: 10_000 },
    );
  });

  test("is there for every value that a path can spell", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (value) => {
        let spelt: string;
        try {
          spelt = encodeURIComponent(value);
        } catch {
          expect(canonicalSegment(value)).toBe(null);
          return;
        }
        expect(canonicalSegment(value) === null).toBe(canonicalPath(`http://h/${spelt}`, null) === null);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("an id of an allow list", () => {
  test.each([["ch_1"], ["my%20file"], ["@acme%2Fhello"], ["a/b/c"], ["*"], ["..."], ["a".repeat(256)], ["a%5Cb"]])(
    "may be %s",
    (id) => {
      expect(isCanonicalId(id)).toBe(true);
    },
  );

  test.each([
    [""],
    ["a".repeat(257)],
    ["/a"],
    ["a/"],
    ["a//b"],
    ["a/../b"],
    [".."],
    ["a%2F..%2Fb"],
    ["my file"],
    ["%61"],
    ["@acme%2fhello"],
    ["a?b"],
    ["a#b"],
    ["a;b"],
    ["é"],
    ["%25"],
    ["{a}"],
    ["a\\b"],
  ])("is never %j", (id) => {
    expect(isCanonicalId(id)).toBe(false);
  });
});
