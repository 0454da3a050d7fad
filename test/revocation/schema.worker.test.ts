import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { applySchema } from "../support/database.ts";

beforeAll(() => applySchema(env.DB));

test("the schema applies to an existing database and leaves what is in it", async () => {
  const before = await env.DB.prepare("SELECT history FROM revocation_history").first("history");
  await applySchema(env.DB);
  expect(await env.DB.prepare("SELECT history FROM revocation_history").first("history")).toBe(before);
  expect(before).toMatch(/^[0-9a-f]{32}$/);
});
