/**
 * `npm run generate`: writes `scopegate.schema.json`, the JSON Schema of the policy for editors, from the very schema that
 * validates it. A test keeps the file current.
 */
import { writeFileSync } from "node:fs";
import { policyJsonSchema } from "./policy-json-schema.ts";

const FILE = "scopegate.schema.json";

writeFileSync(FILE, `${JSON.stringify(policyJsonSchema(), null, 2)}\n`);
console.log(`${FILE} is written`);
