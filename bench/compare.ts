/**
 * The comparison in the README: both limits, scopegate and two gateways made of well-known libraries, measured alternately in
 * one run. Each has a process of its own, so that its CPU time can be measured separately.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { EDGE_HEADERS } from "./edge.ts";
import { ITEM, policyText } from "./policy.ts";
import { cpuSeconds, load, nextMessage, start, startOrigin } from "./process.ts";
import { pairedRatio, type Spread, spreadOf, table } from "./statistics.ts";
import { AUDIENCE, type Issuer, startIssuer } from "./tokens.ts";
import { startBenchWorker, startScopegate } from "./worker.ts";

export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  /** How often measurements without rounds are repeated: a start, a load of the policy, a single step. */
  readonly repeats: number;
  readonly tokens: number;
}

export interface Contestant {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly path?: string;
  /** The tokens of a round; a negative round only warms up. */
  readonly tokens: (round: number) => readonly string[];
  /** Whether the round ends after each of its tokens was sent once. */
  readonly once?: boolean;
}

export interface Measured {
  readonly name: string;
  readonly requestsPerSecond: Spread;
  readonly cpuMicroseconds: Spread;
  /** Both by round, for ratios of values that were measured within seconds of each other. */
  readonly rateByRound: readonly number[];
  readonly cpuByRound: readonly number[];
  readonly p99Milliseconds: Spread;
}

export const HEADERS = {
  "User-Agent": "scopegate-bench/1",
  Accept: "application/json",
  "Accept-Encoding": "gzip, br",
  "Accept-Language": "en",
  "CF-Connecting-IP": "127.0.0.1",
  ...EDGE_HEADERS,
};
const CONNECTIONS = 16;
const BASELINE = "bench/baseline.json";
const TOLERANCE = 0.05;
const LIVE = "scopegate, many live tokens";

/**
 * Measures all contestants one after the other in each round, in alternating order, after a warm-up round that does not count.
 * Many short rounds instead of a few long ones: the compared values are then measured close together.
 */
export async function measure(contestants: readonly Contestant[], { rounds, seconds }: Plan): Promise<Measured[]> {
  const results = contestants.map(({ name }) => ({
    name,
    rate: [] as number[],
    cpu: [] as number[],
    p99: [] as number[],
  }));
  for (let round = -1; round < rounds; round++) {
    process.stderr.write(round < 0 ? "warming up …\n" : `round ${round + 1} of ${rounds} …\n`);
    const inOrder = [...contestants.entries()];
    for (const [index, { port, pid, path, tokens, once }] of round % 2 === 0 ? inOrder : inOrder.reverse()) {
      const list = tokens(round);
      const before = cpuSeconds(pid);
      const result = await load({
        port,
        method: "GET",
        path: path ?? ITEM,
        headers: HEADERS,
        tokens: list,
        connections: CONNECTIONS,
        requests: once ? list.length : 10_000_000,
        seconds: once ? 60 : round < 0 ? 2 : seconds,
      });
      if (round < 0) continue;
      results[index]?.rate.push(result.requests / result.seconds);
      results[index]?.cpu.push(((cpuSeconds(pid) - before) / result.requests) * 1e6);
      results[index]?.p99.push(result.p99Milliseconds);
    }
  }
  return results.map(({ name, rate, cpu, p99 }) => ({
    name,
    requestsPerSecond: spreadOf(rate),
    cpuMicroseconds: spreadOf(cpu),
    rateByRound: rate,
    cpuByRound: cpu,
    p99Milliseconds: spreadOf(p99),
  }));
}

/** How close a contestant comes to the limit: the limit's CPU per request divided by the contestant's. */
function ratio(limit: Measured | undefined, measured: Measured | undefined): number {
  return pairedRatio(limit?.cpuByRound ?? [], measured?.cpuByRound ?? []);
}

/** The whole comparison. Resolves with `false` only if `mode` is `check` and a ratio is below the baseline. */
export async function compare(plan: Plan, mode: "print" | "check" | "keep"): Promise<boolean> {
  const issuer = await startIssuer();
  const origin = await startOrigin();
  const measured = await measure(await contestantsOf(plan, issuer, origin), plan);
  issuer.server.close();

  const by = (name: string): Measured | undefined => measured.find((each) => each.name === name);
  const [bare, fair] = [by("bare forwarder"), by("fair forwarder")];
  const rows = measured.map((each) => [
    each.name,
    each.requestsPerSecond.median.toFixed(0),
    `${each.requestsPerSecond.least.toFixed(0)}–${each.requestsPerSecond.most.toFixed(0)}`,
    each.cpuMicroseconds.median.toFixed(1),
    `${each.cpuMicroseconds.least.toFixed(1)}–${each.cpuMicroseconds.most.toFixed(1)}`,
    ratio(bare, each).toFixed(2),
    ratio(fair, each).toFixed(2),
  ]);
  const head = ["", "requests/s", "spread", "CPU µs/request", "spread", "of bare", "of fair"];
  console.log(table(head, rows));
  console.log("\nof bare, of fair: that limit's CPU per request over this one's; 1.00 is as fast as not being there.");

  const ratios = {
    "warm of fair": ratio(fair, by("scopegate, warm token")),
    "warm of bare": ratio(bare, by("scopegate, warm token")),
    "live of fair": ratio(fair, by(LIVE)),
    "new ES256 of jose and fair": ratio(by("fair forwarder and jose, ES256"), by("scopegate, new ES256 tokens")),
    "new RS256 of jose and fair": ratio(by("fair forwarder and jose, RS256"), by("scopegate, new RS256 tokens")),
  };
  console.log("");
  for (const [name, value] of Object.entries(ratios)) console.log(`${name.padEnd(28)} ${value.toFixed(3)}`);
  if (mode === "keep") writeFileSync(BASELINE, `${JSON.stringify(rounded(ratios), null, 2)}\n`);
  return mode !== "check" || holds(ratios);
}

function holds(ratios: Record<string, number>): boolean {
  if (!existsSync(BASELINE)) {
    console.error(`there is no ${BASELINE}; --keep writes it`);
    return false;
  }
  const baseline = JSON.parse(readFileSync(BASELINE, "utf8")) as Record<string, number>;
  let held = true;
  for (const [name, kept] of Object.entries(baseline)) {
    const now = ratios[name] ?? 0;
    if (now >= kept * (1 - TOLERANCE)) continue;
    held = false;
    console.error(`${name}: ${now.toFixed(3)} is more than 5 % below ${kept.toFixed(3)} in ${BASELINE}`);
  }
  if (held) console.log(`\nNo ratio is more than 5 % below ${BASELINE}.`);
  return held;
}

function rounded(ratios: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(ratios).map(([name, value]) => [name, Number(value.toFixed(3))]));
}

async function contestantsOf(plan: Plan, issuer: Issuer, origin: string): Promise<Contestant[]> {
  process.stderr.write(`making ${2 * plan.tokens} tokens …\n`);
  const warm = issuer.tokens("ES256", 1);
  // Hono's middleware accepts no other `typ`.
  const plain = issuer.tokens("ES256", 1, "items:read", "JWT");
  const live = issuer.tokens("ES256", plan.tokens);
  const share = Math.ceil(plan.tokens / plan.rounds);
  const sliceOf = (tokens: readonly string[]) => (round: number) =>
    tokens.slice((round + 1) * share, (round + 2) * share);
  const es256 = issuer.tokens("ES256", share * (plan.rounds + 1));
  const rs256 = issuer.tokens("RS256", share * (plan.rounds + 1));

  process.stderr.write("starting workerd …\n");
  const jwks = { JWKS: issuer.jwks, ISSUER: issuer.url, AUDIENCE };
  const policy = policyText({ routes: 1000, scopes: 100, issuer: issuer.url });
  const prepare = { prepare: withRevocations(100_000, issuer.url) };
  const bare = await startBenchWorker("bare", { ORIGIN_URL: origin });
  const fair = await startBenchWorker("fair", { ORIGIN_URL: origin });
  const verify = await startBenchWorker("verify", { ORIGIN_URL: origin, ...jwks });
  const gateway = await startScopegate(policy, origin, prepare);
  const crowded = await startScopegate(policy, origin, prepare);
  const hono = await startBenchWorker("hono", { ORIGIN_URL: origin, ...jwks }, { kvNamespaces: ["REVOKED"] });
  const fastify = start("./fastify.ts");
  fastify.send({ originUrl: origin, publicKey: issuer.publicKey, issuer: issuer.url, audience: AUDIENCE });
  const { port } = await nextMessage<{ port: number }>(fastify);
  return [
    { name: "bare forwarder", ...bare, tokens: () => warm },
    { name: "fair forwarder", ...fair, tokens: () => warm },
    { name: "scopegate, warm token", ...gateway, tokens: () => warm },
    // The warm-up round sends each token once.
    { name: LIVE, ...crowded, tokens: (round) => (round < 0 ? live : sliceOf(live)(round - 1)), once: true },
    { name: "scopegate, new ES256 tokens", ...gateway, tokens: sliceOf(es256), once: true },
    { name: "fair forwarder and jose, ES256", ...verify, tokens: sliceOf(es256), once: true },
    { name: "scopegate, new RS256 tokens", ...gateway, tokens: sliceOf(rs256), once: true },
    { name: "fair forwarder and jose, RS256", ...verify, tokens: sliceOf(rs256), once: true },
    { name: "Hono: jwk, KV, proxy", ...hono, tokens: () => plain },
    { name: "Fastify: http-proxy, fast-jwt", port, pid: fastify.pid ?? 0, tokens: () => warm },
  ];
}

/** Fills D1 with revocations of tokens that do not exist, and has the scheduled handler pack them into KV. */
export function withRevocations(count: number, issuer: string) {
  return async (miniflare: import("miniflare").Miniflare): Promise<void> => {
    if (count === 0) return;
    const db = await miniflare.getD1Database("DB");
    const statement = `WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
      INSERT INTO revocations (kind, issuer, value, effective_at, expires_at, reason, created_at, created_by)
      SELECT 'token', ?3, 'revoked-' || i, unixepoch(), unixepoch() + 864000, 'bench', unixepoch(), 'bench' FROM n`;
    const worker = await miniflare.getWorker();
    const step = 100_000;
    for (let from = 1; from <= count; from += step) {
      const to = Math.min(from + step - 1, count);
      await db.prepare(statement).bind(from, to, issuer).run();
      await worker.scheduled({ cron: "*/5 * * * *" });
    }
    const packed = await db
      .prepare("SELECT max(sequence) AS sequence FROM snapshots")
      .first<{ sequence: number | null }>();
    if (packed?.sequence !== count) throw new Error(`${count} revocations were not packed`);
  };
}
