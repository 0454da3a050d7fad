/**
 * Text of a policy in a message: what a terminal would obey, and what would reorder or break the line, stands there as an
 * escape. A TOML string may hold any of it (`"\u001b[2J"`).
 */

/** Controls (Unicode's category Cc), line and paragraph separators, and the marks that turn a text's direction. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The text with such characters as `\u001b`. Does not escape quotes or backslashes. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
