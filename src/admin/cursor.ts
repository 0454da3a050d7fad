/**
 * The position at which the next page of a list begins, as an opaque text that the client sends back.
 *
 * Guarantees: a cursor that was modified, truncated, or made for another list or other filters is refused.
 * Accepted: the checksum stops accidents, not an attacker. A forged cursor only changes where a page begins; on every page
 * the query decides what the caller may see.
 */

/** The sort key of the last row of a page: its number, or its name and number. */
export type Position = readonly [number: number] | readonly [name: string, number: number];

/** The position in a list that is ordered by number alone; `null` at its beginning. */
export function numberIn(position: Position | null): number | null {
  return position?.length === 1 ? position[0] : null;
}

/** Encodes a position. `list` names the list and its filters; `parseCursor` must be given the same. */
export function formatCursor(list: string, position: Position): string {
  const text = JSON.stringify(position);
  return toBase64url(`${checksum(list, text)}${text}`);
}

/** The position that `formatCursor` encoded for the same list; `null` for any other text. */
export function parseCursor(list: string, cursor: string): Position | null {
  const plain = fromBase64url(cursor);
  if (plain === null) return null;
  const text = plain.slice(CHECKSUM_LENGTH);
  if (plain.slice(0, CHECKSUM_LENGTH) !== checksum(list, text)) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(value)) return null;
  const [first, second]: readonly unknown[] = value;
  if (value.length === 1 && isPlace(first)) return [first];
  if (value.length === 2 && typeof first === "string" && isPlace(second)) return [first, second];
  return null;
}

const CHECKSUM_LENGTH = 14;

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Two 32-bit FNV-1a hashes of the same text with different seeds, as 14 digits of base 36. */
function checksum(list: string, text: string): string {
  const hash = (seed: number): string => {
    let value = seed;
    for (const byte of new TextEncoder().encode(`${list}\n${text}`)) value = Math.imul(value ^ byte, 0x01000193);
    return (value >>> 0).toString(36).padStart(CHECKSUM_LENGTH / 2, "0");
  };
  return hash(0x811c9dc5) + hash(0x2b6d1f4e);
}

function toBase64url(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Strict: accepts only the encoding that `toBase64url` gives. */
function fromBase64url(text: string): string | null {
  if (text.length > 2048 || !/^[A-Za-z0-9_-]+$/.test(text)) return null;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const plain = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      Uint8Array.from(binary, (character) => character.charCodeAt(0)),
    );
    return toBase64url(plain) === text ? plain : null;
  } catch {
    return null;
  }
}
