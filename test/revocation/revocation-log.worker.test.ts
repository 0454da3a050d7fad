import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { addRevocations, type NewRevocation } from "../../src/revocation/records.ts";
import { endOf, readLog } from "../../src/revocation/revocation-log.ts";
import { recreateSchema } from "../support/database.ts";

beforeEach(async () => {
  await recreateSchema(env.DB);
  const entries = ["a", "b", "c"].map(
    (value): NewRevocation => ({
      kind: "token",
      issuer: "https://i",
      value,
      issuedBefore: null,
      expiresAt: null,
      reason: "test",
    }),
  );
  await env.DB.batch(addRevocations(env.DB, entries, { createdBy: "test", nowSeconds: 1_000 }));
});

describe("the log", () => {
  test("comes in pages, of which only the last says that it is complete", async () => {
    const [first, second] = [await readLog(env.DB, 0, 2), await readLog(env.DB, 2, 2)];
    expect([first, second].map(({ rows, complete }) => [rows.map(({ value }) => value), complete])).toEqual([
      [["a", "b"], false],
      [["c"], true],
    ]);
    expect(second.from).toEqual(endOf(first));
    expect(endOf(second)).toMatchObject({ sequence: 3, createdAt: 1_000 });
  });

  test.each(["DELETE FROM revocation_history", "DROP TABLE revocation_history", "DROP TABLE revocations"])(
    "cannot be read after %s",
    async (damage) => {
      await env.DB.prepare(damage).run();
      await expect(readLog(env.DB, 0)).rejects.toThrow();
    },
  );
});
