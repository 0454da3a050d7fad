/**
 * The format of a snapshot in KV: 32 bytes of SHA-256 over everything that follows, a header of 32 bytes, the three arrays of
 * the fingerprints in memory layout, and the rest as JSON.
 *
 * Guarantees: a decoded snapshot is, byte for byte, the one that D1 names by its checksum; any other value (truncated,
 * altered, of another version, byte order or list) gives `null`, never an exception. Decoding copies nothing.
 */
import { isSorted, sortedSet } from "./fingerprint-set.ts";
import type { IndexContent } from "./revocation-index.ts";
import type { LogPosition } from "./revocation-log.ts";

export interface Snapshot {
  /** The last row that the snapshot contains. */
  readonly position: LogPosition;
  readonly content: IndexContent;
}

interface Rest {
  readonly position: LogPosition;
  readonly timedTokens: IndexContent["timedTokens"];
  readonly cutOffs: IndexContent["cutOffs"];
}

/** "SGRL", then the version, the number of fingerprints and the length of the JSON, as 32-bit words in this machine's order. */
const MAGIC = 0x5347524c;
const VERSION = 1;
const CHECKSUM_BYTES = 32;
const HEADER_BYTES = 32;
const ENTRY_BYTES = 12;

/** The packed bytes and their checksum, in hex. */
export async function encodeSnapshot(snapshot: Snapshot): Promise<{ bytes: Uint8Array; checksum: string }> {
  const { tokens, timedTokens, cutOffs } = snapshot.content;
  const rest: Rest = { position: snapshot.position, timedTokens, cutOffs };
  const json = new TextEncoder().encode(JSON.stringify(rest));
  const start = CHECKSUM_BYTES + HEADER_BYTES;
  const bytes = new Uint8Array(start + tokens.count * ENTRY_BYTES + json.length);
  new Uint32Array(bytes.buffer, CHECKSUM_BYTES, 4).set([MAGIC, VERSION, tokens.count, json.length]);
  for (const [place, array] of [tokens.high, tokens.low, tokens.until].entries()) {
    new Uint32Array(bytes.buffer, start + place * tokens.count * 4, tokens.count).set(array);
  }
  bytes.set(json, start + tokens.count * ENTRY_BYTES);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.subarray(CHECKSUM_BYTES)));
  bytes.set(digest);
  return { bytes, checksum: hex(digest) };
}

/** The snapshot in `buffer`, if it is the one whose checksum is `checksum` (hex); else `null`. */
export async function decodeSnapshot(buffer: ArrayBuffer, checksum: string): Promise<Snapshot | null> {
  const start = CHECKSUM_BYTES + HEADER_BYTES;
  if (buffer.byteLength < start) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(buffer, CHECKSUM_BYTES)));
  if (hex(digest) !== checksum || hex(new Uint8Array(buffer, 0, CHECKSUM_BYTES)) !== checksum) return null;
  const [magic, version, count = 0, jsonBytes = 0] = new Uint32Array(buffer, CHECKSUM_BYTES, 4);
  if (magic !== MAGIC || version !== VERSION) return null;
  if (buffer.byteLength !== start + count * ENTRY_BYTES + jsonBytes) return null;
  try {
    const array = (place: number): Uint32Array => new Uint32Array(buffer, start + place * count * 4, count);
    const tokens = sortedSet(array(0), array(1), array(2));
    const text = new TextDecoder().decode(new Uint8Array(buffer, start + count * ENTRY_BYTES));
    const rest = JSON.parse(text) as Rest;
    if (!isSorted(tokens)) return null;
    return { position: rest.position, content: { tokens, timedTokens: rest.timedTokens, cutOffs: rest.cutOffs } };
  } catch {
    return null;
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
