/** What TOML calls a table. To JavaScript a list and a date are objects too. */

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !isNoTable(value);
}

/** Whether a value is an object in JavaScript, but a list or a date in TOML. */
export function isNoTable(value: unknown): boolean {
  return Array.isArray(value) || value instanceof Date;
}
