/**
 * The product's own schema in a test's D1. Guarantees that it is `schema.sql` as it lies in the project, applied statement
 * by statement (`D1Database.exec` fails on comments and splits at every line).
 *
 * Leaves to the caller: nothing is emptied. The worker project isolates storage by test file, not by test.
 */
import schema from "../../schema.sql?raw";
import { statementsOf } from "./statements.ts";

/** Applies `schema.sql`; as often as one likes. */
export async function applySchema(db: D1Database): Promise<void> {
  await db.batch(statementsOf(schema).map((statement) => db.prepare(statement)));
}

/** Drops every table of the product and applies the schema anew: rows that triggers protect cannot be deleted. */
export async function recreateSchema(db: D1Database): Promise<void> {
  const tables = statementsOf(schema).flatMap(
    (statement) => /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1] ?? [],
  );
  await db.batch(tables.map((table) => db.prepare(`DROP TABLE IF EXISTS ${table}`)));
  await applySchema(db);
}
