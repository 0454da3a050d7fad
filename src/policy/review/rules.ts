/**
 * The numbered rules of `scopegate check`: what each looks for, why it matters and how to fix it. The table in
 * docs/checks.md is generated from this list. A number, once given, keeps its meaning.
 */
import type { Rule } from "./rule.ts";
import { RULES_OF_ROUTES } from "./rules-of-routes.ts";
import { RULES_OF_THE_REST } from "./rules-of-the-rest.ts";

/** In the order of their numbers. */
export const RULES: readonly Rule[] = [...RULES_OF_ROUTES, ...RULES_OF_THE_REST].sort((a, b) => (a.id < b.id ? -1 : 1));
