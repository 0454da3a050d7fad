/** SQL as the project writes it, taken apart without wrangler's parser, whose import costs every test file two seconds. */

/** The statements of an SQL text in which one ends where a line ends with a semicolon. Comment lines are left out. */
export function statementsOf(sql: string): string[] {
  const code = sql
    .split("\n")
    .filter((line) => !line.startsWith("--"))
    .join("\n");
  return code
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}
