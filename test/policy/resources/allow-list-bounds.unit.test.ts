import { expect, test } from "vitest";
import { type AllowListError, parseAllowList } from "../../../src/policy/resources/allow-list.ts";
import { parseTemplate } from "../../../src/policy/resources/allow-list-template.ts";

function errorsOf(list: unknown): AllowListError[] {
  const parsed = parseAllowList(list);
  return parsed.ok ? [] : parsed.errors;
}

test.each<[entry: unknown, message: string]>([
  ["a", 'expected "type:id", "type:*" or "*:*"'],
  [":a", 'a type is 1 to 256 letters, digits or "-._~"'],
  ["*:a", 'only "*:*" has "*" for its type'],
  ["a b:c", 'a type is 1 to 256 letters, digits or "-._~"'],
  ["a:", "an id has 1 to 256 characters"],
  [`a:${"x".repeat(257)}`, "an id has 1 to 256 characters"],
  ["a:b c", "an id is spelt as in a canonical path, such as my%20file"],
  ["a:%2A", "an id is spelt as in a canonical path, such as my%20file"],
  [7, "expected a target, as text"],
])("the entry %j: %s", (entry, message) => {
  expect(errorsOf(["t:1", entry])).toEqual([{ index: 1, message }]);
});

test("as many entries as there may be, and one more", () => {
  const targets = Array.from({ length: 129 }, (_, index) => `t:${index}`);
  expect(errorsOf(targets.slice(1))).toEqual([]);
  expect(errorsOf([...targets.slice(1), "t:1"])).toEqual([]);
  expect(errorsOf(targets)).toEqual([{ index: null, message: "expected at most 128 targets, found 129" }]);
});

test.each<[template: string, error: string | null]>([
  [":a", 'the type of a target is 1 to 256 letters, digits or "-._~"'],
  ["a", 'expected a target such as "charge:{charge}" or "charge:*"'],
  ["t:{header.a-b-c-d-e-f}", null],
  ["t:{header.a-b-c-d-e-f-g}", "a header here has at most 5 hyphens"],
  ["t:{chrage}", "{chrage} is no name of the pattern, nor {*}, {query.name} or {header.name}; did you mean {charge}?"],
  ["t:{other}", "{other} is no name of the pattern, nor {*}, {query.name} or {header.name}"],
  ["t:{*}", "{*} needs a pattern that ends in /*"],
  [
    "t:{charge}{charge}",
    'two placeholders need a "/" between them, or different requests would ask for the same target',
  ],
  ["t:{charge}/x/{charge}", null],
])("the template %s: %j", (template, error) => {
  const parsed = parseTemplate(template, ["charge"], false);
  expect("error" in parsed ? parsed.error : null).toBe(error);
});
