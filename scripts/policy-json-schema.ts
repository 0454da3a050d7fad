/**
 * The policy's schema as JSON Schema (draft 7, which Taplo reads). Says less than the gateway checks: names that must
 * exist, cycles and routes that meet are told by `scopegate check` alone.
 */
import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { policySchema } from "../src/policy/reading/schema.ts";

/** The schema for editors, with the keys' descriptions. */
export function policyJsonSchema(): object {
  // What stands in place is also set down as a definition that nothing names.
  const { $defs: _, ...schema } = toJsonSchema(policySchema, CONFIG);
  return schema;
}

const CONFIG: ConversionConfig = {
  target: "draft-07",
  typeMode: "input",
  // Checks that JSON Schema cannot say are the gateway's alone.
  errorMode: "ignore",
  ignoreActions: ["check", "raw_check"],
  // What the gateway chooses by the value stands here with all its options.
  overrideSchema: ({ valibotSchema }) => {
    if (valibotSchema.type !== "lazy") return null;
    const { getter } = valibotSchema as unknown as { getter: (value: unknown) => GenericSchema };
    const { $schema: _, ...options } = toJsonSchema(getter(undefined), CONFIG);
    return options;
  },
};
