/**
 * `scopegate check`: prints every fault of a policy that does not load, else the findings of the rules. Runs before each
 * deployment (`[build]` in wrangler.toml), and gives GitHub the annotations of a pull request.
 */
import { styleText } from "node:util";
import { linesIn } from "../policy/faults.ts";
import { checkPolicy } from "../policy/review/check.ts";
import { INVALID } from "../policy/review/rule.ts";
import { type Command, parseArguments, printJson, UsageError } from "./command.ts";
import { byLine, type Finding, faultFindings } from "./finding.ts";
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
    const findings = findingsOf(file);
    print(format, file, findings);
    const failing = findings.some(({ severity }) => severity === "error" || values.strict === true);
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

function findingsOf(file: string): Finding[] {
  const { text, loaded } = readPolicy(file);
  if (!loaded.ok) return faultFindings(loaded.faults);
  const found = checkPolicy(loaded.policy, Math.floor(Date.now() / 1000));
  const lineOf = linesIn(text);
  return found.map(({ path, ...finding }) => ({ ...finding, line: lineOf(path) })).sort(byLine);
}

function print(format: Format, file: string, findings: readonly Finding[]): void {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const warnings = findings.length - errors;
  if (format === "json") {
    printJson({ ok: errors === 0, file, errors, warnings, findings });
    return;
  }
  for (const each of findings) console.log(format === "github" ? annotation(file, each) : paragraph(file, each));
  const summary = `${file}: ${counted(errors, "error")}, ${counted(warnings, "warning")}`;
  console.log(styleText(errors > 0 ? "red" : warnings > 0 ? "yellow" : "green", summary));
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function paragraph(file: string, finding: Finding): string {
  const colour = finding.severity === "error" ? "red" : "yellow";
  const place = styleText("bold", finding.line === null ? file : `${file}:${finding.line}`);
  const subject = finding.rule === INVALID.id ? `${finding.at}: ${finding.message}` : finding.message;
  const head = `${place} ${styleText(colour, `${finding.severity} ${finding.rule}`)} ${subject}`;
  if (finding.rule === INVALID.id) return head;
  return `${head}\n${styleText("dim", `    why:  ${finding.why}\n    mend: ${finding.mend}`)}`;
}

/** A GitHub workflow command, which annotates the line in a pull request. */
function annotation(file: string, finding: Finding): string {
  const line = finding.line === null ? "" : `,line=${finding.line}`;
  const text = `${finding.at}: ${finding.message}. Why: ${finding.why}. Mend: ${finding.mend}.`;
  const title = propertyText(`scopegate ${finding.rule}`);
  return `::${finding.severity} file=${propertyText(file)}${line},title=${title}::${messageText(text)}`;
}

/** Escapes line ends, or a policy's text could inject a workflow command of its own. */
function messageText(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function propertyText(text: string): string {
  return messageText(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
