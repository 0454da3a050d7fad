/**
 * The 64 bits that identify a token in the index: the first eight bytes of the SHA-256 of
 *
 *     UTF-8(issuer) · 0xFF, one to sixty-four times, up to a multiple of 64 bytes · UTF-8(token id)
 *
 * Guarantees that no two pairs of issuer and token id are hashed as the same bytes: 0xFF never occurs in UTF-8, so the
 * first one ends the issuer. (A lone surrogate is encoded as U+FFFD, as D1 does too.)
 *
 * Accepted: 64 bits are not exact. Two tokens with the same fingerprint are revoked together, so a collision can only
 * refuse too much. By chance, with a million revocations, that affects one token in 18 million million. An attacker who
 * wants a given person's token refused needs a second preimage, 2^64 hashes, and must then have their own token revoked;
 * that is why this is SHA-256 and not a fast hash that can be inverted by hand. A keyed hash would need its key before the
 * first token. Synchronous, because a promise per token would cost more than hashing the block, which takes half a
 * microsecond (an ES256 verification takes fifty).
 */
import type { Fingerprint } from "./subject.ts";

const BLOCK = 64;

/** FIPS 180-4 §4.2.2 and §5.3.3: the fractional parts of the roots of the first primes. */
const ROUND = new Int32Array(BLOCK);
const INITIAL = new Int32Array(8);
for (let candidate = 2, found = 0; found < BLOCK; candidate++) {
  let divisor = 2;
  while (divisor * divisor <= candidate && candidate % divisor !== 0) divisor++;
  if (divisor * divisor <= candidate) continue;
  if (found < INITIAL.length) INITIAL[found] = (candidate ** (1 / 2) % 1) * 2 ** 32;
  ROUND[found++] = (candidate ** (1 / 3) % 1) * 2 ** 32;
}

/** The hash state after an issuer's blocks. Cleared when full: issuers are few, and computing a state again is cheap. */
const issuers = new Map<string, { readonly state: Int32Array; readonly length: number }>();
const MOST_ISSUERS = 256;

const encoder = new TextEncoder();
const schedule = new Int32Array(BLOCK);
const state = new Int32Array(8);
let input = new Uint8Array(4 * BLOCK);

/** The fingerprint of a token's issuer and id. Pure. Does not prove that two tokens with the same fingerprint are the same. */
export function fingerprint(issuer: string, tokenId: string): Fingerprint {
  const prefix = issuerState(issuer);
  state.set(prefix.state);
  finish(write(tokenId), prefix.length);
  return { high: (state[0] as number) >>> 0, low: (state[1] as number) >>> 0 };
}

function issuerState(issuer: string): { readonly state: Int32Array; readonly length: number } {
  const known = issuers.get(issuer);
  if (known !== undefined) return known;
  const written = write(issuer);
  const length = (Math.floor(written / BLOCK) + 1) * BLOCK;
  input.fill(0xff, written, length);
  state.set(INITIAL);
  for (let at = 0; at < length; at += BLOCK) compress(at);
  if (issuers.size >= MOST_ISSUERS) issuers.clear();
  const made = { state: state.slice(), length };
  issuers.set(issuer, made);
  return made;
}

/** Writes the text as UTF-8 into `input`, which keeps room for two more blocks; returns the number of bytes. */
function write(text: string): number {
  const room = text.length * 3 + 2 * BLOCK;
  if (input.length < room) input = new Uint8Array(room);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return encoder.encodeInto(text, input).written;
    input[at] = code;
  }
  return text.length;
}

/** Pads (FIPS 180-4 §5.1.1) and hashes the `length` bytes in `input`; `before` bytes are in the state already. */
function finish(length: number, before: number): void {
  const end = Math.ceil((length + 9) / BLOCK) * BLOCK;
  input.fill(0, length, end);
  input[length] = 0x80;
  // A token has at most 16 KiB and a D1 value two megabytes, so the bit count fits the lower of the two words.
  const bits = (before + length) * 8;
  input[end - 4] = bits >>> 24;
  input[end - 3] = bits >>> 16;
  input[end - 2] = bits >>> 8;
  input[end - 1] = bits;
  for (let at = 0; at < end; at += BLOCK) compress(at);
}

/** FIPS 180-4 §6.2.2. The casts are safe: every index lies within its array by construction. */
function compress(start: number): void {
  for (let word = 0, at = start; word < 16; word++, at += 4) {
    schedule[word] =
      ((input[at] as number) << 24) |
      ((input[at + 1] as number) << 16) |
      ((input[at + 2] as number) << 8) |
      (input[at + 3] as number);
  }
  for (let word = 16; word < BLOCK; word++) {
    const x = schedule[word - 15] as number;
    const y = schedule[word - 2] as number;
    schedule[word] =
      (schedule[word - 16] as number) +
      (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)) +
      (schedule[word - 7] as number) +
      (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10));
  }
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let round = 0; round < BLOCK; round++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const first = (h + s1 + ((e & f) ^ (~e & g)) + (ROUND[round] as number) + (schedule[round] as number)) | 0;
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
  state[4] = (state[4] as number) + e;
  state[5] = (state[5] as number) + f;
  state[6] = (state[6] as number) + g;
  state[7] = (state[7] as number) + h;
}
