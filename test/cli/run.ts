/**
 * Runs a command as `npx scopegate` does, in a directory of its own, within this process: a process each would take a
 * hundred times as long. `main.unit.test.ts` starts the real one.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format } from "node:util";
import { vi } from "vitest";
import { scopegate as program } from "../../src/cli/program.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let last: Promise<unknown> = Promise.resolve();

/** `scopegate ARGS` in `directory`, without colours and with only these variables beside the machine's own. */
export function scopegate(directory: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  // A process has one directory and one standard output: one command after the other.
  const ran = last.then(() => runAlone(directory, args, env));
  last = ran.catch(() => undefined);
  return ran;
}

async function runAlone(directory: string, args: readonly string[], env: Record<string, string>): Promise<Ran> {
  const home = process.cwd();
  const whole = process.env;
  const { SIGNING_KEYS: _, GITHUB_ACTIONS: __, FORCE_COLOR: ___, ...machine } = whole;
  const out: string[] = [];
  const complained: string[] = [];
  const into = (said: string[]) => (text: string | Uint8Array) => said.push(String(text)) > 0;
  const lineInto =
    (said: string[]) =>
    (...words: unknown[]) =>
      void said.push(`${format(...words)}\n`);
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(into(out)),
    vi.spyOn(process.stderr, "write").mockImplementation(into(complained)),
    vi.spyOn(console, "log").mockImplementation(lineInto(out)),
    vi.spyOn(console, "error").mockImplementation(lineInto(complained)),
  ];
  process.env = { ...machine, ...env };
  try {
    process.chdir(directory);
    const code = await program(args);
    return { code, stdout: out.join(""), stderr: complained.join("") };
  } finally {
    process.chdir(home);
    process.env = whole;
    for (const spy of spies) spy.mockRestore();
  }
}

/** A directory with these files, and how to remove it. */
export function directoryWith(files: Record<string, string>): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "scopegate-cli-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
