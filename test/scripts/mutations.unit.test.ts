import { expect, test } from "vitest";
import { readAccepted } from "../../scripts/mutants/accepted.ts";
import { mutantsOf } from "../../scripts/mutants/mutations.ts";

const changes = (text: string): string[] => mutantsOf("a.ts", text).map(({ change }) => change);
const applied = (text: string): string[] =>
  mutantsOf("a.ts", text).map(({ start, end, replacement }) => text.slice(0, start) + replacement + text.slice(end));

test("a comparison is turned round and moved by one", () => {
  expect(changes("f(a < b);")).toEqual(["a < b → a <= b", "a < b → a >= b"]);
  expect(changes("f(a >= b);")).toEqual(["a >= b → a > b", "a >= b → a < b"]);
  expect(changes('f(a === "x");')).toEqual(['a === "x" → a !== "x"']);
});

test("an operator keeps what its parentheses hold together", () => {
  expect(applied("f((a | 1) >= (b | 2));")).toEqual(["f((a | 1) > (b | 2));", "f((a | 1) < (b | 2));"]);
  expect(applied("f(a && b && c);")).toEqual(["f(((a ) || ( b)) && c);", "f(((a && b ) || ( c)));"]);
  expect(applied("f(!(a, b));")).toEqual(["f(((a, b)));"]);
});

test("a condition is set to true and to false, so that an early return goes or is always taken", () => {
  expect(applied("if (a) throw 1;")).toEqual(["if (true) throw 1;", "if (false) throw 1;"]);
  expect(changes("f(a ? 1 : 2);")).toEqual(["a → true", "a → false"]);
  expect(changes("while (a) f();")).toEqual(["a → false"]);
});

test("a boolean that is returned is turned round", () => {
  expect(changes("function f() { return true; }")).toEqual(["true → false"]);
  expect(changes("f(() => false);")).toEqual(["false → true"]);
});

test("a number is one off where it names a limit, is compared for equality, or is added", () => {
  expect(changes("const LIMIT = 10;")).toEqual(["10 → 11", "10 → 9"]);
  expect(changes("f(a === 3);")).toEqual(["a === 3 → a !== 3", "3 → 4"]);
  expect(changes("f(a + 1);")).toEqual(["1 → 2"]);
  expect(changes("let a = 10; f(10, [10]);")).toEqual([]);
});

test("types, strings and what is beyond ASCII before it move nothing", () => {
  expect(changes('type A = 1 | 2; const a: 1 = f("a < b"); // a < b')).toEqual([]);
  const text = 'const s = "é😀"; f(a < b);';
  expect(applied(text)[0]).toBe('const s = "é😀"; f(a <= b);');
});

test("two of the same line and change are told apart by their number", () => {
  expect(mutantsOf("a.ts", "f(!a, !a);").map(({ change, nth }) => [change, nth])).toEqual([
    ["!a → (a)", 0],
    ["!a → (a)", 1],
  ]);
});

test("every mutant that is accepted has a reason and stands in the list once", () => {
  expect(readAccepted("test/mutants-accepted.json").size).toBeGreaterThan(0);
});
