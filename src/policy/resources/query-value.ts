/**
 * One parameter of a query, read so that no origin reads another one.
 *
 * The query is application/x-www-form-urlencoded. Origins differ in what they make of a name that is there twice, of
 * `name[]`, `name[0]` and `[name]` (PHP, Rails, qs), of `Name` (ASP.NET), of `na.me` for `na_me` (PHP), of `;` (older
 * CGI), of what is not UTF-8, and of control characters. Each of these that concerns the parameter makes it ambiguous,
 * also where it stands alone: which of its readings the origin takes, nobody here knows.
 */

/** The decoded value; empty where the parameter is missing or empty; `null` where it can be read in several ways. */
export function queryValue(query: string, name: string): string | null {
  if (query.length <= 1) return "";
  const loose = looseName(name);
  let value: string | undefined;
  for (const pair of query.slice(1).split("&")) {
    for (const piece of pair.split(";")) {
      const equals = piece.indexOf("=");
      const found = decoded(equals < 0 ? piece : piece.slice(0, equals));
      if (found === null) return null;
      if (found !== name) {
        if (isSpellingOf(found, loose)) return null;
        continue;
      }
      if (value !== undefined || piece !== pair) return null;
      const read = decoded(equals < 0 ? "" : piece.slice(equals + 1));
      if (read === null) return null;
      value = read;
    }
  }
  return value ?? "";
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}

/** Whether some origin takes a decoded name for the wanted one. */
function isSpellingOf(found: string, wantedLoose: string): boolean {
  const bare = found.startsWith("[") ? found.slice(1) : found;
  const bracket = bare.search(/[[\]]/);
  return looseName(found) === wantedLoose || looseName(bracket < 0 ? bare : bare.slice(0, bracket)) === wantedLoose;
}

/** As the laxest origin compares: without case, up to a NUL, without white space around, PHP's `_` for ` `, `.`, `[`. */
function looseName(name: string): string {
  const nul = name.indexOf("\0");
  return (nul < 0 ? name : name.slice(0, nul)).trim().toLowerCase().replace(/[ .[]/g, "_");
}
