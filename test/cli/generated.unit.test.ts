import { readdirSync, readFileSync } from "node:fs";
import Ajv from "ajv";
import { parse } from "smol-toml";
import { expect, test } from "vitest";
import { withTables } from "../../scripts/doc-tables.ts";
import { policyJsonSchema } from "../../scripts/policy-json-schema.ts";
import { REASONS } from "../../src/denial.ts";
import { RULES } from "../../src/policy/review/rules.ts";

const PAGES = readdirSync("docs").filter((name) => name.endsWith(".md"));

test("scopegate.schema.json is what scripts/schema.ts writes", () => {
  const written: unknown = JSON.parse(readFileSync("scopegate.schema.json", "utf8"));
  expect(written).toEqual(JSON.parse(JSON.stringify(policyJsonSchema())));
});

test("the schema for editors takes the example policy, and refuses a misspelt key", () => {
  const validate = new Ajv({ strict: false }).compile(policyJsonSchema());
  const policy = readFileSync("scopegate.toml", "utf8");
  expect(policy.split("\n")[0]).toBe("#:schema ./scopegate.schema.json");
  expect(validate(parse(policy))).toBe(true);
  expect(validate(parse(policy.replace("admin_path", "admin_pth")))).toBe(false);
});

test.each(PAGES)("the tables in docs/%s are what scripts/tables.ts writes", (name) => {
  const page = readFileSync(`docs/${name}`, "utf8");
  expect(withTables(page)).toBe(page);
});

test("the docs have every reason and every rule", () => {
  const docs = PAGES.map((name) => readFileSync(`docs/${name}`, "utf8")).join("\n");
  for (const reason of Object.keys(REASONS)) expect(docs).toContain(`| \`${reason}\` |`);
  for (const { id } of RULES) expect(docs).toContain(`| ${id} |`);
});

test("a region that has no table, or no end, is an error", () => {
  expect(() => withTables("<!-- generated:nothing -->\n<!-- /generated -->")).toThrow('no table "nothing"');
  expect(() => withTables("<!-- generated:rules -->\n")).toThrow("does not end");
});
