/**
 * `.dev.vars`: the local secrets, in the format that wrangler reads (dotenv). Never committed, readable by its owner only.
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { UsageError } from "./command.ts";

export const DEV_VARS = ".dev.vars";

export interface LocalKeys {
  readonly secret: string;
  /** Whether they come from `.dev.vars`: no deployment has these keys. */
  readonly ofDevVars: boolean;
}

/**
 * The signing keys from the environment, else from `.dev.vars` in the current directory; `null` if neither has them. Throws
 * `UsageError` if the environment variable is empty: whoever set it does not want the keys of `.dev.vars`.
 */
export function localSigningKeys(): LocalKeys | null {
  const own = process.env["SIGNING_KEYS"];
  if (own !== undefined) {
    if (own.trim() === "") throw new UsageError("SIGNING_KEYS is set and empty: was the file of keys read?");
    return { secret: own, ofDevVars: false };
  }
  const secret = devVar("SIGNING_KEYS");
  return secret === null ? null : { secret, ofDevVars: true };
}

/** A secret from `.dev.vars` alone, as `wrangler dev` gives it to the Worker; `null` if it is missing or empty. */
export function devVar(name: string): string | null {
  if (!existsSync(DEV_VARS)) return null;
  const value = parseEnv(readFileSync(DEV_VARS, "utf8"))[name];
  return value === undefined || value === "" ? null : value;
}

/** Adds a secret to `.dev.vars`, creating the file if necessary; sets mode 600 in both cases. */
export function addDevVar(name: string, value: string): void {
  if (/['\r\n]/.test(value)) throw new Error(`${name} cannot be written to ${DEV_VARS}`);
  const before = existsSync(DEV_VARS) ? readFileSync(DEV_VARS, "utf8") : "";
  const separator = before === "" || before.endsWith("\n") ? "" : "\n";
  writeFileSync(DEV_VARS, `${before}${separator}${name}='${value}'\n`, { mode: 0o600 });
  chmodSync(DEV_VARS, 0o600);
}
