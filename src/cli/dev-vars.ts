/**
 * `.dev.vars`: the local secrets, in the form that wrangler reads (dotenv). Never committed, readable by its owner only.
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";

export const DEV_VARS = ".dev.vars";

/** A secret from the environment, else from `.dev.vars` in the current directory; `null` where neither has it. */
export function localSecret(name: string): string | null {
  const own = process.env[name];
  return own !== undefined && own !== "" ? own : devVar(name);
}

/** What `wrangler dev` gives the Worker: a secret from `.dev.vars` alone. */
export function devVar(name: string): string | null {
  if (!existsSync(DEV_VARS)) return null;
  const value = parseEnv(readFileSync(DEV_VARS, "utf8"))[name];
  return value === undefined || value === "" ? null : value;
}

/** Adds a secret to `.dev.vars`, and makes the file where there is none; mode 600 either way. */
export function addDevVar(name: string, value: string): void {
  if (/['\r\n]/.test(value)) throw new Error(`${name} cannot be written to ${DEV_VARS}`);
  const before = existsSync(DEV_VARS) ? readFileSync(DEV_VARS, "utf8") : "";
  const separator = before === "" || before.endsWith("\n") ? "" : "\n";
  writeFileSync(DEV_VARS, `${before}${separator}${name}='${value}'\n`, { mode: 0o600 });
  chmodSync(DEV_VARS, 0o600);
}
