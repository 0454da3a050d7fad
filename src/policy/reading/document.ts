/**
 * The text of `scopegate.toml` as tables. The TOML library reads all of it, but only once what the routes of a large policy
 * say alike: such a policy is lines of a quoted key and of a value that stands, to the letter, in many other lines.
 *
 * This shorter way is taken only where a line can mean one thing: in a text without multi-line strings, below a `[routes]`
 * header, from one line to the next, each a key without escapes and a value that is whole by itself. All else, and whatever
 * is wrong, is the library's to read and to tell.
 */
import { parse } from "smol-toml";
import { isTable } from "./table.ts";

export interface PolicyDocument {
  /** The tables; without the routes where those were read line by line. */
  readonly table: Record<string, unknown>;
  /** `null`: it has no such table. */
  readonly routes: WrittenRoutes<unknown> | null;
}

/** Keys and values, of which several keys may share one. */
export interface WrittenRoutes<Value> {
  /** By key, in the order of the file: the place of its value. */
  readonly places: ReadonlyMap<string, number>;
  readonly values: readonly Value[];
}

/** Reads a text. Throws the library's `TomlError` where it is not TOML. */
export function readDocument(text: string): PolicyDocument {
  return readByLine(text) ?? readWhole(text);
}

/** The same, with all of the tables. */
export function readWhole(text: string): PolicyDocument {
  const table = parse(text);
  const { routes } = table;
  return { table, routes: isTable(routes) ? writtenRoutes(routes) : null };
}

/** Routes as a table has them. */
export function writtenRoutes<Value>(table: Readonly<Record<string, Value>>): WrittenRoutes<Value> {
  return { places: new Map(Object.keys(table).map((key, place) => [key, place])), values: Object.values(table) };
}

/** A line of its own; "^" with "m" would also stand behind U+2028, which TOML takes for any character of a comment. */
const HEADER = /(?<![^\n])\[routes\][ \t]*\r?\n/;

/**
 * A key and what is written after its "=", or neither: an empty line, a comment. Keys are of printable ASCII and hold a space, so
 * that none is a name that objects have.
 */
const LINE = /[ \t]*(?:"([!#-[\]-~]+ [ !#-[\]-~]*)"[ \t]*=([^\r\n]*)|(?:#[\t -~\u00a0-\uffff]*)?)(?:\r?\n|$)/y;

/** `null` where the library must read the whole. */
function readByLine(text: string): PolicyDocument | null {
  const header = HEADER.exec(text);
  if (header === null || text.includes('"""') || text.includes("'''")) return null;
  const start = header.index + header[0].length;
  const places = new Map<string, number>();
  /** By what is written: its place among the values. */
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
    // The header stays where it was, so that routes which stand elsewhere are seen.
    const { routes: others, ...table } = parse(text.slice(0, start) + text.slice(end));
    const values = parseValues([...written.keys()]);
    return values === null || Object.keys(others ?? {}).length > 0 ? null : { table, routes: { places, values } };
  } catch {
    return null;
  }
}

/** `null` where one goes on beyond its line, and so takes the next in. */
function parseValues(written: readonly string[]): readonly unknown[] | null {
  const values = Object.values(parse(written.map((value, place) => `${place} =${value}\n`).join("")));
  return values.length === written.length ? values : null;
}
