/** Whichever way a text is read, it comes to what the TOML library makes of the whole of it. */
import fc from "fast-check";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { type PolicyDocument, readDocument } from "../../../src/policy/reading/document.ts";

/** Put together again, in the order of the file. */
function together({ table, routes }: PolicyDocument): unknown {
  if (routes === null) return table;
  return { ...table, routes: [...routes.places].map(([key, place]) => [key, routes.values[place]]) };
}

function wholeOf(text: string): unknown {
  const table = parse(text);
  const { routes } = table;
  const isTable = typeof routes === "object" && !Array.isArray(routes) && !(routes instanceof Date);
  return isTable ? { ...table, routes: Object.entries(routes) } : table;
}

function outcomeOf(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}

const sharesValues = (text: string): boolean => {
  const { routes } = readDocument(text);
  return routes !== null && routes.values.length < routes.places.size;
};

describe("lines of keys and values", () => {
  const lines = (...routes: string[]): string => `[gateway]\npublic_url = "x"\n[routes]\n${routes.join("\n")}\n`;

  test("share what is written alike", () => {
    const { table, routes } = readDocument(
      lines('"GET /a" = { all = ["a"] }', '"GET /b" = "b"', '"GET /c" = { all = ["a"] }'),
    );
    expect(table).toEqual({ gateway: { public_url: "x" } });
    expect([...(routes?.places ?? [])]).toEqual([
      ["GET /a", 0],
      ["GET /b", 1],
      ["GET /c", 0],
    ]);
    expect(routes?.values).toEqual([{ all: ["a"] }, "b"]);
  });

  test.each([
    ["with empty lines and comments between them", '"GET /a" = "a"\n\n  # the same – again\n\t\n"GET /b" = "a"'],
    ["with comments behind them", '"GET /a" = "a" # why\n"GET /b" = "a" # why'],
    ["with other white space", '  "GET /a"\t=\t"a"\n\t"GET /b"=\t"a"'],
    ["with the line ends of Windows", '"GET /a" = "a"\r\n\r\n"GET /b" = "a"\r\n# why\r'],
    ["before other tables", '"GET /a" = "a"\n"GET /b" = "a"\n[scopes.a]\nowner = "o"'],
    ["at the end of a text without a last line end", '"GET /a" = "a"\n"GET /b" = "a"'],
  ])("share it %s", (_name, written) => {
    for (const text of [lines(written), lines(written).trimEnd()]) {
      expect(sharesValues(text)).toBe(true);
      expect(together(readDocument(text))).toEqual(wholeOf(text));
    }
  });
});

test.each([
  ["a header in a multi-line string", 'a = """\n[routes]\n"GET /a" = "a"\n[b]\n"""\n[routes]\n"GET /c" = "a"'],
  ["a header in a multi-line literal string", "a = '''\n[routes]\n\"GET /a\" = \"a\"\n[b]\n'''\n[routes]"],
  ["a header in an array", 'a = [\n[routes]\n"GET /a" = "a"\n[b]\n]'],
  ["a header in a comment, behind another line separator", '[a]\n# \u2028[routes]\n"GET /a" = "a"'],
  ["a header behind a paragraph separator", '[a]\n# \u2029[routes]\n"GET /a" = "a"\n[routes]'],
  ["a header behind white space", '[a]\n  [routes]\n"GET /a" = "a"'],
  ["two headers", '[routes]\n"GET /a" = "a"\n[routes]\n"GET /b" = "a"'],
  ["routes that are tables of their own", '[routes]\n"GET /a" = "a"\n[routes."GET /b"]\nall = ["a"]'],
  ["routes before their header", '[routes."GET /b"]\nall = ["a"]\n[routes]\n"GET /a" = "a"'],
  ["routes at the top", 'routes.a = "a"\n[routes]\n"GET /a" = "a"'],
  ["a list of routes", '[[routes]]\n"GET /a" = "a"\n[routes]\n"GET /b" = "a"'],
  ["a key twice", '[routes]\n"GET /a" = "a"\n"GET /a" = "a"'],
  ["a key twice, once with an escape", '[routes]\n"GET /a" = "a"\n"GET \\u002Fa" = "a"'],
  ["a value that goes on", '[routes]\n"GET /a" = [\n"a",\n]\n"GET /b" = "b"'],
  ["a value that goes on in the next line's words", '[routes]\n"GET /a" = {\n"GET /b" = "b" }\n"GET /c" = "c"'],
  ["two that go on alike", '[routes]\n"GET /a" = [\n"GET /b" = [\n[1]]'],
  ["a string that does not end", '[routes]\n"GET /a" = "a\n"GET /b" = "b"'],
  ["more behind a value", '[routes]\n"GET /a" = "a" "b"\n"GET /b" = "b"'],
  ["nothing behind the equals sign", '[routes]\n"GET /a" =\n"GET /b" = "b"'],
  ["dotted keys", '[routes]\n"GET /a".all = ["a"]\n"GET /b" = "b"'],
  ["names that objects have", '[routes]\n"__proto__" = "a"\n"constructor" = "a"\n"GET /b" = "a"'],
  ["control characters in a comment", '[routes]\n"GET /a" = "a"\n# \u0007\n"GET /b" = "a"'],
  ["control characters in a key", '[routes]\n"GET /a\u007f" = "a"\n"GET /b" = "a"'],
  ["no routes", "[gateway]\na = 1"],
  ["routes that are a list", "routes = []"],
  ["routes that are a date", "routes = 2026-01-01"],
])("%s: as the library reads the whole", (_name, text) => {
  expect(outcomeOf(() => together(readDocument(text)))).toEqual(outcomeOf(() => wholeOf(text)));
});

const piece = fc.constantFrom(
  ...['"GET /a"', '"GET /b"', '"GET /c d"', '"x"', '"0"', "'GET /a'", "bare", '"GET /\\u0061"', "0"],
  ...[
    " = ",
    "=",
    ".",
    " ",
    "\t",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\r",
    ",",
    "#",
    "# c",
    "\u0000",
    "\u00e9",
    "\u2028",
    "\u2029",
    "\u0085",
    "\v",
    "\f",
  ],
  ...['"a"', '"b"', '["a"]', "{ all = [", '"a"] }', "{", "}", "[", "]", '"', '"""', "'''", "1", "true", "\\"],
  ...["[routes]\n", "\n[routes]\n", "\n[scopes]\n", "\n[[routes]]\n", '\n[routes."GET /b"]\n', "\n[routes.0]\n"],
);
const line = fc
  .tuple(fc.constantFrom("GET /a", "GET /b", "GET /c", "GET /d", "PUT /a"), fc.array(piece, { maxLength: 3 }))
  .map(([key, value]) => `"${key}" = ${value.join("")}\n`);
const plainLine = fc
  .tuple(
    fc.stringMatching(/^(GET|PUT) \/[a-z]{1,3}$/),
    fc.constantFrom('"a"', '{ all = ["b"] }', '["a", "b"] # c', "1"),
  )
  .map(([key, value]) => `"${key}" = ${value}\n`);
const text = fc
  .tuple(fc.array(piece, { maxLength: 3 }), fc.array(fc.oneof(plainLine, plainLine, line, piece), { maxLength: 8 }))
  .chain(([before, routes]) =>
    fc
      .constantFrom("\n", "\n", "\n", "\u2028", "")
      .map((end) => `${before.join("")}${end}[routes]\n${routes.join("")}`),
  );

test("any text: as the library reads the whole, or refuses it", () => {
  fc.assert(
    fc.property(text, (written) => {
      expect(outcomeOf(() => together(readDocument(written)))).toEqual(outcomeOf(() => wholeOf(written)));
    }),
    { numRuns: 5000 },
  );
});
