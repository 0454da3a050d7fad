/** Bodies of 1 KiB to 100 MB, up and down: throughput against the fair limit, and memory. */
import { HEADERS, type Plan } from "./compare.ts";
import { policyText } from "./policy.ts";
import { cpuSeconds, memory, startOrigin } from "./process.ts";
import { pairedRatio, spreadOf, table } from "./statistics.ts";
import { startIssuer } from "./tokens.ts";
import { type RunningWorker, startBenchWorker, startScopegate } from "./worker.ts";

const SIZES = [1024, 100 * 1024, 10_000_000, 100_000_000];
const BYTES_A_ROUND = 100_000_000;

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
  const rows: string[][] = [];
  for (const direction of ["down", "up"] as const) {
    for (const size of SIZES) {
      const sums = [fair, gateway].map((): Sums => ({ megabytesPerSecond: [], cpuSecondsPerGigabyte: [] }));
      for (let round = -1; round < plan.repeats; round++) {
        const inOrder = [...[fair, gateway].entries()];
        for (const [index, worker] of round % 2 === 0 ? inOrder : inOrder.reverse()) {
          const { megabytes, cpu } = await transfer(worker, direction, size, token);
          if (round < 0) continue;
          sums[index]?.megabytesPerSecond.push(megabytes);
          sums[index]?.cpuSecondsPerGigabyte.push(cpu);
        }
      }
      const [limit, own] = sums;
      if (limit === undefined || own === undefined) continue;
      const mebibytes = (memory(gateway.pid) / 2 ** 20).toFixed(0);
      const ratios = [
        pairedRatio(own.megabytesPerSecond, limit.megabytesPerSecond),
        pairedRatio(limit.cpuSecondsPerGigabyte, own.cpuSecondsPerGigabyte),
      ];
      rows.push([
        `${direction} ${size.toLocaleString("en")} bytes`,
        ...[own, limit].map(({ megabytesPerSecond }) => spreadOf(megabytesPerSecond).median.toFixed(0)),
        ...ratios.map((each) => each.toFixed(2)),
        mebibytes,
      ]);
    }
  }
  issuer.server.close();
  console.log(table(["", "MB/s", "fair MB/s", "of fair", "CPU of fair", "memory MiB"], rows));
}

async function transfer(
  { port, pid }: RunningWorker,
  direction: "up" | "down",
  size: number,
  token: string,
): Promise<{ megabytes: number; cpu: number }> {
  const count = Math.max(1, Math.min(400, Math.floor(BYTES_A_ROUND / size)));
  const headers = { ...HEADERS, Authorization: `Bearer ${token}`, "Accept-Encoding": "identity" };
  const body = Buffer.alloc(direction === "up" ? size : 0, "x");
  const start = performance.now();
  const before = cpuSeconds(pid);
  for (let sent = 0; sent < count; sent++) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/files/${size}`, {
      method: direction === "up" ? "PUT" : "GET",
      headers,
      ...(direction === "up" ? { body } : {}),
    });
    let received = 0;
    for await (const chunk of response.body ?? []) received += (chunk as Uint8Array).length;
    const whole = direction === "up" ? response.ok : received === size;
    if (!whole) throw new Error(`${direction} ${size}: ${response.status}, ${received} bytes`);
  }
  const bytes = count * size;
  const seconds = (performance.now() - start) / 1000;
  return { megabytes: bytes / 1e6 / seconds, cpu: (cpuSeconds(pid) - before) / (bytes / 1e9) };
}
