/**
 * The calls that `npm start` prints, each with its answer.
 *
 * Guarantees: the API behind the gateway may be a real one, so a call that the gateway would let through is only sent if it is
 * a read, and only reads are sent twice. Calls that are therefore not tried say so, or in report mode name the later refusal.
 */
import { styleText } from "node:util";
import type { Call, DemoCalls } from "./demo-calls.ts";

export interface Tokens {
  readonly token: string;
  readonly revoked: string;
}

export interface Surroundings {
  readonly url: string;
  readonly mode: "enforce" | "report";
  /** `[revocation] refresh`: how long a revocation may take. */
  readonly refreshMilliseconds: number;
  /** The status of the answer; `null` where there was none in time. */
  readonly send: (call: Call, token: string | null) => Promise<number | null>;
}

export interface Shown {
  readonly lines: readonly string[];
  /** Whether the API behind the gateway did not answer the allowed call. */
  readonly originIsSilent: boolean;
}

/** A call was not answered as the policy says. */
export class UnexpectedAnswer extends Error {}

const PAUSE_MILLISECONDS = 200;
const GRACE_MILLISECONDS = 2000;

/** Tries the calls that may be tried; returns a line for each with its answer and how to repeat it. Throws `UnexpectedAnswer`. */
export async function tryCalls(calls: DemoCalls, tokens: Tokens, surroundings: Surroundings): Promise<Shown> {
  const { allowed, wrongScope } = calls;
  const { url, mode, send } = surroundings;
  const status = isRead(allowed) ? await send(allowed, tokens.token) : undefined;
  const result = status === undefined ? "not tried, since it is no GET" : (status ?? "no answer");
  const lines = [lineOf(url, `allowed: ${result}`, allowed, "TOKEN")];

  const add = async (title: string, expected: number, call: Call, name: "TOKEN" | "REVOKED" | null): Promise<void> => {
    const said =
      mode === "report"
        ? `${expected} once you enforce; now logged as would_refuse and forwarded`
        : await refusal(title, expected, call, name, tokens, surroundings);
    lines.push(lineOf(url, `${title}: ${said}`, call, name));
  };
  if (wrongScope !== null) await add("wrong scope", 403, wrongScope, "TOKEN");
  await add("no token", 401, allowed, null);
  await add("revoked", 401, allowed, "REVOKED");
  return { lines, originIsSilent: status === null || status === 502 || status === 504 };
}

/** Checks that the gateway refuses a call. A revoked token may work for a while, so with it only reads are sent, repeatedly. */
async function refusal(
  title: string,
  expected: number,
  call: Call,
  name: "TOKEN" | "REVOKED" | null,
  { token, revoked }: Tokens,
  { refreshMilliseconds, send }: Surroundings,
): Promise<string> {
  if (name === "REVOKED" && !isRead(call))
    return `${expected} within ${refreshMilliseconds / 1000} s; not tried, since it is no GET`;
  const deadline = Date.now() + refreshMilliseconds + GRACE_MILLISECONDS;
  const sent = name === null ? null : name === "TOKEN" ? token : revoked;
  let status = await send(call, sent);
  while (name === "REVOKED" && status !== expected && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
    status = await send(call, sent);
  }
  if (status === expected) return String(status);
  throw new UnexpectedAnswer(
    `The call "${title}" was ${status === null ? "not answered" : `answered ${status}, not ${expected}`}.`,
  );
}

function isRead({ method }: Call): boolean {
  return method === "GET";
}

function lineOf(url: string, said: string, { method, path }: Call, name: string | null): string {
  const option = method === "GET" ? "" : ` -X ${method}`;
  const header = name === null ? "" : ` -H "Authorization: Bearer $${name}"`;
  return `  ${styleText("dim", `# ${said}`)}\n  curl -i${option} "${url}${path}"${header}\n`;
}
