/** How the cost of a request grows with the number of routes, scopes, live tokens and connections. */
import { createRequire } from "node:module";
import { type Contestant, HEADERS, type Measured, measure, type Plan } from "./compare.ts";
import { ITEM, policyText } from "./policy.ts";
import { cpuSeconds, load, mainThreadSeconds, memory, startOrigin } from "./process.ts";
import { pairedRatio, percent, spreadOf, table } from "./statistics.ts";
import { type Issuer, startIssuer } from "./tokens.ts";
import { type RunningWorker, startBenchWorker, startScopegate, stopWorker } from "./worker.ts";

interface Surroundings {
  readonly issuer: Issuer;
  readonly origin: string;
}

async function around(work: (surroundings: Surroundings) => Promise<void>): Promise<void> {
  const issuer = await startIssuer();
  try {
    await work({ issuer, origin: await startOrigin() });
  } finally {
    issuer.server.close();
  }
}

/** Prints each result relative to the first of the same round: the change of CPU per request and of requests per second. */
function printGrowth(measured: readonly Measured[]): void {
  const rows = measured.map(({ name, cpuMicroseconds, requestsPerSecond, cpuByRound, rateByRound }) => [
    name,
    requestsPerSecond.median.toFixed(0),
    cpuMicroseconds.median.toFixed(1),
    `${cpuMicroseconds.least.toFixed(1)}–${cpuMicroseconds.most.toFixed(1)}`,
    percent(pairedRatio(cpuByRound, measured[0]?.cpuByRound ?? [])),
    percent(pairedRatio(rateByRound, measured[0]?.rateByRound ?? [])),
  ]);
  console.log(table(["", "requests/s", "CPU µs/request", "spread", "CPU, of the first", "requests/s"], rows));
}

/** 10, 1,000 and 10,000 routes (with as many scopes, at most 1,000): the cost per request, and of loading the policy. */
export function routes(plan: Plan): Promise<void> {
  return around(async ({ issuer, origin }) => {
    const sizes = [10, 1000, 10_000];
    const token = issuer.tokens("ES256", 1);
    const contestants: (Contestant & RunningWorker)[] = [];
    for (const size of sizes) {
      const policy = policyText({ routes: size, scopes: Math.min(size, 1000), issuer: issuer.url });
      contestants.push({ name: `${size} routes`, ...(await startScopegate(policy, origin)), tokens: () => token });
    }
    printGrowth(await measure(contestants, plan));

    for (const contestant of contestants) await stopWorker(contestant);
    await printLoading(sizes, issuer.url, plan.repeats);
  });
}

/**
 * The CPU time of loading a policy in a workerd that has not loaded one before: of the thread that runs the Worker, for which
 * Cloudflare charges, and of all threads, including V8's for garbage collection and compilation.
 */
async function printLoading(sizes: readonly number[], issuer: string, repeats: number): Promise<void> {
  const used = sizes.map(() => ({ thread: [] as number[], process: [] as number[] }));
  for (let round = 0; round < repeats; round++) {
    process.stderr.write(`loading, round ${round + 1} of ${repeats} …\n`);
    for (const [index, size] of sizes.entries()) {
      const POLICY = policyText({ routes: size, scopes: Math.min(size, 1000), issuer });
      const worker = await startBenchWorker("load", { POLICY });
      const ask = async (path: string): Promise<string> =>
        (await fetch(`http://127.0.0.1:${worker.port}/${path}`)).text();
      await ask("");
      const before = { thread: mainThreadSeconds(worker.pid), process: cpuSeconds(worker.pid) };
      if ((await ask("load")) !== String(size)) throw new Error(`the policy of ${size} routes does not load`);
      used[index]?.thread.push((mainThreadSeconds(worker.pid) - before.thread) * 1000);
      used[index]?.process.push((cpuSeconds(worker.pid) - before.process) * 1000);
      await stopWorker(worker);
    }
  }
  const rows = sizes.map((size, index) => [
    `${size} routes`,
    ...[used[index]?.thread, used[index]?.process].flatMap((values) => {
      const { median, least, most } = spreadOf(values ?? []);
      return [median.toFixed(0), `${least.toFixed(0)}–${most.toFixed(0)}`];
    }),
  ]);
  console.log("\nTo load, in ms of CPU (at most 150 for 10,000 routes and 1,000 scopes):");
  console.log(table(["", "the Worker's thread", "spread", "all threads", "spread"], rows));
}

/** Tokens with 1 to 1,000 scopes. */
export function scopes(plan: Plan): Promise<void> {
  return around(async ({ issuer, origin }) => {
    const worker = await startScopegate(policyText({ routes: 1000, scopes: 1000, issuer: issuer.url }), origin);
    const named = (count: number): string =>
      ["items:read", ...Array.from({ length: count - 1 }, (_, n) => `area${n}:read`)].join(" ");
    // A thousand names do not fit into a token of 16 KiB; a wildcard covers them all.
    const lists = [
      { name: "1 scope in the token", scope: named(1) },
      { name: "100 scopes", scope: named(100) },
      { name: "500 scopes", scope: named(500) },
      { name: "1,000 by a wildcard", scope: "*" },
    ];
    const contestants = lists.map(({ name, scope }): Contestant => {
      const token = issuer.tokens("ES256", 1, scope);
      return { name, ...worker, tokens: () => token };
    });
    printGrowth(await measure(contestants, plan));
  });
}

/** 1 to 20,000 live tokens, used in turn. */
export function tokens(plan: Plan): Promise<void> {
  return around(async ({ issuer, origin }) => {
    const policy = policyText({ routes: 1000, scopes: 100, issuer: issuer.url });
    const contestants: Contestant[] = [];
    for (const count of [1, 100, 1000, 20_000]) {
      const list = issuer.tokens("ES256", count);
      const worker = await startScopegate(policy, origin);
      // The warm-up round sends the whole list. With more than 1,000 tokens, each later round sends a part of them once.
      const share = Math.ceil(count / plan.rounds);
      const slice = (round: number): readonly string[] => list.slice(round * share, (round + 1) * share);
      const tokens = (round: number): readonly string[] => (round < 0 || count <= 1000 ? list : slice(round));
      contestants.push({ name: `${count} live tokens`, ...worker, tokens, once: count > 1000 });
    }
    printGrowth(await measure(contestants, plan));
    for (const { name, pid } of contestants)
      console.log(`${name.padEnd(20)} ${(memory(pid) / 2 ** 20).toFixed(0)} MiB`);
  });
}

/** 1 to 1,000 connections at once, and a thousand event streams that stay open. */
export function connections(plan: Plan): Promise<void> {
  return around(async ({ issuer }) => {
    const origin = await startOrigin("full");
    const worker = await startScopegate(policyText({ routes: 1000, scopes: 100, issuer: issuer.url }), origin);
    const token = issuer.tokens("ES256", 1);
    const job = { port: worker.port, method: "GET", path: ITEM, headers: HEADERS, tokens: token, requests: 10_000_000 };
    const rows: string[][] = [];
    for (const count of [1, 10, 100, 1000]) {
      await load({ ...job, connections: count, seconds: 1 });
      const before = cpuSeconds(worker.pid);
      const result = await load({ ...job, connections: count, seconds: plan.seconds * plan.repeats });
      const cpu = ((cpuSeconds(worker.pid) - before) / result.requests) * 1e6;
      const [rate, p99] = [result.requests / result.seconds, result.p99Milliseconds];
      rows.push([`${count} connections`, rate.toFixed(0), cpu.toFixed(1), p99.toFixed(1)]);
    }
    console.log(table(["", "requests/s", "CPU µs/request", "p99 ms"], rows));
    await eventStreams(worker.port, worker.pid, token[0] ?? "");
  });
}

async function eventStreams(port: number, pid: number, token: string): Promise<void> {
  const count = 1000;
  const { Agent, request } = createRequire(import.meta.url)("node:http") as typeof import("node:http");
  const agent = new Agent({ maxSockets: count });
  const before = memory(pid);
  let opened = 0;
  let received = 0;
  const streams = Array.from({ length: count }, (_, n) => {
    const headers = { ...HEADERS, Authorization: `Bearer ${token}` };
    const outgoing = request({ host: "127.0.0.1", port, path: `/v1/events/${n}`, headers, agent }, (response) => {
      if (response.statusCode === 200) opened++;
      response.on("data", () => received++);
      response.on("error", () => undefined);
    });
    outgoing.on("error", () => undefined);
    outgoing.end();
    return outgoing;
  });
  await new Promise((resolve) => setTimeout(resolve, 8000));
  const cpu = cpuSeconds(pid);
  const events = received;
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const used = cpuSeconds(pid) - cpu;
  const grown = (memory(pid) - before) / count / 1024;
  console.log(
    `\n${opened} of ${count} event streams are open: ${(received - events) / 5} events/s arrive, ` +
      `${((used / 5) * 100).toFixed(1)} % of a core, ${grown.toFixed(0)} KiB each`,
  );
  for (const stream of streams) stream.destroy();
  agent.destroy();
}
