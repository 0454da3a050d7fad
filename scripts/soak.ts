/**
 * `npm run soak`: a million mixed requests through the whole Worker in workerd, each answer checked against the oracle
 * (`test/support/soak.ts`). Exit code 0: no wrong answer, the origin received exactly the allowed requests, no token in a log,
 * and memory that does not grow; 1: not; 2: wrong usage.
 */
import { parseArgs } from "node:util";
import { type SoakResult, soak } from "../test/support/soak.ts";

const USAGE = `Usage: npm run soak -- [options]
  --count N   requests; absent: 1000000
  --seed N    absent: a fresh one, which is printed
  --width N   requests under way at once; absent: 32`;
/** Fewer requests tell nothing: even an empty Worker in Miniflare grows to 500 MB over its first fifty thousand. */
const LEAST_COUNT = 200_000;
/** Allowed growth of the median from the second quarter to the last: a stable heap varies that much. */
const MOST_GROWTH = 1.25;
const MOST_GROWTH_MEGABYTES = 32;

async function main(): Promise<number> {
  const options = parseOptions();
  if (options === null) {
    console.error(USAGE);
    return 2;
  }
  console.log(`${options.count} requests, seed ${options.seed}`);
  const result = await soak({ ...options, progress });
  if (process.stderr.isTTY) process.stderr.write("\n");
  return print(result);
}

function parseOptions(): { count: number; seed: number; width: number } | null {
  try {
    const { values } = parseArgs({
      options: {
        count: { type: "string", default: "1000000" },
        seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
        width: { type: "string", default: "32" },
      },
    });
    const [count = 0, seed = 0, width = 0] = [values.count, values.seed, values.width].map(Number);
    return [count, seed, width].every(Number.isInteger) && count > 0 && width > 0 ? { count, seed, width } : null;
  } catch {
    return null;
  }
}

function progress({ count, seconds, wrong, memory }: SoakResult): void {
  const megabytes = memory.at(-1)?.megabytes;
  const line = `${count} answered, ${wrong} wrong, ${Math.round(count / seconds)} a second, workerd ${megabytes ?? "?"} MB`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}   ` : `${line}\n`);
}

function print(result: SoakResult): number {
  const { count, outcomes, memory, latencies, slowest, wrong, leaks } = result;
  for (const [word, times] of [...outcomes].sort((a, b) => b[1] - a[1])) {
    console.log(`${String(times).padStart(9)}  ${word}`);
  }
  console.log(`${String(count).padStart(9)}  in all, ${Math.round(count / result.seconds)} a second`);
  console.log(`reached the origin: ${result.reachedOrigin}, allowed: ${outcomes.get("allowed") ?? 0}`);
  console.log(
    `revocations: ${result.revocations}, withdrawn: ${result.withdrawals}; answers while one was on its way: ${result.unsure}`,
  );
  console.log(`memory of workerd, MB: ${memory.map(({ megabytes }) => megabytes).join(" ") || "ps does not tell"}`);
  const at = (share: number): string => (latencies[Math.floor(share * (count - 1))] ?? 0).toFixed(1);
  console.log(`milliseconds: median ${at(0.5)}, 99 % ${at(0.99)}, 99.9 % ${at(0.999)}; the slowest:`);
  for (const { milliseconds, what } of slowest) console.log(`${milliseconds.toFixed(0).padStart(9)}  ${what}`);
  for (const answer of result.wrongAnswers) console.log(`WRONG: ${answer}`);
  console.log(`wrong answers: ${wrong}; log lines with a token: ${leaks}`);

  const growth = count < LEAST_COUNT ? null : grownBy(memory.map(({ megabytes }) => megabytes));
  console.log(`memory: ${growth?.text ?? `whether it is flat shows from ${LEAST_COUNT} requests on`}`);
  const isRight = wrong === 0 && leaks === 0 && result.reachedOrigin === (outcomes.get("allowed") ?? 0);
  return isRight && growth?.isFlat !== false ? 0 : 1;
}

/** Whether memory is flat; `null` with too few samples. Ignores the first quarter, in which the heap warms up. */
function grownBy(megabytes: readonly number[]): { readonly isFlat: boolean; readonly text: string } | null {
  if (megabytes.length < 8) return null;
  const median = (from: number, to: number): number => {
    const some = megabytes.slice(Math.floor(from * megabytes.length), Math.floor(to * megabytes.length));
    return some.sort((a, b) => a - b)[Math.floor(some.length / 2)] ?? 0;
  };
  const [early, late] = [median(0.25, 0.5), median(0.75, 1)];
  const isFlat = late <= Math.max(early * MOST_GROWTH, early + MOST_GROWTH_MEGABYTES);
  return { isFlat, text: `${early} MB in the second quarter, ${late} MB in the last: ${isFlat ? "flat" : "GROWS"}` };
}

process.exitCode = await main();
