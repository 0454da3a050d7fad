/** The policy that a command works on: `scopegate.toml` in the current directory, or the file given. */
import { readFileSync } from "node:fs";
import { faultText, type Loaded, loadPolicy } from "../policy/load.ts";
import type { Policy } from "../policy/policy.ts";
import { Refusal, UsageError } from "./command.ts";
import { faultFindings } from "./finding.ts";

export const DEFAULT_POLICY = "scopegate.toml";

/** Reads and loads a policy file. Throws `UsageError` if the file cannot be read. */
export function readPolicy(file: string): { readonly text: string; readonly loaded: Loaded } {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the policy ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { text, loaded: loadPolicy(text) };
}

/** Reads a policy that must be valid. Throws `Refusal` with its faults if it is not. */
export function requirePolicy(file: string): Policy {
  const { loaded } = readPolicy(file);
  if (loaded.ok) return loaded.policy;
  const faults = loaded.faults.map((fault) => faultText(fault, file)).join("\n");
  throw new Refusal(`the policy does not load:\n${faults}`, faultFindings(loaded.faults));
}
