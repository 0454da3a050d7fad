/**
 * `npm run generate`: writes `scopegate.schema.json`, the JSON Schema of the policy for editors, from the schema that
 * validates the policy. A test fails if the file is out of date.
 */
import { writeFileSync } from "node:fs";
import { policyJsonSchema } from "./policy-json-schema.ts";

const FILE = "scopegate.schema.json";

writeFileSync(FILE, `${JSON.stringify(policyJsonSchema(), null, 2)}\n`);
console.log(`${FILE} is written`);
