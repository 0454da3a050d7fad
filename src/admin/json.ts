/**
 * Strict JSON: UTF-8, one value, and no object with duplicate members (RFC 8259 §4 leaves open which one counts).
 *
 * Leaves to the schemas: which members an object may have.
 */

export type StrictJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Parses a JSON text. The message of a failure quotes nothing of the text except the name of a duplicate member. */
export function parseStrictJson(bytes: Uint8Array): StrictJson {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { ok: false, message: "must be UTF-8" };
  }
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: "must be one JSON value" };
  }
  const twice = repeatedMember(text);
  if (twice !== null) return { ok: false, message: `says the member ${JSON.stringify(twice.slice(0, 64))} twice` };
  return { ok: true, value };
}

/** The first duplicate member name in an object of a valid JSON text, compared after unescaping; `null` if there is none. */
function repeatedMember(text: string): string | null {
  /** One entry per object or array that encloses `at`: the member names of an object so far, `null` for an array. */
  const around: (Set<string> | null)[] = [];
  const string = /"(?:[^"\\]|\\.)*"/y;
  const colon = /\s*:/y;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "{") around.push(new Set());
    else if (character === "[") around.push(null);
    else if (character === "}" || character === "]") around.pop();
    else if (character === '"') {
      string.lastIndex = at;
      const literal = string.exec(text)?.[0] ?? '"';
      at += literal.length - 1;
      const members = around.at(-1);
      colon.lastIndex = at + 1;
      if (!members || !colon.test(text)) continue;
      const name = String(JSON.parse(literal));
      if (members.has(name)) return name;
      members.add(name);
    }
  }
  return null;
}
