/** What a command is, and how it ends: 0 yes, 1 no, 2 wrong usage. */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

export type ExitCode = 0 | 1 | 2;

export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Usage, options and examples. */
  readonly help: string;
  /** Runs on the arguments behind its name. Throws `UsageError` for wrong usage and `Refusal` for a plain no. */
  readonly run: (args: readonly string[]) => ExitCode | Promise<ExitCode>;
}

/** The caller has asked for something that the command does not understand: exit code 2. */
export class UsageError extends Error {}

/** The answer is no, and the message says why: exit code 1. */
export class Refusal extends Error {}

/** Parses arguments strictly: an option that is not there, or has no value, is wrong usage. */
export function parseArguments<const T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
