/**
 * The mutants of a file: small changes that a test should notice, located in its text by the parser.
 *
 * Each comparison is moved by one (`<` to `<=`) and negated, each `&&` and `||` exchanged, each `!` removed, each condition of
 * an `if` or a ternary set to true and to false (which removes an early return, or always takes it), that of a `while` to false,
 * each returned boolean literal negated, and numbers changed by one: constants at the top of a file, and operands of `===`,
 * `!==`, `+` and `-`. Operands of `<` and the like are left out: a number changed by one there equals `<=`.
 *
 * Leaves out changes that the type checker refuses, and strings, regular expressions and SQL.
 */
import { parseAst } from "vitest/node";

export interface Mutant {
  /** From the project's root. */
  readonly file: string;
  readonly line: number;
  /** Offsets of the replaced text. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** The change in readable form: `a < b → a <= b`. */
  readonly change: string;
  /** The text of its line, trimmed. With `change` and `nth` it names the mutant, even when code moves. */
  readonly code: string;
  /** From 0: its index among the mutants with the same file, line text and change. */
  readonly nth: number;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const COMPARISONS: Readonly<Record<string, readonly string[]>> = {
  "===": ["!=="],
  "!==": ["==="],
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
};
const CONNECTIVES: Readonly<Record<string, string>> = { "&&": "||", "||": "&&" };
const MOST_CHARACTERS_TOLD = 70;

/** The mutants of one file, in the order of its text. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const found: Omit<Mutant, "nth">[] = [];
  const of = (node: Node): string => text.slice(node.start, node.end);
  /** The text before and after the operator, with parentheses, which the syntax tree does not contain. */
  const sides = (node: Node, left: Node, operator: string): [string, string] => {
    const at = text.indexOf(operator, left.end);
    return [text.slice(node.start, at), text.slice(at + operator.length, node.end)];
  };
  const add = (node: Node, replacement: string): void => {
    const lineStart = text.lastIndexOf("\n", node.start) + 1;
    const lineEnd = text.indexOf("\n", node.start);
    found.push({
      file,
      line: text.slice(0, node.start).split("\n").length,
      start: node.start,
      end: node.end,
      replacement,
      change: `${told(of(node))} → ${told(replacement)}`,
      code: text.slice(lineStart, lineEnd < 0 ? text.length : lineEnd).trim(),
    });
  };

  const visit = (node: Node, parent: Node | null, depth: number): void => {
    switch (node.type) {
      case "BinaryExpression": {
        const { left, right, operator } = node as unknown as { left: Node; right: Node; operator: string };
        const [before, after] = sides(node, left, operator);
        for (const other of COMPARISONS[operator] ?? []) add(node, before + other + after);
        if (["===", "!==", "+", "-"].includes(operator)) {
          for (const side of [left, right]) if (isNumber(side)) add(side, String(Number(side["value"]) + 1));
        }
        break;
      }
      case "LogicalExpression": {
        const { left, operator } = node as unknown as { left: Node; operator: string };
        const [before, after] = sides(node, left, operator);
        const other = CONNECTIVES[operator];
        if (other !== undefined) add(node, `((${before}) ${other} (${after}))`);
        break;
      }
      case "UnaryExpression":
        if (node["operator"] === "!") add(node, `(${of(node).slice(1)})`);
        break;
      case "IfStatement":
      case "ConditionalExpression":
        add(node["test"] as Node, "true");
        add(node["test"] as Node, "false");
        break;
      case "WhileStatement":
        add(node["test"] as Node, "false");
        break;
      case "ReturnStatement":
      case "ArrowFunctionExpression": {
        const value = (node["argument"] ?? node["body"]) as Node | null;
        if (value?.type === "Literal" && typeof value["value"] === "boolean") add(value, String(!value["value"]));
        break;
      }
      case "VariableDeclarator": {
        const value = node["init"] as Node | null;
        if (value !== null && isNumber(value) && depth <= 3 && isConstant(parent)) {
          add(value, String(Number(value["value"]) + 1));
          add(value, String(Number(value["value"]) - 1));
        }
        break;
      }
    }
    for (const [key, value] of Object.entries(node)) {
      if (key === "typeAnnotation" || key === "typeParameters" || key === "typeArguments") continue;
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, node, depth + 1);
    }
  };
  visit(parseAst(text, { lang: "ts" }) as unknown as Node, null, 0);

  const seen = new Map<string, number>();
  return found
    .sort((a, b) => a.start - b.start || a.end - b.end)
    .map((mutant) => {
      const nth = seen.get(mutant.code + mutant.change) ?? 0;
      seen.set(mutant.code + mutant.change, nth + 1);
      return { ...mutant, nth };
    });
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

function isNumber(node: Node): boolean {
  return node.type === "Literal" && typeof node["value"] === "number";
}

/** Whether a declaration is a `const`. The caller's limit on depth leaves only those at the top of a file. */
function isConstant(declaration: Node | null): boolean {
  return declaration !== null && declaration["kind"] === "const";
}

function told(code: string): string {
  const line = code.replace(/\s+/g, " ");
  return line.length > MOST_CHARACTERS_TOLD ? `${line.slice(0, MOST_CHARACTERS_TOLD)}…` : line;
}
