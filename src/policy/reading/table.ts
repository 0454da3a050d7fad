/** What TOML calls a table. To JavaScript a list and a date are objects too. */

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !isNoTable(value);
}

/** Whether a value is an object, and no table all the same. */
export function isNoTable(value: unknown): boolean {
  return Array.isArray(value) || value instanceof Date;
}
