/**
 * The policy's schema as JSON Schema (draft 7, which Taplo reads). Says less than the gateway checks: names that must
 * exist, cycles and routes that meet are told by `scopegate check` alone.
 */
import { toJsonSchema } from "@valibot/to-json-schema";
import { policySchema } from "../src/policy/schema.ts";

/** The schema for editors, with the keys' descriptions. */
export function policyJsonSchema(): object {
  return toJsonSchema(policySchema, {
    target: "draft-07",
    typeMode: "input",
    // Checks that JSON Schema cannot say are the gateway's alone.
    errorMode: "ignore",
    ignoreActions: ["check", "raw_check"],
  });
}
