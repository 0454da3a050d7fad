/**
 * `scopegate explain`: whether a call would be allowed, which route decides and why, and what each requirement needs.
 * Calls the functions that enforce; sends nothing anywhere.
 */
import { styleText } from "node:util";
import { parseAddress } from "../policy/conditions/cidr.ts";
import type { Policy } from "../policy/policy.ts";
import { printable } from "../policy/printable.ts";
import type { AllowList } from "../policy/resources/allow-list.ts";
import { type Caller, type Explanation, explain as explainCall } from "../policy/review/explain.ts";
import { holderOfScopes } from "../policy/review/hypothetical.ts";
import type { Step } from "../policy/review/step.ts";
import { type Command, type ExitCode, parseArguments, printJson, UsageError } from "./command.ts";
import { callerOfToken } from "./inspect-token.ts";
import { instantOf } from "./instant.ts";
import { DEFAULT_POLICY, requirePolicy } from "./policy-file.ts";
import { allowListArgument, scopesArgument } from "./words.ts";

const HELP = `Usage: scopegate explain METHOD PATH [options]

Says whether a call would be allowed, by which route and why, and what each requirement asks for.
Exit code 0: allowed. 1: refused, or the policy does not load. 2: wrong usage.

Who asks (neither: nobody, without a token):
  --scopes "a b"         a token of this gateway with these scopes, issued now
  --token TOKEN          this token; verified where the local SIGNING_KEYS can, otherwise only read
  --allow-list "t:i …"   the allow list of the token (with --scopes)

From where and when:
  --ip ADDRESS           the caller's address
  --country CC           the caller's country
  --at TIME              RFC 3339, such as 2026-11-01T12:00:00Z; absent: now
  --header "Name: value" a request header, for resources that read one; may be repeated

  --policy FILE          absent: ${DEFAULT_POLICY}
  --json                 as JSON
  -h, --help             this text

Examples:
  npx scopegate explain GET /v1/charges
  npx scopegate explain DELETE /v1/charges/ch_1 --scopes "charges:write charges:delete" --allow-list "charge:ch_1"
  npx scopegate explain POST /v1/payouts --scopes payouts:write --ip 10.1.2.3
  npx scopegate explain GET "/v1/search?project=p1" --token "$TOKEN" --json
`;

export const explain: Command = {
  name: "explain",
  summary: "says whether a call would be allowed, by which route and why",
  help: HELP,
  async run(args): Promise<ExitCode> {
    const { values, positionals } = parseArguments(args, {
      scopes: { type: "string" },
      token: { type: "string" },
      "allow-list": { type: "string" },
      ip: { type: "string" },
      country: { type: "string" },
      at: { type: "string" },
      header: { type: "string", multiple: true },
      policy: { type: "string" },
      json: { type: "boolean" },
    });
    const [method, target] = positionals;
    if (method === undefined || target === undefined || positionals.length > 2) {
      throw new UsageError("METHOD and PATH are needed, and nothing besides");
    }
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) throw new UsageError(`"${method}" is no method`);
    if (method !== method.toUpperCase()) {
      throw new UsageError(`methods are upper-case: ${method.toUpperCase()}, not ${method}`);
    }
    if (!target.startsWith("/")) throw new UsageError(`a path begins with a slash, unlike "${target}"`);
    if (values.token !== undefined && (values.scopes !== undefined || values["allow-list"] !== undefined)) {
      throw new UsageError("--token brings its own scopes and allow list");
    }
    if (values["allow-list"] !== undefined && values.scopes === undefined) {
      throw new UsageError("--allow-list goes with --scopes");
    }
    const nowSeconds = timeOf(values.at);
    const address = addressOf(values.ip);
    const headers = headersOf(values.header ?? []);
    const list = allowListArgument(values["allow-list"]);
    const country = countryOf(values.country);

    const policy = requirePolicy(values.policy ?? DEFAULT_POLICY);
    const caller = await callerOf(policy, values.token, values.scopes, list, nowSeconds);
    const header = (name: string): string | null => headers.get(name.toLowerCase()) ?? null;
    const explanation = explainCall(policy, { method, target, header, address, country, nowSeconds, caller });
    if (values.json) printJson(explanation);
    else print(policy, explanation, values.token !== undefined);
    return explanation.allowed ? 0 : 1;
  },
};

async function callerOf(
  policy: Policy,
  token: string | undefined,
  scopes: string | undefined,
  allowList: AllowList | null,
  nowSeconds: number,
): Promise<Caller> {
  if (token !== undefined) return callerOfToken(policy, token, nowSeconds);
  if (scopes === undefined) return { kind: "anonymous" };
  const names = scopesArgument(policy, scopes);
  return holderOfScopes(policy, { scopes: names, nowSeconds, allowList: allowList ?? { kind: "absent" } });
}

function timeOf(text: string | undefined): number {
  if (text === undefined) return Math.floor(Date.now() / 1000);
  const seconds = instantOf(text);
  if (seconds !== null) return seconds;
  throw new UsageError(`--at takes a time that exists, with its zone, such as 2026-11-01T12:00:00Z, not "${text}"`);
}

function addressOf(text: string | undefined): string | null {
  if (text !== undefined && parseAddress(text) === null) throw new UsageError(`--ip takes an address, not "${text}"`);
  return text ?? null;
}

function countryOf(text: string | undefined): string | null {
  if (text !== undefined && !/^[A-Z]{2}$/.test(text)) throw new UsageError('--country takes a code such as "DE"');
  return text ?? null;
}

/** Joins repeated headers with a comma, as the runtime does. */
function headersOf(written: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const text of written) {
    const colon = text.indexOf(":");
    if (colon <= 0) throw new UsageError(`--header takes "Name: value", not "${text}"`);
    const name = text.slice(0, colon).toLowerCase();
    const value = text.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

/** `hasToken`: the caller is a real token, so assumptions about it are pointed out; a hypothetical one needs no check. */
function print(policy: Policy, explanation: Explanation, hasToken: boolean): void {
  const { allowed, status, reason, mode, method, path, candidates, steps } = explanation;
  const isAssumed = hasToken && steps.some(({ assumed }) => assumed);
  const yes = isAssumed ? "allowed, as far as this machine can tell (see ~)" : "allowed";
  const outcome = allowed ? styleText("green", yes) : styleText("red", `${status} ${reason ?? ""}`);
  // A strange path may come from a log: it must not send control sequences to the terminal.
  console.log(`${styleText("bold", `${method} ${printable(path)}`)}  ${outcome}`);
  for (const step of steps) console.log(line(step));
  const others = candidates.filter(({ won }) => !won);
  if (others.length > 0) console.log("\nOther routes whose pattern has this path:");
  for (const { route, why } of others) console.log(`  ${route}  ${styleText("dim", why)}`);
  if (allowed || mode === "enforce") return;
  // Calls without a route, and calls to the gateway's own routes, are refused in every mode.
  const isForwarded = policy.routes.some(({ key }) => key === explanation.route);
  const effect = isForwarded ? "the refusal would be logged and the call forwarded" : "this is refused there too";
  console.log(`\nReport mode: ${effect}.`);
}

function line({ step, passed, assumed, detail, needs }: Step): string {
  const mark = !passed ? styleText("red", "✗") : assumed ? styleText("yellow", "~") : styleText("green", "✓");
  const text = `  ${mark} ${step.padEnd(11)} ${printable(detail)}`;
  return passed || needs === undefined
    ? text
    : `${text}\n${styleText("dim", `${" ".repeat(16)}needs ${needsText(step, needs)}`)}`;
}

/** The separator between the needs of a step: for scopes, one alternative is enough. */
const BETWEEN: Partial<Record<Step["step"], string>> = { scopes: ", or ", conditions: "; " };

function needsText(step: Step["step"], needs: NonNullable<Step["needs"]>): string {
  if (typeof needs === "string") return needs;
  const texts = needs.flatMap((need) => {
    if (typeof need === "string") return need;
    if ("join" in need) return need.join(" and ");
    return need.holds ? [] : need.wants;
  });
  return texts.join(BETWEEN[step] ?? ", ");
}
