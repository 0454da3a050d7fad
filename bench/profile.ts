/** Where the time of a warm request goes, by workerd's own CPU profiler: the gateway not minified, so that names are told. */
import type { Plan } from "./compare.ts";
import { HEADERS, withRevocations } from "./compare.ts";
import { ITEM, policyText } from "./policy.ts";
import { load, startOrigin } from "./process.ts";
import { table } from "./statistics.ts";
import { startIssuer } from "./tokens.ts";
import { startScopegate } from "./worker.ts";

interface Profile {
  readonly nodes: {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: number[];
  }[];
  readonly samples: number[];
  readonly timeDeltas: number[];
}

const ROWS = 40;

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
  await load({ ...job, seconds: 2 });
  const inspector = await inspectorOf(gateway.inspectorPort);
  await inspector.call("Profiler.enable");
  await inspector.call("Profiler.setSamplingInterval", { interval: 100 });
  await inspector.call("Profiler.start");
  const { requests } = await load({ ...job, seconds: plan.seconds * plan.rounds });
  const { profile: recorded } = (await inspector.call("Profiler.stop")) as { profile: Profile };
  inspector.close();
  issuer.server.close();
  print(recorded, requests);
}

function print({ nodes, samples, timeDeltas }: Profile, requests: number): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const self = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const frame = byId.get(id)?.callFrame;
    const name = `${frame?.functionName || "(anonymous)"}:${frame?.lineNumber ?? 0}`;
    self.set(name, (self.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  }
  const rows = [...self]
    .sort((a, b) => b[1] - a[1])
    .slice(0, ROWS)
    .map(([name, microseconds]) => [name, (microseconds / requests).toFixed(2)]);
  console.log(table(["function", "µs a request"], rows));
}

async function inspectorOf(
  port: number,
): Promise<{ call: (method: string, params?: object) => Promise<unknown>; close: () => void }> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
    title: string;
  }[];
  const url =
    targets.find(({ title }) => title.includes("user"))?.webSocketDebuggerUrl ?? targets[0]?.webSocketDebuggerUrl ?? "";
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  const waiting = new Map<number, (result: unknown) => void>();
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  let last = 0;
  return {
    call: (method, params = {}) =>
      new Promise((resolve) => {
        const id = ++last;
        waiting.set(id, resolve);
        socket.send(JSON.stringify({ id, method, params }));
      }),
    close: () => socket.close(),
  };
}
