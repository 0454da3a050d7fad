/** The command line as a process of its own: what a shell and a pipeline see of it. */
import { spawn, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { directoryWith } from "./run.ts";

const MAIN = resolve("src/cli/main.ts");
const { FORCE_COLOR: _, ...env } = process.env;
const ROUTE = '"GET /a" = { public = true }';
const directory = directoryWith({
  "scopegate.toml": `[gateway]\npublic_url = "https://api.example.com"\n[routes]\n${ROUTE}\n`,
});
afterAll(() => directory.remove());

test.each<[string[], number, RegExp, RegExp]>([
  [["check"], 0, /^scopegate\.toml: 0 errors, 0 warnings\n$/, /^$/],
  [["explain", "GET", "/b"], 1, /^GET \/b {2}404 route_not_found\n/, /^$/],
  [["check", "absent.toml"], 2, /^$/, /^scopegate: cannot read the policy absent\.toml: .+\n/],
])("%j ends with %i", (args, status, stdout, stderr) => {
  const ran = spawnSync(process.execPath, [MAIN, ...args], { cwd: directory.path, encoding: "utf8", env });
  expect(ran).toMatchObject({ status, stdout: expect.stringMatching(stdout), stderr: expect.stringMatching(stderr) });
});

test("ends quietly, with its exit code, where nobody reads what it says", async () => {
  const child = spawn(process.execPath, [MAIN, "explain", "GET", "/b"], { cwd: directory.path, env });
  child.stdout.destroy();
  const stderr: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect({ code, stderr: Buffer.concat(stderr).toString() }).toEqual({ code: 1, stderr: "" });
});
