import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { denialResponse } from "../../src/denial.ts";
import { blocksOf, pages } from "./markdown.ts";

const scripts: Record<string, string> = JSON.parse(readFileSync("package.json", "utf8")).scripts;

/** Of wrangler 4; a command that is not here was not tried by whoever wrote the page. */
const WRANGLER = [
  "d1 create",
  "d1 execute",
  "d1 export",
  "d1 time-travel",
  "deploy",
  "dev",
  "kv namespace",
  "login",
  "rollback",
  "secret put",
  "tail",
];

const commands = pages().flatMap((page) =>
  ["sh", "yaml"].flatMap((language) =>
    blocksOf(page, language).flatMap(({ file, text }) =>
      [...text.matchAll(/(?:^|[\s(])(np[mx] [^\n#|)]+)/g)].flatMap(([, found = ""]) =>
        found.split("&&").map((command) => ({ file, command: command.trim().replace(/^npx --no /, "npx ") })),
      ),
    ),
  ),
);

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, ["src/cli/main.ts", ...args], { encoding: "utf8", env: { NO_COLOR: "1" } });
}

const helps = new Map<string, string>();

function helpOf(command: string): string {
  const help = helps.get(command) ?? run("help", command).stdout;
  helps.set(command, help);
  return help;
}

test("the pages show commands", () => {
  expect(commands.length).toBeGreaterThan(20);
});

test.each(commands)("$file: there is such a command: $command", ({ command }) => {
  const [tool, name = "", ...others] = command.split(/\s+/);
  if (tool === "npm") {
    const script = name === "run" ? (others[0] ?? "") : name;
    if (script !== "ci") expect(Object.keys(scripts)).toContain(script);
  } else if (name === "node") {
    expect(existsSync(others[0] ?? "")).toBe(true);
  } else if (name === "wrangler") {
    expect(WRANGLER.some((known) => `${others.join(" ")} `.startsWith(`${known} `))).toBe(true);
    for (const file of command.matchAll(/--file (\S+)/g)) expect(existsSync(file[1] ?? "")).toBe(true);
  } else {
    expect(name).toBe("scopegate");
    const help = helpOf(others[0] ?? "");
    expect(help).toContain(`Usage: scopegate ${others[0] ?? ""}`);
    for (const [option] of command.matchAll(/(?<= )--[a-z-]+/g)) expect(help).toContain(option);
  }
});

test("the README's explanation is what the command prints", () => {
  const [shown] = blocksOf({ file: "README.md", text: readFileSync("README.md", "utf8") }, "text");
  const printed = run("explain", "DELETE", "/v1/charges/ch_1", "--scopes", "charges:write").stdout;
  expect(printed.startsWith(shown?.text ?? "nothing")).toBe(true);
});

test("the README's refusal is what a client gets", async () => {
  const [shown] = blocksOf({ file: "README.md", text: readFileSync("README.md", "utf8") }, "json");
  const { instance, ...rest } = JSON.parse(shown?.text ?? "{}");
  const context = { publicUrl: "http://127.0.0.1:8787", adminPath: "/_scopegate", requestId: instance };
  const response = denialResponse({ reason: "scope_insufficient", requiredScopes: ["charges:write"] }, context);
  expect(await response.json()).toEqual({ instance, ...rest });
});
