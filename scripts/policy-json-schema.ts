/**
 * The policy's schema as JSON Schema (draft 7, which Taplo reads). It checks less than the gateway: only `scopegate check`
 * finds undefined names, cycles and overlapping routes.
 */
import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { policySchema } from "../src/policy/reading/schema.ts";

/** The schema for editors, with the keys' descriptions. */
export function policyJsonSchema(): object {
  // The converter also emits inlined schemas as definitions that nothing references.
  const { $defs: _, ...schema } = toJsonSchema(policySchema, CONFIG);
  return schema;
}

const CONFIG: ConversionConfig = {
  target: "draft-07",
  typeMode: "input",
  // Only the gateway makes the checks that JSON Schema cannot express.
  errorMode: "ignore",
  ignoreActions: ["check", "raw_check"],
  // Where the gateway chooses a schema by the value, emit all alternatives.
  overrideSchema: ({ valibotSchema }) => {
    if (valibotSchema.type !== "lazy") return null;
    const { getter } = valibotSchema as unknown as { getter: (value: unknown) => GenericSchema };
    const { $schema: _, ...options } = toJsonSchema(getter(undefined), CONFIG);
    return options;
  },
};
