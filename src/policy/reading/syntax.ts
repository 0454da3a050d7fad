/** The fault of a text that is not TOML: the library's message and a hint at the likely mistake. Does not parse. */
import type { TomlError } from "smol-toml";
import { type Fault, placesIn, writtenPath } from "../faults.ts";
import { printable } from "../printable.ts";

/** The one fault of a text that the library cannot parse. */
export function syntaxFault(text: string, error: TomlError): Fault {
  const [summary = "syntax error"] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
  return {
    path: "policy",
    line: error.line,
    message: printable(`not TOML: ${summary}${hintOf(summary, text, error)}`),
  };
}

function hintOf(summary: string, text: string, { line, column }: TomlError): string {
  const written = (text.split("\n")[line - 1] ?? "").replace(/\r$/, "");
  switch (summary) {
    case "illegal character in key":
      if (isQuoteOpen(written)) return "; is a closing quote missing?";
      if (/^\s*\[[^\]]*$/.test(written)) return "; is a closing bracket missing?";
      return '; a name with ":", "/" or a space needs quotes';
    case "control characters are not allowed in strings":
      return column > written.length ? "; is a closing quote missing?" : "";
    case "unfinished string":
      return "; is a closing quote missing?";
    case "trying to redefine an already defined table or value":
      return firstOf(text, line);
    default:
      return "";
  }
}

function isQuoteOpen(line: string): boolean {
  return line.replace(/\\./g, "").split('"').length % 2 === 0;
}

/** The earlier line with the same key as `line`, for the message; empty where none is found. */
function firstOf(text: string, line: number): string {
  const places = [...placesIn(text)];
  const here = places.find((place) => place.line === line);
  if (here === undefined) return "";
  const path = writtenPath(here.path);
  const first = places.find((place) => place.line < line && writtenPath(place.path) === path);
  return first === undefined ? "" : `; ${path} stands on line ${first.line} already`;
}
