import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fingerprint } from "../../src/revocation/fingerprint.ts";

/** The documented framing, with Node's own SHA-256. */
function expected(issuer: string, tokenId: string): { high: number; low: number } {
  const name = Buffer.from(issuer, "utf8");
  const padding = Buffer.alloc(64 - (name.length % 64), 0xff);
  const digest = createHash("sha256").update(name).update(padding).update(Buffer.from(tokenId, "utf8")).digest();
  return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
}

describe("the fingerprint of a token", () => {
  test.each([
    ["https://api.example.com", "a", 0x560f4d7c, 0x35bd607f],
    ["", "", 0x8667e718, 0x294e9e0d],
    ["https://login.example.com/", "7b1f4a52-0c6e-4f5e-9f0a-3d1c2b4a5e6f", 0xf13339e7, 0x6c21a373],
  ])("of %j and %j never changes, for it lies in snapshots", (issuer, tokenId, high, low) => {
    const found = fingerprint(issuer, tokenId);
    expect(found).toEqual({ high, low });
    expect(found).toEqual(expected(issuer, tokenId));
  });

  test("is the first 64 bits of the SHA-256 of the framed pair, for any text", () => {
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.string({ maxLength: 80 }));
    fc.assert(
      fc.property(text, text, (issuer, tokenId) => {
        expect(fingerprint(issuer, tokenId)).toEqual(expected(issuer, tokenId));
      }),
    );
  });

  test("is right at every length around the ends of blocks", () => {
    for (let length = 0; length <= 200; length++) {
      expect(fingerprint("i".repeat(length), "t".repeat(200 - length))).toEqual(
        expected("i".repeat(length), "t".repeat(200 - length)),
      );
    }
  });

  test("tells apart what only differs by where the issuer ends", () => {
    const pairs = [
      ["ab", "c"],
      ["a", "bc"],
      ["abc", ""],
      ["", "abc"],
      [`a${"\u00ff".repeat(31)}`, ""],
      ["a", "\u00ff".repeat(31)],
    ] as const;
    const seen = new Set(pairs.map(([issuer, id]) => JSON.stringify(fingerprint(issuer, id))));
    expect(seen.size).toBe(pairs.length);
  });

  test("does not depend on what was asked before, even after more issuers than are remembered", () => {
    const first = fingerprint("https://first.example", "id");
    for (let n = 0; n < 600; n++) fingerprint(`https://${n}.example`, "ü".repeat(n));
    expect(fingerprint("https://first.example", "id")).toEqual(first);
  });

  test("takes a lone surrogate for the replacement character, as D1 does", () => {
    expect(fingerprint("i", "\ud800")).toEqual(fingerprint("i", "\ufffd"));
  });
});

test.each([255, 256, 257, 8191, 8192, 16_384, 2_097_152, 2_200_000])(
  "the hash of a token id of %i characters is SHA-256, and of one beyond ASCII too",
  (length) => {
    for (const id of ["x".repeat(length), `${"x".repeat(length - 2)}é`, "\u007f".repeat(length)]) {
      expect(fingerprint("https://api.example.com", id)).toEqual(expected("https://api.example.com", id));
    }
  },
);
