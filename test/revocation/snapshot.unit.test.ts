import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NEVER, setOf } from "../../src/revocation/fingerprint-set.ts";
import { createRevocationIndex } from "../../src/revocation/revocation-index.ts";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "../../src/revocation/snapshot.ts";

const snapshot: Snapshot = {
  position: { history: "h".repeat(32), sequence: 2 ** 40, createdAt: 1_800_000_000 },
  content: {
    tokens: setOf(
      Array.from({ length: 100 }, (_, at) => ({ high: (at * 0x9e3779b1) >>> 0, low: at, until: at % 2 ? at : NEVER })),
    ),
    timedTokens: [{ high: 1, low: 2, issuedBefore: null, effectiveAt: 5, expiresAt: null }],
    cutOffs: [
      { kind: "subject", issuer: "https://i", value: "ü \u0000", issuedBefore: 1, effectiveAt: 0, expiresAt: 9 },
    ],
  },
};
const packed = await encodeSnapshot(snapshot);
const copy = (): Uint8Array<ArrayBuffer> => new Uint8Array(packed.bytes);
const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes.subarray(32)).digest("hex");

/** Bytes whose checksum is right although what they say is wrong. */
function resealed(change: (words: Uint32Array, bytes: Uint8Array) => void): [ArrayBuffer, string] {
  const bytes = copy();
  change(new Uint32Array(bytes.buffer, 32, 8), bytes);
  const checksum = sha(bytes);
  bytes.set(Buffer.from(checksum, "hex"));
  return [bytes.buffer, checksum];
}

describe("a snapshot", () => {
  test("decodes to what was encoded", async () => {
    expect(await decodeSnapshot(copy().buffer, packed.checksum)).toEqual(snapshot);
    expect(packed.checksum).toBe(sha(packed.bytes));
  });

  test("of the same list is the same, byte for byte, for as long as its version is: older ones lie in KV", async () => {
    const index = createRevocationIndex();
    const times = { issuedBefore: null, effectiveAt: 1_000, expiresAt: null, createdAt: 1_000, withdraws: false };
    index.apply([
      { sequence: 1, kind: "token", issuer: "https://i", value: "for good", ...times },
      { sequence: 2, kind: "token", issuer: "https://i", value: "for a while", ...times, expiresAt: 2_000 },
      { sequence: 3, kind: "token", issuer: "https://i", value: "if early", ...times, issuedBefore: 900 },
      { sequence: 4, kind: "subject", issuer: "https://i", value: "alice", ...times },
    ]);
    const { checksum } = await encodeSnapshot({ position: snapshot.position, content: index.content() });
    expect(checksum).toBe("9b69ef18aec2e6317ae0fd611f4daf273c7e6f190f975c9ab0df8cb3a1d17a86");
  });

  test("of nothing decodes to nothing", async () => {
    const empty: Snapshot = {
      position: snapshot.position,
      content: { tokens: setOf([]), timedTokens: [], cutOffs: [] },
    };
    const { bytes, checksum } = await encodeSnapshot(empty);
    expect(await decodeSnapshot(new Uint8Array(bytes).buffer, checksum)).toEqual(empty);
  });

  test("of which any bit was changed is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(packed.bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
        const bytes = copy();
        bytes[at] = (bytes[at] ?? 0) ^ bits;
        expect(await decodeSnapshot(bytes.buffer, packed.checksum)).toBeNull();
      }),
    );
  });

  test.each([0, 1, 31, 32, 63, 64, 65, 1000])("cut to %i bytes is refused", async (length) => {
    expect(await decodeSnapshot(copy().slice(0, length).buffer, packed.checksum)).toBeNull();
  });

  test("longer than it says is refused", async () => {
    const bytes = new Uint8Array(packed.bytes.length + 12);
    bytes.set(packed.bytes);
    expect(await decodeSnapshot(bytes.buffer, packed.checksum)).toBeNull();
  });

  test("of another checksum than D1 names is refused", async () => {
    expect(await decodeSnapshot(copy().buffer, "0".repeat(64))).toBeNull();
    expect(await decodeSnapshot(copy().buffer, "")).toBeNull();
  });

  test.each<[string, (words: Uint32Array, bytes: Uint8Array) => void]>([
    ["of another kind", (words) => words.set([0x12345678], 0)],
    ["of another version", (words) => words.set([2], 1)],
    ["with a count that does not fit", (words) => words.set([101], 2)],
    ["with a huge count", (words) => words.set([0xffffffff], 2)],
    ["with JSON of another length than it says", (words) => words.set([1], 3)],
    ["with JSON that is none", (_, bytes) => bytes.fill(0x7b, bytes.length - 5)],
    ["that is not sorted", (_, bytes) => bytes.fill(0xff, 64, 68)],
  ])("%s is refused even with the right checksum", async (_, change) => {
    expect(await decodeSnapshot(...resealed(change))).toBeNull();
  });
});
