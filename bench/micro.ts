/** The cost of each step of a request by itself, in Node, for the budget in docs/performance.md. */
import { type Asked, decide } from "../src/policy/decision.ts";
import { loadPolicy } from "../src/policy/load.ts";
import { holderOfScopes } from "../src/policy/review/hypothetical.ts";
import { credentials } from "../src/request/credentials.ts";
import { canonicalPath } from "../src/request/path.ts";
import { fingerprint } from "../src/revocation/fingerprint.ts";
import { parseJws } from "../src/token/jws.ts";
import type { Plan } from "./compare.ts";
import { ITEM, policyText } from "./policy.ts";
import { spreadOf, table } from "./statistics.ts";
import { startIssuer } from "./tokens.ts";

export async function micro(plan: Plan): Promise<void> {
  const issuer = await startIssuer();
  issuer.server.close();
  const text = policyText({ routes: 1000, scopes: 100, issuer: issuer.url });
  const loaded = loadPolicy(text);
  if (!loaded.ok) throw new Error("the policy does not load");
  const { policy } = loaded;
  const nowSeconds = Math.floor(Date.now() / 1000);
  const [token = ""] = issuer.tokens("ES256", 1);
  const authorization = `Bearer ${token}`;
  const found = policy.router.find("GET", ITEM);
  const caller = holderOfScopes(policy, { scopes: ["items:read"], nowSeconds });
  if (found.kind !== "found" || caller.kind !== "holder") throw new Error("the route is not there");
  const asked: Asked = {
    values: found.values,
    query: "",
    header: () => null,
    address: "127.0.0.1",
    country: () => null,
    nowSeconds,
  };

  const url = `http://127.0.0.1:8787${ITEM}?limit=10`;
  const steps: [name: string, step: () => unknown][] = [
    ["path: plain", () => canonicalPath(url, "127.0.0.1:8787")],
    ["path: with escapes", () => canonicalPath(`${url.slice(0, -9)}%61%2C`, "127.0.0.1:8787")],
    ["route among 1,000", () => policy.router.find("GET", ITEM)],
    ["route not found", () => policy.router.find("GET", "/v1/area7/nothing/here")],
    ["credentials", () => credentials(authorization)],
    ["decision: scope, resource, condition", () => decide(found.route, caller.holder, asked)],
    ["token: read, without its signature", () => parseJws(token)],
    ["revocation: fingerprint of a new token", () => fingerprint(issuer.url, "00000000-0000-0000-0000-000000000000")],
    ["policy of 1,000 routes: load", () => loadPolicy(text)],
  ];
  const rows = steps.map(([name, step]) => {
    const { median, least, most } = spreadOf(Array.from({ length: plan.repeats }, () => microseconds(step)));
    return [name, median.toFixed(3), `${least.toFixed(3)}–${most.toFixed(3)}`];
  });
  console.log(table(["", "µs", "spread"], rows));
}

/** The microseconds that a step takes: measured for a fifth of a second, after a tenth of a second to warm up. */
function microseconds(step: () => unknown): number {
  let kept: unknown;
  const run = (milliseconds: number): number => {
    const start = performance.now();
    let count = 0;
    for (let batch = 1; performance.now() - start < milliseconds; batch = Math.min(batch * 2, 1000)) {
      for (let times = 0; times < batch; times++) kept = step();
      count += batch;
    }
    return ((performance.now() - start) * 1000) / count;
  };
  run(100);
  const result = run(200);
  if (kept === undefined) throw new Error("a step answered nothing");
  return result;
}
