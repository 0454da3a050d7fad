/**
 * Parses the text of `scopegate.toml` into tables. The TOML library parses every value, but route values with the same
 * text only once: in a large policy, most lines are a quoted key and a value that many other lines repeat exactly.
 *
 * This fast path is taken only where a line has one possible meaning: in a text without multi-line strings, below a
 * `[routes]` header, where every line is a key without escapes and a complete value. Everything else, and every error,
 * is left to the library.
 */
import { parse } from "smol-toml";
import { isTable } from "./table.ts";

export interface PolicyDocument {
  /** The tables; without `routes` where these were read line by line. */
  readonly table: Record<string, unknown>;
  /** `null`: the document has no table `routes`. */
  readonly routes: WrittenRoutes<unknown> | null;
}

/** Keys and values; several keys may share one value. */
export interface WrittenRoutes<Value> {
  /** By key, in the order of the file: the index of its value in `values`. */
  readonly places: ReadonlyMap<string, number>;
  readonly values: readonly Value[];
}

/** Parses a text. Throws the library's `TomlError` where it is not TOML. */
export function readDocument(text: string): PolicyDocument {
  return readByLine(text) ?? readWhole(text);
}

/** The same, but always with `routes` in `table`. */
export function readWhole(text: string): PolicyDocument {
  const table = parse(text);
  const { routes } = table;
  return { table, routes: isTable(routes) ? writtenRoutes(routes) : null };
}

/** The routes of a parsed table; no two keys share a value. */
export function writtenRoutes<Value>(table: Readonly<Record<string, Value>>): WrittenRoutes<Value> {
  return { places: new Map(Object.keys(table).map((key, place) => [key, place])), values: Object.values(table) };
}

/** A whole line. "^" with the flag "m" would also match after U+2028, which in TOML may be part of a comment. */
const HEADER = /(?<![^\n])\[routes\][ \t]*\r?\n/;

/**
 * A key and the text after its "="; or neither, for an empty line or a comment. Keys are printable ASCII and contain a
 * space, so that none is the name of a property of Object.prototype.
 */
const LINE = /[ \t]*(?:"([!#-[\]-~]+ [ !#-[\]-~]*)"[ \t]*=([^\r\n]*)|(?:#[\t -~\u00a0-\uffff]*)?)(?:\r?\n|$)/y;

/** `null` where the library must read the whole. */
function readByLine(text: string): PolicyDocument | null {
  const header = HEADER.exec(text);
  if (header === null || text.includes('"""') || text.includes("'''")) return null;
  const start = header.index + header[0].length;
  const places = new Map<string, number>();
  /** By the text of a value: its index. */
  const written = new Map<string, number>();
  let end = start;
  while (end < text.length && text[end] !== "[") {
    LINE.lastIndex = end;
    const line = LINE.exec(text);
    if (line === null) return null;
    end = LINE.lastIndex;
    const [, key, value] = line;
    if (key === undefined || value === undefined) continue;
    if (places.has(key)) return null;
    let place = written.get(value);
    if (place === undefined) {
      place = written.size;
      written.set(value, place);
    }
    places.set(key, place);
  }
  try {
    // The header is kept, so that the library refuses a second one; routes written elsewhere come back as `others`.
    const { routes: others, ...table } = parse(text.slice(0, start) + text.slice(end));
    const values = parseValues([...written.keys()]);
    return values === null || Object.keys(others ?? {}).length > 0 ? null : { table, routes: { places, values } };
  } catch {
    return null;
  }
}

/** `null` where a value continues past its line and so swallows the next. */
function parseValues(written: readonly string[]): readonly unknown[] | null {
  const values = Object.values(parse(written.map((value, place) => `${place} =${value}\n`).join("")));
  return values.length === written.length ? values : null;
}
