import { expect, test } from "vitest";
import { soak } from "../support/soak.ts";

const COUNT = Number(process.env["SCOPEGATE_SOAK_COUNT"] ?? 2000);
/** Fails again as a failure said it did: `SCOPEGATE_SOAK_SEED=123`. */
const SEED = Number(process.env["SCOPEGATE_SOAK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

test(`answers ${COUNT} mixed requests as the oracle does, and forwards what it allows and no more (seed ${SEED})`, {
  timeout: 600_000,
}, async () => {
  const result = await soak({ count: COUNT, seed: SEED, width: 16 });
  expect(result.wrongAnswers).toEqual([]);
  expect(result.count).toBe(COUNT);
  expect(result.reachedOrigin).toBe(result.outcomes.get("allowed"));
  expect(result.leaks).toBe(0);
  // Every outcome comes up, and revocations with them.
  const outcomes = ["allowed", "ambiguous_path", "ambiguous_request", "route_not_found", "method_not_allowed"];
  const ofTokens = ["token_missing", "credentials_malformed", "token_invalid", "token_expired", "token_revoked"];
  const ofGrants = ["scope_insufficient", "resource_not_allowed", "condition_not_met"];
  for (const word of [...outcomes, ...ofTokens, ...ofGrants])
    expect([word, (result.outcomes.get(word) ?? 0) > 0]).toEqual([word, true]);
  expect(result.revocations).toBeGreaterThan(0);
});
