/**
 * `npm start`: everything for a first try, on this machine only. Creates signing keys if there are none, prepares local D1 and
 * KV, starts the demo API and the gateway in front of it, and prints a token and calls to try.
 *
 * Guarantees: each call that may safely be sent was tried before it is printed (`try-calls.ts`); Ctrl-C ends everything that was
 * started. ORIGIN_URL selects another API than the demo's; this script lets only reads through to it.
 */
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { parseArgs, styleText } from "node:util";
import { startOrigin } from "../demo/origin.ts";
import { devVar } from "../src/cli/dev-vars.ts";
import { freshSigningKeys, planLocalToken, signingKeysFrom } from "../src/cli/local-token.ts";
import { faultText, loadPolicy } from "../src/policy/load.ts";
import type { Policy } from "../src/policy/policy.ts";
import { issueToken, type TokenContents } from "../src/token/issue.ts";
import type { Signer } from "../src/token/signing-keys.ts";
import { type Call, demoCalls } from "./demo-calls.ts";
import { ended, startWrangler, stopGroup } from "./processes.ts";
import { tryCalls, UnexpectedAnswer } from "./try-calls.ts";

const HOST = "127.0.0.1";
const DEFAULT_PORT = 8787;
const READY_MILLISECONDS = 90_000;
/** This script waits for the gateway this much longer than the gateway waits for the API. */
const MARGIN_MILLISECONDS = 10_000;

/** A problem that the user can fix; printed without a stack trace. */
class StartError extends Error {}

let stopping = false;
const toStop: (() => Promise<unknown> | unknown)[] = [];

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(0));
const parent = process.ppid;
setInterval(() => {
  // npm forwards signals, but if npm itself is killed, only a new parent shows it.
  if (process.ppid !== parent) void stop(0);
}, 1000).unref();

try {
  await start();
} catch (error) {
  if (!stopping) {
    if (!(error instanceof StartError || error instanceof UnexpectedAnswer)) throw error;
    console.error(styleText("red", error.message, { stream: process.stderr }));
    await stop(1);
  }
}

async function start(): Promise<void> {
  const port = portOf();
  const url = `http://${HOST}:${port}`;
  const policy = policyOf();
  if (!(await isFree(port))) {
    throw new StartError(`Port ${port} is taken. Take another: PORT=${port + 1} npm start`);
  }
  const keys = devVar("SIGNING_KEYS") ?? (await freshSigningKeys(progress));
  progress("preparing local D1 …");
  await prepareDatabase();

  const originUrl = process.env["ORIGIN_URL"] ?? (await startDemo());
  progress(`the API is ${originUrl}`);
  progress("starting the gateway …");
  const gateway = await startGateway(port, originUrl, `${url}${policy.gateway.adminPath}/health`);
  if (stopping) return;
  const { signer } = await signingKeysFrom(keys);
  await printCalls(policy, signer, url, originUrl);
  showLog(gateway);
}

function portOf(): number {
  const { values } = parseArgs({ options: { port: { type: "string" } }, strict: true });
  const text = values.port ?? process.env["PORT"] ?? String(DEFAULT_PORT);
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port < 1 || port > 65_535) throw new StartError(`"${text}" is no port`);
  return port;
}

function policyOf(): Policy {
  const loaded = loadPolicy(readFileSync("scopegate.toml", "utf8"));
  if (loaded.ok) return loaded.policy;
  throw new StartError(`The policy does not load:\n${loaded.faults.map((fault) => faultText(fault)).join("\n")}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}

async function prepareDatabase(): Promise<void> {
  const child = launch(["d1", "execute", "DB", "--local", "--file", "schema.sql", "--yes"]);
  const { code, output } = await ended(child);
  if (code !== 0 && !stopping) throw new StartError(`Local D1 could not be prepared:\n${output}`);
}

/** Starts wrangler, except while stopping: `stop` would miss the new process. */
function launch(args: readonly string[]): ChildProcess {
  if (stopping) throw new StartError("stopped");
  const child = startWrangler(args);
  toStop.push(() => stopGroup(child));
  return child;
}

async function startDemo(): Promise<string> {
  const { url, server } = await startOrigin(0);
  toStop.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return url;
}

/** Starts the gateway and waits until it answers. */
async function startGateway(port: number, originUrl: string, healthUrl: string): Promise<ChildProcess> {
  const child = launch([
    "dev",
    ...["--ip", HOST, "--port", String(port), "--var", `ORIGIN_URL:${originUrl}`],
    ...["--show-interactive-dev-session=false", "--log-level", "log"],
  ]);
  const exit = ended(child);
  let exited: { readonly output: string } | undefined;
  void exit.then((result) => {
    exited = result;
  });
  const deadline = Date.now() + READY_MILLISECONDS;
  while (!(await answers(healthUrl))) {
    if (stopping) return child;
    if (exited !== undefined) throw new StartError(`The gateway did not start:\n${exited.output}`);
    if (Date.now() > deadline)
      throw new StartError(`The gateway did not answer within ${READY_MILLISECONDS / 1000} s.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  void exit.then(({ code }) => {
    if (stopping) return;
    console.error(`The gateway has ended (exit code ${code ?? "unknown"}).`);
    void stop(1);
  });
  return child;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Shows the gateway's decision log and wrangler's messages when the policy changes, without wrangler's line per request. */
function showLog(child: ChildProcess): void {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      if (!line.startsWith("[wrangler:info]")) console.log(line);
    });
  }
}

/** Issues a token that works and one that is revoked, tries the calls with them, and prints what a user can repeat. */
async function printCalls(policy: Policy, signer: Signer, url: string, originUrl: string): Promise<void> {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const calls = demoCalls(policy, HOST, nowSeconds);
  const ready = `\n${styleText("bold", `scopegate is at ${url}`)}   Ctrl-C ends it.\n`;
  if (calls === null) {
    console.log(ready);
    console.log(
      "No route of the policy can be shown: none asks for a scope, or all have conditions that do not hold here.",
    );
    return;
  }
  const plan = (scopes: readonly string[], subject: string): TokenContents =>
    planLocalToken(policy, { scopes, subject, lifetime: null, allowList: null, nowSeconds });
  const contents = plan(calls.scopes, "demo");
  const token = await issueToken(signer, contents);
  const revoked = await issueToken(signer, plan(calls.scopes, "demo-revoked"));
  progress("revoking a token, and trying the calls …");
  await revoke(policy, url, revoked, await issueToken(signer, plan(["scopegate:admin"], "npm-start")));

  const { lines, originIsSilent } = await tryCalls(
    calls,
    { token, revoked },
    {
      url,
      mode: policy.gateway.mode,
      refreshMilliseconds: policy.revocation.refreshMilliseconds,
      send: (call, sent) => statusOf(url, call, sent, policy.origin.timeoutMilliseconds + MARGIN_MILLISECONDS),
    },
  );
  const until = new Date(contents.expiresAtSeconds * 1000).toISOString();
  console.log(ready);
  console.log(`Tokens with ${calls.scopes.join(" ")}, good until ${until}; the second is revoked:\n`);
  console.log(`  TOKEN=${token}\n\n  REVOKED=${revoked}\n`);
  for (const line of lines) console.log(line);
  if (originIsSilent)
    console.log(`${styleText("yellow", `The API at ${originUrl} does not answer: is it running?`)}\n`);
  console.log("More tokens: npx scopegate token --help. Why a call is refused: npx scopegate explain --help.\n");
}

/** Revokes a token as an administrator would. */
async function revoke(policy: Policy, url: string, token: string, adminToken: string): Promise<void> {
  const response = await fetch(`${url}${policy.gateway.adminPath}/revocations`, {
    method: "POST",
    headers: { Authorization: `Bearer ${adminToken}`, "Content-Type": "application/json" },
    body: JSON.stringify({ kind: "token", value: token, reason: "shown by npm start" }),
  });
  if (response.status !== 201) {
    throw new StartError(`The demo's revocation was refused: ${response.status} ${await response.text()}`);
  }
}

/** The status of the response, without reading its body; `null` if there is none in time. */
async function statusOf(url: string, call: Call, token: string | null, milliseconds: number): Promise<number | null> {
  const headers: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` };
  try {
    const response = await fetch(`${url}${call.path}`, {
      method: call.method,
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(milliseconds),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return null;
  }
}

function progress(text: string): void {
  console.log(styleText("dim", `• ${text}`));
}

async function stop(code: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  await Promise.all(toStop.map((each) => each()));
  process.exit(code);
}
