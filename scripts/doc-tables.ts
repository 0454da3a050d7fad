/**
 * The tables in the docs that are generated from code: the reasons for a refusal, the rules of `scopegate check`, the keys of
 * the policy. Each is between `<!-- generated:NAME -->` and `<!-- /generated -->`; the rest of a page is not touched.
 */
import { REASONS } from "../src/denial.ts";
import { INVALID, STALE_SILENCE } from "../src/policy/review/rule.ts";
import { RULES } from "../src/policy/review/rules.ts";
import { policyJsonSchema } from "./policy-json-schema.ts";

const TABLES = new Map<string, () => string>([
  ["reasons", reasonsTable],
  ["rules", rulesTable],
  ["policy-keys", policyKeysTable],
]);

/** A page with its tables regenerated. Throws if a region names an unknown table or has no end. */
export function withTables(page: string): string {
  const made = page.replace(
    /(<!-- generated:([a-z-]+) -->\n)([\s\S]*?)(<!-- \/generated -->)/g,
    (_, open: string, name: string, __: string, close: string) => {
      const table = TABLES.get(name);
      if (table === undefined) throw new Error(`there is no table "${name}"`);
      return `${open}\n${table()}\n\n${close}`;
    },
  );
  const opened = made.split("<!-- generated:").length;
  if (opened !== made.split("<!-- /generated -->").length) throw new Error("a generated region does not end");
  return made;
}

function reasonsTable(): string {
  const rows = Object.entries(REASONS).map(([reason, { status, title, remedy }]) => [
    `\`${reason}\``,
    String(status),
    title,
    remedy,
  ]);
  return table(["reason", "status", "meaning", "what to do"], rows);
}

function rulesTable(): string {
  const rules = [INVALID, ...RULES, STALE_SILENCE];
  const rows = rules.map(({ id, severity, title, why, mend }) => [id, severity, title, why, mend]);
  return table(["rule", "severity", "finds", "why it matters", "how to mend it"], rows);
}

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Record<string, Schema>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | false;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

function policyKeysTable(): string {
  const rows = keysOf(policyJsonSchema() as Schema, "");
  return table(["key", "type", "default", "meaning"], rows);
}

/** One row per key with a value, nested tables included; `NAME` stands for a name that the policy's author chooses. */
function keysOf(schema: Schema, prefix: string): string[][] {
  const rows: string[][] = [];
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const key = prefix === "" ? name : `${prefix}.${name}`;
    const entry = child.additionalProperties;
    const list = child.items?.properties === undefined ? undefined : child.items;
    if (child.properties !== undefined) rows.push(...keysOf(child, key));
    else if (list !== undefined) rows.push(...keysOf(list, `${key}[]`));
    else if (entry !== undefined && entry !== false && namesTable(entry) !== undefined) {
      if (entry.anyOf !== undefined) rows.push(row(`${key}.NAME`, entry, true));
      rows.push(...keysOf(namesTable(entry) ?? {}, `${key}.NAME`));
    } else rows.push(row(key, child, schema.required?.includes(name) === true));
  }
  return rows;
}

/** The form of a named entry that is a table, if it has one. */
function namesTable(entry: Schema): Schema | undefined {
  return entry.properties === undefined ? entry.anyOf?.find(({ properties }) => properties !== undefined) : entry;
}

function row(key: string, schema: Schema, required: boolean): string[] {
  const fallback =
    schema.default === undefined ? (required ? "required" : "") : `\`${JSON.stringify(schema.default)}\``;
  return [`\`${key}\``, typeOf(schema), fallback, schema.description ?? ""];
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(" or ");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") {
    const item = schema.items === undefined ? "values" : typeOf(schema.items);
    return item.includes(" or ") ? `list of (${item})` : `list of ${item}`;
  }
  return schema.type === "object" ? "table" : (schema.type ?? "");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.map((cell) => cell.replace(/[|*]/g, "\\$&")).join(" | ")} |`).join("\n");
}
