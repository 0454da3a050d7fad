/**
 * Child processes in a process group of their own, so that `stopGroup` also ends whatever they start (wrangler starts workerd),
 * and that a Ctrl-C reaches them only through this process. Leaves to the caller to call `stopGroup` before it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { delimiter, resolve } from "node:path";

const WRANGLER = resolve("node_modules/wrangler/bin/wrangler.js");
const GRACE_MILLISECONDS = 3000;
const OUTPUT_KEPT = 20_000;

/** No telemetry and no other calls to Cloudflare, and no output except what was requested. */
const QUIET = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

/** Starts wrangler with the Node that runs this script, in a process group of its own, with its output piped. */
export function startWrangler(args: readonly string[]): ChildProcess {
  const path = [resolve("node_modules/.bin"), process.env["PATH"] ?? ""].join(delimiter);
  return spawn(process.execPath, [WRANGLER, ...args], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...QUIET, PATH: path },
  });
}

/** Waits until a child ends; resolves with its exit code and the last of what it printed. */
export function ended(child: ChildProcess): Promise<{ readonly code: number | null; readonly output: string }> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output = `${output}${String(chunk)}`.slice(-OUTPUT_KEPT);
    });
  }
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, output })));
}

/** Ends a child's process group: SIGTERM, then SIGKILL after three seconds. */
export async function stopGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || !signalGroup(pid, "SIGTERM")) return;
  const deadline = Date.now() + GRACE_MILLISECONDS;
  while (signalGroup(pid, 0)) {
    if (Date.now() > deadline) signalGroup(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Sends a signal to a process group (0: none); returns whether the group still has a process. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
