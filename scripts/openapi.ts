/**
 * `npm run generate`: writes `src/admin/openapi.json`, the OpenAPI document of the admin API, from the schemas that validate
 * its calls. A test fails if the file is out of date.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { openApiDocument } from "./openapi-document.ts";

const FILE = "src/admin/openapi.json";

writeFileSync(FILE, `${JSON.stringify(openApiDocument(), null, 2)}\n`);
execFileSync("node_modules/.bin/biome", ["format", "--write", FILE]);
console.log(`${FILE} is written`);
