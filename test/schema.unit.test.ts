import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { statementsOf } from "./support/statements.ts";

const schema = readFileSync("schema.sql", "utf8");

test("applies to an empty and to an existing database, as SQLite itself reads it", () => {
  const db = new DatabaseSync(":memory:");
  db.exec(schema);
  const before = db.prepare("SELECT sql FROM sqlite_master ORDER BY name").all();
  db.exec(schema);
  expect(db.prepare("SELECT sql FROM sqlite_master ORDER BY name").all()).toEqual(before);
  db.close();
});

test("applies where it is cut at each line that ends with a semicolon, with its comments in place", () => {
  const pieces = schema
    .split(/;\s*\n/)
    .map((piece) => piece.trim())
    .filter((piece) => piece !== "");
  expect(pieces).toHaveLength(statementsOf(schema).length);
  const db = new DatabaseSync(":memory:");
  for (const piece of [...pieces, ...pieces]) db.prepare(piece).run();
  db.close();
  // Tools that know no more of SQL than the semicolon must not find one in a comment.
  expect(schema.split("\n").filter((line) => line.startsWith("--") && line.includes(";"))).toEqual([]);
});
