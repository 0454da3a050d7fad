import { readFileSync } from "node:fs";
import { parse, stringify, type TomlTable } from "smol-toml";
import { describe, expect, test } from "vitest";
import { faultText, loadPolicy } from "../../src/policy/load.ts";
import { checkPolicy } from "../../src/policy/review/check.ts";
import { type Block, blocksOf, pages } from "./markdown.ts";

const BASE = parse(readFileSync("scopegate.toml", "utf8"));
const blocks = pages().flatMap((page) => blocksOf(page, "toml"));
const isWrangler = ({ text }: Block): boolean => text.startsWith("# wrangler.toml");

/** A whole policy as it stands; a part of one, put into the example policy: its routes take the place of the example's. */
function policyText({ text }: Block): string {
  const part = parse(text);
  if ("gateway" in part && "routes" in part) return text;
  const whole: TomlTable = { ...BASE };
  for (const [key, value] of Object.entries(part)) {
    const both = key !== "routes" && isTable(value) && isTable(BASE[key]);
    whole[key] = both ? { ...(BASE[key] as TomlTable), ...(value as TomlTable) } : value;
  }
  return stringify(whole);
}

function isTable(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

describe("the policies that the pages show", () => {
  test("are there at all", () => {
    expect(blocks.length).toBeGreaterThan(8);
  });

  test.each(blocks.filter((block) => !isWrangler(block)))("load without a fault: $file:$line", (block) => {
    const loaded = loadPolicy(policyText(block));
    expect(loaded.ok ? [] : loaded.faults.map((fault) => faultText(fault))).toEqual([]);
  });

  test.each(blocks.filter(isWrangler))("are TOML where they are for wrangler: $file:$line", ({ text }) => {
    expect(Object.keys(parse(text)).length).toBeGreaterThan(0);
  });

  test("in the README gives the check nothing to say", () => {
    const whole = blocks.find(({ file, text }) => file === "README.md" && "routes" in parse(text));
    const loaded = loadPolicy(whole?.text ?? "");
    expect(loaded.ok && checkPolicy(loaded.policy, 1_800_000_000).map(({ message }) => message)).toEqual([]);
  });
});
