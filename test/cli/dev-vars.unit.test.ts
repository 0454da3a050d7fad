/** `.dev.vars`: what `scopegate token` and `npm start` find and leave there. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addDevVar, devVar } from "../../src/cli/dev-vars.ts";
import { directoryWith, scopegate } from "./run.ts";

const POLICY = `[gateway]\npublic_url = "https://api.example.com"
[scopes.a]\ndescription = "d"\nowner = "o"\n[routes]\n"GET /a" = "a"\n`;

const home = process.cwd();
let directory: ReturnType<typeof directoryWith>;
let file: string;

beforeEach(() => {
  directory = directoryWith({ "scopegate.toml": POLICY });
  file = join(directory.path, ".dev.vars");
  process.chdir(directory.path);
});
afterEach(() => {
  process.chdir(home);
  directory.remove();
});

describe("a secret that is added", () => {
  test.each([
    ["to no file", null, ""],
    ["to an empty one", "", ""],
    ["behind a line that ends", "OTHER=1\n", "OTHER=1\n"],
    ["behind a line that does not end", "OTHER=1", "OTHER=1\n"],
  ])("%s stands on a line of its own", (_, before, kept) => {
    if (before !== null) writeFileSync(file, before, { mode: 0o644 });
    addDevVar("SECRET", '{"a":1}');
    expect(readFileSync(file, "utf8")).toBe(`${kept}SECRET='{"a":1}'\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect([devVar("SECRET"), devVar("NONE")]).toEqual(['{"a":1}', null]);
  });

  test.each(["it's", "two\nlines", "two\rlines"])("%j is refused, as it would be read as something else", (value) => {
    expect(() => addDevVar("SECRET", value)).toThrow("SECRET cannot be written to .dev.vars");
    expect(devVar("SECRET")).toBeNull();
  });
});

test("signing keys that are empty there count as none, and fresh ones stand behind them", async () => {
  writeFileSync(file, "SIGNING_KEYS=\n");
  const made = await scopegate(directory.path, ["token", "--scopes", "a"]);
  const again = await scopegate(directory.path, ["token", "--scopes", "a"]);
  expect([made.code, made.stderr.includes("made .dev.vars with fresh signing keys")]).toEqual([0, true]);
  expect([again.code, again.stderr.includes("made .dev.vars")]).toEqual([0, false]);
});

test("a .dev.vars that cannot be read is no plain no", async () => {
  mkdirSync(file);
  await expect(scopegate(directory.path, ["token", "--scopes", "a"])).rejects.toThrow("EISDIR");
});
