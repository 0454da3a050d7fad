/** What `scopegate check` finds is told in the order of the file, whichever rule found it first. */
import { afterAll, expect, test } from "vitest";
import { byLine, type Finding } from "../../src/cli/finding.ts";
import { directoryWith, scopegate } from "./run.ts";

const HEAD = '[gateway]\npublic_url = "https://api.example.com"\n';
const IDLE = '[scopes.idle]\ndescription = "d"\nowner = "o"\n';
const directory = directoryWith({
  // The schema's faults are found before those of names.
  "faults.toml": `${HEAD}[routes]\n"GET /a" = "nope"\n"GET /b" = { pubilc = true }\n"GET /c" = "nope"\n`,
  // A route's rule has a greater number than a scope's.
  "warnings.toml": `${HEAD}[routes]\n"GETT /a" = { public = true }\n"POST /b" = { public = true }\n${IDLE}`,
  "missing.toml": '[routes]\n"GET /a" = "nope"\n',
});
afterAll(() => directory.remove());

interface Reported {
  readonly rule: string;
  readonly line: number | null;
}

test("what has no line stands last, in either order", () => {
  const finding = (line: number | null): Finding => ({
    ...{ rule: "r", severity: "error", at: "", message: "", why: "", mend: "" },
    line,
  });
  const sorted = (lines: (number | null)[]) =>
    lines
      .map(finding)
      .sort(byLine)
      .map(({ line }) => line);
  expect(sorted([null, 2, 1])).toEqual([1, 2, null]);
  expect(sorted([2, 1, null])).toEqual([1, 2, null]);
});

test.each<[string, (number | null)[], string[]]>([
  ["faults.toml", [4, 5, 6], ["SG001", "SG001", "SG001"]],
  ["warnings.toml", [4, 5, 5, 6], ["SG113", "SG103", "SG105", "SG101"]],
  ["missing.toml", [2, null], ["SG001", "SG001"]],
])("%s: lines %j, rules %j", async (file, lines, rules) => {
  const { stdout } = await scopegate(directory.path, ["check", file, "--json"]);
  const { findings } = JSON.parse(stdout) as { findings: Reported[] };
  expect(findings.map(({ line }) => line)).toEqual(lines);
  expect(findings.map(({ rule }) => rule)).toEqual(rules);
});
