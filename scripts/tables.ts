/** `npm run generate`: regenerates the tables in docs/*.md. A test fails if they are out of date. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { withTables } from "./doc-tables.ts";

for (const name of readdirSync("docs").filter((each) => each.endsWith(".md"))) {
  const file = `docs/${name}`;
  const before = readFileSync(file, "utf8");
  const after = withTables(before);
  if (after === before) continue;
  writeFileSync(file, after);
  console.log(`${file} is written`);
}
