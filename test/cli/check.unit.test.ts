/** What `scopegate check` prints for people and for GitHub, to the letter but for what the rules themselves say. */
import { afterAll, expect, test } from "vitest";
import { INVALID, STALE_SILENCE } from "../../src/policy/review/rule.ts";
import { RULES } from "../../src/policy/review/rules.ts";
import { directoryWith, scopegate } from "./run.ts";

const HEAD = '[gateway]\npublic_url = "https://api.example.com"\n';
const WRITING = '"GET,PUT /a" = { public = true }';
const STALE = '[[checks.silence]]\nrule = "SG105"\nreason = "r"';
const directory = directoryWith({
  "clean.toml": `${HEAD}[routes]\n`,
  "one.toml": `${HEAD}[routes]\n${WRITING}\n`,
  "two.toml": `${HEAD}[routes]\n${WRITING}\n${STALE}\n`,
  "broken.toml": `${HEAD}[routes]\n"GET /a" = "nope"\n`,
  "a,b:50%.toml": `${HEAD}[routes]\n${WRITING}\n`,
  "bare.toml": '[routes]\n"GET /a" = "nope"\n',
});
afterAll(() => directory.remove());

const rule = (id: string) => [...RULES, STALE_SILENCE].find((each) => each.id === id) ?? INVALID;
const why = (id: string): string => `    why:  ${rule(id).why}\n    mend: ${rule(id).mend}`;
const told = (id: string): string => `Why: ${rule(id).why}. Mend: ${rule(id).mend}.`;
const ofRoute = '"GET,PUT /a" writes and is public';
const ofScope = 'routes."GET /a": unknown scope "nope"; declare it as [scopes."nope"]';
const missing = "gateway: is missing and required";

test.each<[string, number, string[]]>([
  ["clean.toml", 0, ["clean.toml: 0 errors, 0 warnings"]],
  ["one.toml", 0, [`one.toml:4 warning SG103 ${ofRoute}`, why("SG103"), "one.toml: 0 errors, 1 warning"]],
  [
    "two.toml",
    0,
    [
      `two.toml:4 warning SG103 ${ofRoute}`,
      why("SG103"),
      "two.toml:5 warning SG190 SG105 finds nothing",
      why("SG190"),
      "two.toml: 0 errors, 2 warnings",
    ],
  ],
  ["broken.toml", 1, [`broken.toml:4 error SG001 ${ofScope}`, "broken.toml: 1 error, 0 warnings"]],
  [
    "bare.toml",
    1,
    [`bare.toml:2 error SG001 ${ofScope}`, `bare.toml error SG001 ${missing}`, "bare.toml: 2 errors, 0 warnings"],
  ],
])("tells people of %s, with exit code %i", async (file, code, lines) => {
  const ran = await scopegate(directory.path, ["check", file]);
  expect({ ...ran, stdout: ran.stdout.split("\n") }).toEqual({
    code,
    stdout: [...lines.flatMap((line) => line.split("\n")), ""],
    stderr: "",
  });
});

test.each<[string, number, string[]]>([
  [
    "one.toml",
    0,
    [
      `::warning file=one.toml,line=4,title=scopegate SG103::GET,PUT /a: ${ofRoute}. ${told("SG103")}`,
      "one.toml: 0 errors, 1 warning",
    ],
  ],
  [
    "bare.toml",
    1,
    [
      `::error file=bare.toml,line=2,title=scopegate SG001::${ofScope}. ${told("SG001")}`,
      `::error file=bare.toml,title=scopegate SG001::${missing}. ${told("SG001")}`,
      "bare.toml: 2 errors, 0 warnings",
    ],
  ],
  [
    "a,b:50%.toml",
    0,
    [
      `::warning file=a%2Cb%3A50%25.toml,line=4,title=scopegate SG103::GET,PUT /a: ${ofRoute}. ${told("SG103")}`,
      "a,b:50%.toml: 0 errors, 1 warning",
    ],
  ],
])("annotates %s for GitHub, with exit code %i", async (file, code, lines) => {
  const wanted = { code, stdout: `${lines.join("\n")}\n`, stderr: "" };
  expect(await scopegate(directory.path, ["check", file], { GITHUB_ACTIONS: "true" })).toEqual(wanted);
  expect(await scopegate(directory.path, ["check", file, "--format", "github"])).toEqual(wanted);
  expect(await scopegate(directory.path, ["check", file, "--format=human"], { GITHUB_ACTIONS: "true" })).not.toEqual(
    wanted,
  );
});

test("tells people the same faults where another command needs the policy", async () => {
  const faults = [`bare.toml ${missing}`, `bare.toml:2 ${ofScope}`];
  expect(await scopegate(directory.path, ["explain", "GET", "/a", "--policy", "bare.toml"])).toEqual({
    code: 1,
    stdout: "",
    stderr: ["scopegate: the policy does not load:", ...faults, ""].join("\n"),
  });
});

test("takes --json and --format json for the same", async () => {
  const asked = [["--json"], ["--format", "json"], ["--json", "--format=json"]];
  const [first, ...others] = await Promise.all(
    asked.map((options) => scopegate(directory.path, ["check", "one.toml", ...options], { GITHUB_ACTIONS: "true" })),
  );
  expect(JSON.parse(first?.stdout ?? "")).toMatchObject({ ok: true, warnings: 1 });
  for (const other of others) expect(other).toEqual(first);
});

test.each([
  ["clean.toml", ["green"]],
  ["one.toml", ["yellow", "yellow"]],
  ["broken.toml", ["red", "red"]],
])("shows in colour how bad %s is, where there are colours: %j", async (file, expected) => {
  const names: Readonly<Record<string, string>> = { 31: "red", 32: "green", 33: "yellow" };
  const { stdout } = await scopegate(directory.path, ["check", file], { FORCE_COLOR: "1" });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours a terminal
  expect([...stdout.matchAll(/\u001b\[(3[1-3])m/g)].map(([, code = ""]) => names[code])).toEqual(expected);
});
