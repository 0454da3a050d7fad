/** A cold start: the bundle's size, the CPU time to start, and the first request before and after the issuer's keys are held. */
import { gzipSync } from "node:zlib";
import { HEADERS, type Plan } from "./compare.ts";
import { ITEM, policyText } from "./policy.ts";
import { cpuSeconds, mainThreadSeconds, startOrigin } from "./process.ts";
import { spreadOf } from "./statistics.ts";
import { startIssuer } from "./tokens.ts";
import {
  deployed,
  type RunningWorker,
  startBenchWorker,
  startScopegate,
  startScopegateAlone,
  stopWorker,
} from "./worker.ts";

export async function cold(plan: Plan): Promise<void> {
  const { script } = deployed();
  const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;
  console.log(
    `bundle               ${kibibytes(script.length)}, gzip ${kibibytes(gzipSync(script, { level: 9 }).length)} (at most 90 KiB)`,
  );

  const issuer = await startIssuer();
  const origin = await startOrigin();
  const policy = policyText({ routes: 1000, scopes: 100, issuer: issuer.url });
  const [token = ""] = issuer.tokens("ES256", 1);
  const thread: number[] = [];
  const threads: number[] = [];
  const coldIssuer: number[] = [];
  const warmIssuer: number[] = [];
  for (let round = 0; round < plan.repeats; round++) {
    const nothing = await startUsed(startBenchWorker("empty", {}));
    const alone = await startUsed(startScopegateAlone(policy));
    thread.push(alone.thread - nothing.thread);
    threads.push(alone.threads - nothing.threads);

    const own = await startScopegate(policy, origin);
    // The isolate runs, but has neither the issuer's keys nor the revocations yet.
    coldIssuer.push(await firstAnswer(own, ITEM, token, 200));
    // Now it has both, and gets a token that it has never seen.
    warmIssuer.push(await firstAnswer(own, ITEM, issuer.tokens("ES256", 1)[0] ?? "", 200));
    await stopWorker(own);
  }
  issuer.server.close();
  const line = (name: string, values: readonly number[], note: string): void => {
    const { median, least, most } = spreadOf(values);
    console.log(`${name.padEnd(20)} ${median.toFixed(1)} ms (${least.toFixed(1)} to ${most.toFixed(1)}) ${note}`);
  };
  line(
    "start-up CPU",
    thread,
    "of the Worker's thread, with 1,000 routes, less that of an empty Worker (at most 25 ms)",
  );
  line("", threads, "of all threads, those that help V8 to collect and to compile too");
  line("first request", coldIssuer, "on a fresh isolate: keys fetched, revocations loaded, a signature verified");
  line("a new token after it", warmIssuer, "");
}

/** The CPU time of a start, in milliseconds. Complete because workerd listens only after a Worker's modules have run. */
async function startUsed(starting: Promise<RunningWorker>): Promise<{ thread: number; threads: number }> {
  const worker = await starting;
  const used = { thread: mainThreadSeconds(worker.pid) * 1000, threads: cpuSeconds(worker.pid) * 1000 };
  await stopWorker(worker);
  return used;
}

async function firstAnswer({ port }: RunningWorker, path: string, token: string, expected?: number): Promise<number> {
  const start = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { ...HEADERS, Authorization: `Bearer ${token}` },
  });
  await response.arrayBuffer();
  if (expected !== undefined && response.status !== expected) throw new Error(`${path}: ${response.status}`);
  return performance.now() - start;
}
