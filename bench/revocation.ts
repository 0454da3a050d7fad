/**
 * The measurements that issue 5 requires: throughput, memory and the first request with 0, 10,000 and 1,000,000 revocations,
 * the time from a revocation's 201 to the first refusal, and a bulk load through the API.
 */
import { randomUUID } from "node:crypto";
import { issueToken } from "../src/token/issue.ts";
import { generateSigningKeys, loadSigningKeys } from "../src/token/signing-keys.ts";
import { type Contestant, HEADERS, measure, type Plan, withRevocations } from "./compare.ts";
import { ITEM, policyText } from "./policy.ts";
import { memory, startOrigin } from "./process.ts";
import { pairedRatio, percent, spreadOf, table } from "./statistics.ts";
import { AUDIENCE, type Issuer, startIssuer } from "./tokens.ts";
import { type RunningWorker, startScopegate, stopWorker } from "./worker.ts";

const SIZES = [0, 10_000, 1_000_000];
const TRIALS = 200;
const BULK = 100_000;
const BULK_A_CALL = 5000;

export async function revocation(plan: Plan): Promise<void> {
  const issuer = await startIssuer();
  const origin = await startOrigin();
  try {
    await sizes(plan, issuer, origin);
    await trials(issuer, origin);
  } finally {
    issuer.server.close();
  }
}

async function sizes(plan: Plan, issuer: Issuer, origin: string): Promise<void> {
  const policy = policyText({ routes: 1000, scopes: 100, issuer: issuer.url });
  const [token = ""] = issuer.tokens("ES256", 1);
  const contestants: (Contestant & { readonly first: number })[] = [];
  const first: number[] = [];
  for (const size of SIZES) {
    process.stderr.write(`preparing ${size} revocations …\n`);
    const worker = await startScopegate(policy, origin, { prepare: withRevocations(size, issuer.url) });
    await call(worker, "GET", "/nowhere", "");
    const start = performance.now();
    const status = await call(worker, "GET", ITEM, token);
    first.push(performance.now() - start);
    if (status !== 200) throw new Error(`the first request with ${size} revocations was answered ${status}`);
    const name = `${size.toLocaleString("en")} revocations`;
    contestants.push({ name, port: worker.port, pid: worker.pid, tokens: () => [token], first: first.at(-1) ?? 0 });
  }
  const memories = contestants.map(({ pid }) => memory(pid));
  const measured = await measure(contestants, plan);
  const [none] = measured;
  const rows = measured.map(({ name, requestsPerSecond, cpuMicroseconds, rateByRound, cpuByRound }, index) => [
    name,
    requestsPerSecond.median.toFixed(0),
    percent(pairedRatio(rateByRound, none?.rateByRound ?? [])),
    cpuMicroseconds.median.toFixed(1),
    percent(pairedRatio(cpuByRound, none?.cpuByRound ?? [])),
    (first[index] ?? 0).toFixed(0),
    (((memories[index] ?? 0) - (memories[0] ?? 0)) / 2 ** 20).toFixed(1),
  ]);
  const head = ["", "requests/s", "of none", "CPU µs/request", "of none", "first request ms", "more memory MiB"];
  console.log(table(head, rows));
  console.log("\nMemory is the process's, D1's and KV's simulators included, right after the first request.");
}

async function trials(issuer: Issuer, origin: string): Promise<void> {
  const signingKeys = await generateSigningKeys();
  const policy = policyText({ routes: 10, scopes: 2, issuer: issuer.url, refresh: "1s" });
  const worker = await startScopegate(policy, origin, { signingKeys });
  const { signer } = await loadSigningKeys(signingKeys);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const admin = await issueToken(signer, {
    issuer: "http://127.0.0.1:8787",
    audience: AUDIENCE,
    subject: "bench",
    clientId: "bench",
    tokenId: randomUUID(),
    issuedAtSeconds: nowSeconds,
    expiresAtSeconds: nowSeconds + 3600,
    scopes: ["scopegate:admin"],
    allowList: null,
    conditions: [],
    ancestors: [],
  });

  const times: number[] = [];
  for (const token of issuer.tokens("ES256", TRIALS)) {
    if ((await call(worker, "GET", ITEM, token)) !== 200) throw new Error("a token that is not revoked was refused");
    const entry = { kind: "token", issuer: issuer.url, value: token, reason: "bench" };
    const status = await call(worker, "POST", "/_scopegate/revocations", admin, entry);
    if (status !== 201) throw new Error(`a revocation was answered ${status}`);
    const start = performance.now();
    while ((await call(worker, "GET", ITEM, token)) !== 401) {
      if (performance.now() - start > 10_000) throw new Error("a revoked token still works after ten seconds");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    times.push(performance.now() - start);
  }
  const { median, least, most } = spreadOf(times);
  console.log(
    `\nfrom the 201 to the first refusal, ${TRIALS} trials at refresh = 1s: ` +
      `median ${median.toFixed(0)} ms, ${least.toFixed(0)} to ${most.toFixed(0)} ms (at most 2000)`,
  );

  const start = performance.now();
  for (let from = 0; from < BULK; from += BULK_A_CALL) {
    const entries = Array.from({ length: BULK_A_CALL }, (_, n) => ({
      kind: "token",
      issuer: issuer.url,
      value: `bulk-${from + n}`,
      reason: "bench",
    }));
    const status = await call(worker, "POST", "/_scopegate/revocations", admin, entries);
    if (status !== 201) throw new Error(`a bulk load of ${BULK_A_CALL} was answered ${status}`);
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${BULK.toLocaleString("en")} revocations through the API: ${seconds.toFixed(1)} s, ${BULK_A_CALL} a call`,
  );
  await stopWorker(worker);
}

async function call(
  { port }: RunningWorker,
  method: string,
  path: string,
  token: string,
  body?: unknown,
): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: {
      ...HEADERS,
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}
