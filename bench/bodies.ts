/**
 * Bodies of 1 KiB to 100 MB, up and down: throughput compared with the fair limit, and memory. A second fair Worker is measured
 * too: its difference from the first shows the error of the figures.
 */
import { HEADERS, type Plan } from "./compare.ts";
import { policyText } from "./policy.ts";
import { cpuSeconds, memory, startOrigin } from "./process.ts";
import { pairedRatio, spreadOf, table } from "./statistics.ts";
import { startIssuer } from "./tokens.ts";
import { type RunningWorker, startBenchWorker, startScopegate } from "./worker.ts";

/** For each size: how many bodies are sent per turn, how many of them concurrently, and in which share of the rounds. */
const SIZES = [
  { size: 1024, count: 160, atOnce: 16, share: 1 },
  { size: 100 * 1024, count: 48, atOnce: 16, share: 1 },
  { size: 10_000_000, count: 2, atOnce: 2, share: 0.5 },
  { size: 100_000_000, count: 1, atOnce: 1, share: 0.2 },
];

interface Sums {
  readonly megabytesPerSecond: number[];
  readonly cpuSecondsPerGigabyte: number[];
}

export async function bodies(plan: Plan): Promise<void> {
  const issuer = await startIssuer();
  const origin = await startOrigin("full");
  const [token = ""] = issuer.tokens("ES256", 1);
  const fair = await startBenchWorker("fair", { ORIGIN_URL: origin });
  const gateway = await startScopegate(policyText({ routes: 1000, scopes: 100, issuer: issuer.url }), origin);
  const control = await startBenchWorker("fair", { ORIGIN_URL: origin });
  const workers = [fair, gateway, control];
  const rows: string[][] = [];
  for (const direction of ["down", "up"] as const) {
    for (const sizes of SIZES) {
      const { size, share } = sizes;
      process.stderr.write(`${direction} ${size.toLocaleString("en")} bytes …\n`);
      const sums = workers.map((): Sums => ({ megabytesPerSecond: [], cpuSecondsPerGigabyte: [] }));
      for (let round = -1; round < plan.rounds * share; round++) {
        const inOrder = [...workers.entries()];
        for (const [index, worker] of round % 2 === 0 ? inOrder : inOrder.reverse()) {
          const { megabytes, cpu } = await transfer(worker, direction, sizes, token);
          if (round < 0) continue;
          sums[index]?.megabytesPerSecond.push(megabytes);
          sums[index]?.cpuSecondsPerGigabyte.push(cpu);
        }
      }
      const [limit, own, again] = sums;
      if (limit === undefined || own === undefined || again === undefined) continue;
      const speed = ({ megabytesPerSecond }: Sums): string => spreadOf(megabytesPerSecond).median.toFixed(1);
      const ofLimit = (sum: Sums): string[] => [
        pairedRatio(sum.megabytesPerSecond, limit.megabytesPerSecond).toFixed(2),
        pairedRatio(limit.cpuSecondsPerGigabyte, sum.cpuSecondsPerGigabyte).toFixed(2),
      ];
      rows.push([
        `${direction} ${size.toLocaleString("en")} bytes`,
        speed(own),
        speed(limit),
        ...ofLimit(own),
        ...ofLimit(again),
        (memory(gateway.pid) / 2 ** 20).toFixed(0),
      ]);
    }
  }
  issuer.server.close();
  console.log(table(["", "MB/s", "fair MB/s", "of fair", "CPU of fair", "fair again", "its CPU", "memory MiB"], rows));
}

async function transfer(
  { port, pid }: RunningWorker,
  direction: "up" | "down",
  { size, count, atOnce }: (typeof SIZES)[number],
  token: string,
): Promise<{ megabytes: number; cpu: number }> {
  const headers = { ...HEADERS, Authorization: `Bearer ${token}`, "Accept-Encoding": "identity" };
  const init = direction === "up" ? { method: "PUT", headers, body: Buffer.alloc(size, "x") } : { headers };
  const send = async (): Promise<void> => {
    for (let sent = 0; sent < count; sent += atOnce) {
      const response = await fetch(`http://127.0.0.1:${port}/v1/files/${size}`, init);
      let received = 0;
      for await (const chunk of response.body ?? []) received += (chunk as Uint8Array).length;
      const whole = direction === "up" ? response.ok : received === size;
      if (!whole) throw new Error(`${direction} ${size}: ${response.status}, ${received} bytes`);
    }
  };
  const start = performance.now();
  const before = cpuSeconds(pid);
  await Promise.all(Array.from({ length: atOnce }, send));
  const bytes = count * size;
  const seconds = (performance.now() - start) / 1000;
  return { megabytes: bytes / 1e6 / seconds, cpu: (cpuSeconds(pid) - before) / (bytes / 1e9) };
}
