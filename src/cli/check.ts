/**
 * `scopegate check`: every fault of a policy that does not load, else the findings of the rules. What stands before
 * each deployment (`[build]` in wrangler.toml), and what GitHub shows on a pull request.
 */
import { styleText } from "node:util";
import { type Fault, faultsOf } from "../policy/faults.ts";
import { checkPolicy } from "../policy/review/check.ts";
import { INVALID, type Severity } from "../policy/review/rules.ts";
import { type Command, parseArguments, printJson, UsageError } from "./command.ts";
import { DEFAULT_POLICY, readPolicy } from "./policy-file.ts";

const HELP = `Usage: scopegate check [FILE] [options]

Says whether a policy is valid, and what in it deserves a second look. FILE: ${DEFAULT_POLICY}.
Exit code 0: it can serve. 1: it cannot, or with --strict a warning stands. 2: wrong usage.

Options:
  --strict            warnings fail too
  --json              findings as JSON
  --format FORMAT     human, json, or github (annotations; the default under GitHub Actions)
  -h, --help          this text

Examples:
  npx scopegate check
  npx scopegate check staging.toml --strict
  npx scopegate check --json | jq '.findings[].rule'

A rule is silenced in the policy, by number and with a reason:
  [[checks.silence]]
  rule   = "SG102"
  at     = "teams:manage"
  reason = "Whoever may see a team may change it."
`;

/** A finding, or a fault that stops the load, with its place in the file. */
interface Report {
  readonly rule: string;
  readonly severity: Severity;
  readonly line: number | null;
  readonly at: string;
  readonly message: string;
  readonly why: string;
  readonly mend: string;
}

const FORMATS = ["human", "json", "github"] as const;
type Format = (typeof FORMATS)[number];

export const check: Command = {
  name: "check",
  summary: "says whether a policy is valid, and what in it deserves a second look",
  help: HELP,
  run(args) {
    const { values, positionals } = parseArguments(args, {
      strict: { type: "boolean" },
      json: { type: "boolean" },
      format: { type: "string" },
    });
    if (positionals.length > 1) throw new UsageError(`one FILE at most, not ${positionals.length}`);
    const file = positionals[0] ?? DEFAULT_POLICY;
    const format = formatOf(values.json === true, values.format);
    const reports = reportsOf(file);
    print(format, file, reports);
    const failing = reports.some(({ severity }) => severity === "error" || values.strict === true);
    return failing ? 1 : 0;
  },
};

function formatOf(json: boolean, format: string | undefined): Format {
  if (format === undefined) {
    if (json) return "json";
    return process.env["GITHUB_ACTIONS"] === "true" ? "github" : "human";
  }
  const known = FORMATS.find((each) => each === format);
  if (known === undefined) throw new UsageError(`--format is one of ${FORMATS.join(", ")}, not "${format}"`);
  if (json && known !== "json") throw new UsageError(`--json and --format ${format} exclude each other`);
  return known;
}

function reportsOf(file: string): Report[] {
  const { text, loaded } = readPolicy(file);
  if (!loaded.ok) {
    const { id, severity, why, mend } = INVALID;
    return loaded.faults.map(({ path, line, message }) => ({
      rule: id,
      severity,
      line,
      at: path,
      message,
      why,
      mend,
    }));
  }
  return checkPolicy(loaded.policy, Math.floor(Date.now() / 1000)).map(({ path, ...finding }) => ({
    ...finding,
    line: placeOf(text, path)?.line ?? null,
  }));
}

function placeOf(text: string, path: readonly (string | number)[]): Fault | undefined {
  const faults = faultsOf(text);
  faults.add(path, "");
  return faults.list[0];
}

function print(format: Format, file: string, reports: readonly Report[]): void {
  const errors = reports.filter(({ severity }) => severity === "error").length;
  const warnings = reports.length - errors;
  if (format === "json") {
    printJson({ ok: errors === 0, file, errors, warnings, findings: reports });
    return;
  }
  for (const report of reports) console.log(format === "github" ? annotation(file, report) : paragraph(file, report));
  const summary = `${file}: ${counted(errors, "error")}, ${counted(warnings, "warning")}`;
  console.log(styleText(errors > 0 ? "red" : warnings > 0 ? "yellow" : "green", summary));
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function paragraph(file: string, report: Report): string {
  const colour = report.severity === "error" ? "red" : "yellow";
  const place = styleText("bold", report.line === null ? file : `${file}:${report.line}`);
  const subject = report.rule === INVALID.id ? `${report.at}: ${report.message}` : report.message;
  const head = `${place} ${styleText(colour, `${report.severity} ${report.rule}`)} ${subject}`;
  if (report.rule === INVALID.id) return head;
  return `${head}\n${styleText("dim", `    why:  ${report.why}\n    mend: ${report.mend}`)}`;
}

/** GitHub's workflow command: shown at its line of a pull request. */
function annotation(file: string, report: Report): string {
  const line = report.line === null ? "" : `,line=${report.line}`;
  const text = `${report.at}: ${report.message}. Why: ${report.why}. Mend: ${report.mend}.`;
  const title = propertyText(`scopegate ${report.rule}`);
  return `::${report.severity} file=${propertyText(file)}${line},title=${title}::${messageText(text)}`;
}

/** A message must not end its line, or a policy's text could write a workflow command of its own. */
function messageText(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function propertyText(text: string): string {
  return messageText(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
