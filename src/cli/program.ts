/**
 * The `scopegate` program: selects the command, and turns its outcome into output and an exit code.
 *
 * Exit codes: 0 yes, 1 no, 2 wrong usage. Results go to standard output, everything else to standard error. With --json an
 * error is JSON on standard output; wrong usage is reported on standard error as well.
 */
import { styleText } from "node:util";
import { closest } from "../policy/near.ts";
import { printable } from "../policy/printable.ts";
import { check } from "./check.ts";
import { asksForJson, type Command, type ExitCode, printJson, Refusal, UsageError } from "./command.ts";
import { explain } from "./explain.ts";
import { token } from "./token.ts";

const COMMANDS: readonly Command[] = [check, explain, token];

const HELP = `Usage: scopegate COMMAND [arguments]

Commands:
${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join("\n")}

Each has --help, with examples, and --json. Exit codes: 0 yes, 1 no, 2 wrong usage.

Examples:
  npx scopegate check
  npx scopegate explain GET /v1/charges/ch_1 --scopes "charges:read"
  npx scopegate token --scopes "charges:read charges:write" --lifetime 1h
`;

/** Runs the command that the arguments name; resolves with its exit code. Rejects only because of a bug. */
export async function scopegate(args: readonly string[]): Promise<ExitCode> {
  const [name, ...others] = args;
  if (name === undefined) {
    process.stderr.write(HELP);
    return 2;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(COMMANDS.find((command) => command.name === others[0])?.help ?? HELP);
    return 0;
  }
  const own = others.includes("--") ? others.slice(0, others.indexOf("--")) : others;
  const isJson = asksForJson(own);
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) {
    const near = closest(
      name,
      COMMANDS.map((each) => each.name),
    );
    return misused(`there is no command "${name}"${near === null ? "" : `; did you mean ${near}?`}`, "", isJson);
  }
  if (own.includes("--help") || own.includes("-h")) {
    process.stdout.write(command.help);
    return 0;
  }
  try {
    return await command.run(others);
  } catch (error) {
    if (error instanceof UsageError) return misused(error.message, ` ${name}`, isJson);
    if (!(error instanceof Refusal)) throw error;
    if (isJson) printJson({ error: error.message, findings: error.findings });
    else complain(error.message);
    return 1;
  }
}

function misused(error: string, command: string, isJson: boolean): ExitCode {
  if (isJson) printJson({ error });
  complain(error, `See npx scopegate${command} --help.`);
  return 2;
}

/** Makes messages printable: they quote arguments, which may come from a log. */
function complain(...lines: readonly string[]): void {
  const [first = "", ...others] = lines.map((line) => line.split("\n").map(printable).join("\n"));
  console.error([styleText("red", `scopegate: ${first}`, { stream: process.stderr }), ...others].join("\n"));
}
