/**
 * Where the time and the memory of a warm request go, from workerd's own profilers, per step of the request. The gateway is not
 * minified, so that functions keep their names and the bundle shows which file each line comes from; the runtime's work for a
 * function is counted as the function's.
 */
import type { Plan } from "./compare.ts";
import { HEADERS, withRevocations } from "./compare.ts";
import { connectInspector } from "./inspector.ts";
import { ITEM, policyText } from "./policy.ts";
import { load, startOrigin } from "./process.ts";
import { table } from "./statistics.ts";
import { startIssuer } from "./tokens.ts";
import { deployed, startScopegate } from "./worker.ts";

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: Frame; readonly children?: readonly number[] }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface HeapNode {
  readonly callFrame: Frame;
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

/** The steps: the first whose pattern matches a function's file owns the function. With the allowed share of the busy time. */
const STEPS: readonly [step: string, file: RegExp, mayTakePercent: number][] = [
  ["path", /^src\/request\/path/, 2],
  ["route", /^src\/policy\/routing\//, 4],
  ["credentials, the caller's address", /^src\/request\//, 1],
  ["token: recalled", /^src\/token\//, 1],
  ["revocation among 100,000", /^src\/revocation\//, 2],
  ["scopes, resource, conditions", /^src\/policy\//, 3],
  ["headers out", /^src\/origin\/headers/, 12],
  ["the request out, its timer, the answer", /^src\/origin\//, 45],
  ["use counted", /^src\/admin\/usage/, 1],
  ["the log's sample", /^src\/decision-log/, 1],
  ["pipeline", /^src\//, 14],
];
const RUNTIME = "the runtime itself, sockets included";
const COLLECTOR = "garbage collection";
const ROWS = 25;
/** The heap profiler samples one object per so many allocated bytes. */
const HEAP_INTERVAL = 2048;

export async function profile(plan: Plan): Promise<void> {
  const issuer = await startIssuer();
  const origin = await startOrigin();
  const policy = policyText({ routes: 1000, scopes: 100, issuer: issuer.url });
  const prepare = withRevocations(100_000, issuer.url);
  const gateway = await startScopegate(policy, origin, { prepare, inspect: true });
  const job = {
    port: gateway.port,
    method: "GET",
    path: ITEM,
    headers: HEADERS,
    tokens: issuer.tokens("ES256", 1),
    connections: 16,
    requests: 10_000_000,
  };
  const seconds = plan.seconds * plan.rounds;
  await load({ ...job, seconds: 2 });
  const inspector = await connectInspector(gateway.inspectorPort);
  await inspector.call("Profiler.enable");
  await inspector.call("Profiler.setSamplingInterval", { interval: 100 });
  await inspector.call("Profiler.start");
  const timed = await load({ ...job, seconds });
  const cpu = ((await inspector.call("Profiler.stop")) as { profile: CpuProfile }).profile;
  await inspector.call("HeapProfiler.startSampling", {
    samplingInterval: HEAP_INTERVAL,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  const weighed = await load({ ...job, seconds });
  const heap = ((await inspector.call("HeapProfiler.stopSampling")) as { profile: { head: HeapNode } }).profile;
  inspector.close();
  issuer.server.close();

  const stepOf = stepsOf(deployed().script);
  const microseconds = new Map<string, number>();
  const functions = new Map<string, number>();
  addTimes(cpu, stepOf, microseconds, functions);
  const bytes = new Map<string, number>();
  addBytes(heap.head, stepOf, RUNTIME, bytes);
  const busy = [...microseconds.values()].reduce((sum, each) => sum + each, 0);
  const steps = [
    ...STEPS.map(([step, , percent]) => [step, `${percent} %`] as const),
    [COLLECTOR, "5 %"] as const,
    [RUNTIME, ""] as const,
  ];
  console.log(
    table(
      ["step", "µs", "of busy time", "may take", "bytes allocated"],
      steps.map(([step, mayTake]) => [
        step,
        ((microseconds.get(step) ?? 0) / timed.requests).toFixed(1),
        `${(((microseconds.get(step) ?? 0) / busy) * 100).toFixed(1)} %`,
        mayTake,
        ((bytes.get(step) ?? 0) / weighed.requests).toFixed(0),
      ]),
    ),
  );
  console.log(
    `\n${(busy / timed.requests).toFixed(0)} µs a request, profiler included. The functions that take most:\n`,
  );
  const most = [...functions].sort((a, b) => b[1] - a[1]).slice(0, ROWS);
  console.log(
    table(
      ["function", "µs"],
      most.map(([name, time]) => [name, (time / timed.requests).toFixed(2)]),
    ),
  );
}

/** Finds the step of a function, by the comments that esbuild writes before each file's part of a bundle. */
function stepsOf(script: string): (frame: Frame) => string | null {
  const files: { readonly line: number; readonly file: string }[] = [];
  for (const [line, text] of script.split("\n").entries()) {
    if (/^\/\/ (?:src|node_modules)\//.test(text)) files.push({ line, file: text.slice(3) });
  }
  return ({ url, lineNumber }) => {
    if (url === "") return null;
    const file = files.findLast(({ line }) => line <= lineNumber)?.file ?? "";
    return STEPS.find(([, pattern]) => pattern.test(file))?.[0] ?? null;
  };
}

function addTimes(
  { nodes, samples, timeDeltas }: CpuProfile,
  stepOf: (frame: Frame) => string | null,
  steps: Map<string, number>,
  functions: Map<string, number>,
): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])));
  for (const [index, sample] of samples.entries()) {
    const time = timeDeltas[index] ?? 0;
    const name = byId.get(sample)?.callFrame.functionName ?? "";
    if (name === "(idle)") continue;
    let step: string | null = name === "(garbage collector)" ? COLLECTOR : null;
    for (let id: number | undefined = sample; id !== undefined && step === null; id = parents.get(id)) {
      const frame = byId.get(id)?.callFrame;
      if (frame !== undefined) step = stepOf(frame);
    }
    add(steps, step ?? RUNTIME, time);
    add(functions, name || "(anonymous)", time);
  }
}

function addBytes(
  { callFrame, selfSize, children }: HeapNode,
  stepOf: (frame: Frame) => string | null,
  caller: string,
  steps: Map<string, number>,
): void {
  const step = stepOf(callFrame) ?? caller;
  add(steps, step, selfSize);
  for (const child of children) addBytes(child, stepOf, step, steps);
}

function add(sums: Map<string, number>, name: string, value: number): void {
  sums.set(name, (sums.get(name) ?? 0) + value);
}
