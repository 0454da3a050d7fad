/**
 * Makes text of a policy safe to print in a message: characters that a terminal would interpret, or that reorder or
 * break the line, become escapes. A TOML string may hold any of them (`"\u001b[2J"`).
 */

/** Controls (Unicode category Cc), line and paragraph separators, and bidirectional marks, embeddings and isolates. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The text with these characters written as `\u001b`. Does not escape quotes or backslashes. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
