/** Runs the real command as a child process, in a directory of its own. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const MAIN = resolve("src/cli/main.ts");
/** Most of a command's time is Node reading TypeScript, and always the same. */
const COMPILED = join(tmpdir(), "scopegate-compiled");

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `scopegate ARGS` in `directory`, without colours and with only these variables beside the machine's own. */
export function scopegate(directory: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const { SIGNING_KEYS: _, GITHUB_ACTIONS: __, FORCE_COLOR: ___, ...machine } = process.env;
  return new Promise((done) => {
    const options = { cwd: directory, env: { ...machine, NODE_COMPILE_CACHE: COMPILED, ...env }, timeout: 30_000 };
    execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

/** A directory with these files, and how to remove it. */
export function directoryWith(files: Record<string, string>): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "scopegate-cli-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
