/**
 * The value of one query parameter, returned only where no origin can read another value.
 *
 * The query is application/x-www-form-urlencoded. Origins differ in how they read a name that occurs twice, `name[]`,
 * `name[0]` and `[name]` (PHP, Rails, qs), `Name` (ASP.NET), `na.me` for `na_me` (PHP), `;` (older CGI), bytes that are
 * not UTF-8, and control characters. Any of these that concerns the parameter makes it ambiguous, even where it occurs
 * only once: the gateway cannot know which reading the origin takes.
 */

/** The decoded value; "" where the parameter is missing or empty; `null` where it can be read in several ways. */
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

/** Whether some origin may take the decoded name `found` for the wanted one. */
function isSpellingOf(found: string, wantedLoose: string): boolean {
  const bare = found.startsWith("[") ? found.slice(1) : found;
  const bracket = bare.search(/[[\]]/);
  return looseName(found) === wantedLoose || looseName(bracket < 0 ? bare : bare.slice(0, bracket)) === wantedLoose;
}

/** A name as the laxest origin compares it: in lower case, up to a NUL, trimmed, with PHP's `_` for ` `, `.`, `[`. */
function looseName(name: string): string {
  const nul = name.indexOf("\0");
  return (nul < 0 ? name : name.slice(0, nul)).trim().toLowerCase().replace(/[ .[]/g, "_");
}
