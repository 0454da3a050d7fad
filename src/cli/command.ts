/** What a command is, and its exit codes: 0 yes, 1 no, 2 wrong usage. With --json every outcome is JSON on standard output. */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { closest } from "../policy/near.ts";
import type { Finding } from "./finding.ts";

export type ExitCode = 0 | 1 | 2;

export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Usage, options and examples. */
  readonly help: string;
  /** Runs with the arguments after its name. Throws `UsageError` for wrong usage and `Refusal` for a negative answer. */
  readonly run: (args: readonly string[]) => ExitCode | Promise<ExitCode>;
}

/** Wrong usage, such as invalid arguments or an unreadable policy file: exit code 2. */
export class UsageError extends Error {}

/** The answer is no, and the message says why: exit code 1. */
export class Refusal extends Error {
  /** The faults of the policy, if they are the reason. */
  readonly findings: readonly Finding[] | undefined;

  constructor(message: string, findings?: readonly Finding[]) {
    super(message);
    this.findings = findings;
  }
}

/** Parses arguments strictly: an unknown option, or one without its value, is wrong usage. */
export function parseArguments<const T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const unknown = /^Unknown option '(-[^']+)'/.exec(message)?.[1];
    throw new UsageError(unknown === undefined ? message : unknownOption(unknown, Object.keys(options)));
  }
}

function unknownOption(option: string, known: readonly string[]): string {
  const near = closest(option.replace(/^-+/, ""), [...known, "help"]);
  return `there is no option ${option}${near === null ? "" : `; did you mean --${near}?`}`;
}

/** Whether the arguments request JSON, even if they are invalid otherwise. */
export function asksForJson(args: readonly string[]): boolean {
  return args.some(
    (arg, at) => arg === "--json" || arg === "--format=json" || (arg === "json" && args[at - 1] === "--format"),
  );
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
