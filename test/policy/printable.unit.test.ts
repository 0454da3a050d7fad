import { expect, test } from "vitest";
import { printable } from "../../src/policy/printable.ts";

test.each([
  ["\u001b[2J", "\\u001b[2J"],
  ["a\u0085b\u007f", "a\\u0085b\\u007f"],
  ["a\u2028b\u2029", "a\\u2028b\\u2029"],
  ["\u061c\u200e\u200f\u202a\u202e\u2066\u2069", "\\u061c\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069"],
  ['ä "b" \\n – 日本 😀', 'ä "b" \\n – 日本 😀'],
])("%j is printed as %s", (text, printed) => expect(printable(text)).toBe(printed));
