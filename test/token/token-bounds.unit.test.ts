/** Limits of what is read from a token and about its keys, each at the limit and one beyond. */
import { describe, expect, test } from "vitest";
import { judgeClaims, judgeOwnClaims } from "../../src/token/claims.ts";
import { type Jws, parseJws, splitJws } from "../../src/token/jws.ts";
import { fixedKeys, noKeys } from "../../src/token/key-source.ts";
import { candidates, readKeySet } from "../../src/token/keys.ts";
import { type CopyStore, readCopy, writeCopy } from "../../src/token/keys-copy.ts";
import { AUDIENCE, base64url, ISSUER, makeKey, NOW } from "./fixture.ts";

const HEADER = '{"alg":"ES256"}';
const token = (header = HEADER, payload = "{}", signature = "AAAA"): string =>
  `${base64url(header)}.${base64url(payload)}.${signature}`;

describe("a token's text", () => {
  test("has at most 16,384 characters", () => {
    const start = token(HEADER, "{}", "");
    const signature = (length: number): string => "A".repeat(length - start.length);
    expect((16_384 - start.length) % 4).not.toBe(1);
    expect(parseJws(start + signature(16_384))).not.toBe(null);
    expect(parseJws(start + signature(16_385 + (start.length % 4 === 0 ? 3 : 0)))).toBe(null);
    expect(parseJws(start + signature(16_388))).toBe(null);
  });

  test("has a header of at most 4,096 characters", () => {
    const header = (characters: number): string => {
      const text = '{"alg":"ES256","x":""}';
      return text.replace('""', `"${"y".repeat((characters / 4) * 3 - text.length)}"`);
    };
    expect(base64url(header(4096))).toHaveLength(4096);
    expect(parseJws(token(header(4096)))?.header.alg).toBe("ES256");
    expect(parseJws(token(header(4100)))).toBe(null);
  });

  test("is nested at most 32 deep", () => {
    const nested = (depth: number): string => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
    expect(parseJws(token(HEADER, nested(32)))).not.toBe(null);
    expect(parseJws(token(HEADER, nested(33)))).toBe(null);
  });

  test("may have a kid of 256 characters", () => {
    const kid = (length: number): string => `{"alg":"ES256","kid":"${"k".repeat(length)}"}`;
    expect(parseJws(token(kid(256)))?.header.kid).toHaveLength(256);
    expect(parseJws(token(kid(257)))).toBe(null);
  });

  test.each(['"abc', "abc", '"', '{"a', '{"a":"b\\"}'])("that ends within a string is none: %s", (text) => {
    expect(parseJws(token(text))).toBe(null);
    expect(parseJws(token(HEADER, text))).toBe(null);
  });

  test("may have an empty payload, which is no claims", () => {
    expect(splitJws(`${base64url(HEADER)}..AAAA`)).toEqual({
      header: { alg: "ES256", kid: null, typ: null },
      encodedPayload: "",
      signedPart: `${base64url(HEADER)}.`,
    });
    expect(parseJws(`${base64url(HEADER)}..AAAA`)).toBe(null);
  });
});

describe("a claim", () => {
  const judged = (claims: object) => {
    const payload = { aud: AUDIENCE, iat: NOW, exp: NOW + 60, ...claims };
    const jws: Jws = { header: { alg: "ES256", kid: null, typ: "at+jwt" }, payload, signedPart: "" };
    const outcome = judgeClaims(jws, { audiences: [AUDIENCE], requireTyp: null }, NOW, 30);
    return outcome.kind === "invalid" ? outcome.fault : outcome.kind;
  };

  test.each<[object, string]>([
    [{ sub: "a b" }, "valid"],
    [{ sub: "a\u001fb" }, "subject"],
    [{ sub: "a~b" }, "valid"],
    [{ sub: "a\u007fb" }, "subject"],
    [{ sub: "a\u009fb" }, "subject"],
    [{ sub: "a\u00a0b" }, "valid"],
    [{ exp: Number.MAX_SAFE_INTEGER }, "valid"],
    [{ exp: Number.MAX_SAFE_INTEGER + 1 }, "times"],
    [{ iat: 0 }, "valid"],
    [{ jti: `sha256:${"a".repeat(43)}` }, "token_id"],
    [{ jti: `sha256:${"a".repeat(42)}` }, "valid"],
  ])("%j: %s", (claims, outcome) => {
    expect(judged(claims)).toBe(outcome);
  });

  test.each(["sub", "jti", "iat", "client_id"])("%s is required of this gateway's own tokens", (name) => {
    const all = { aud: AUDIENCE, sub: "s", jti: "j", client_id: "c", iat: NOW, exp: NOW + 60 };
    const outcome = (payload: Record<string, unknown>) =>
      judgeOwnClaims(
        { header: { alg: "ES256", kid: null, typ: "at+jwt" }, payload, signedPart: "" },
        AUDIENCE,
        NOW,
        30,
      );
    expect(outcome(all).kind).toBe("valid");
    const without = Object.fromEntries(Object.entries(all).filter(([each]) => each !== name));
    expect(outcome(without)).toEqual({ kind: "invalid", fault: "required_claim" });
  });
});

describe("keys that never change", () => {
  test("are never due", () => {
    expect(fixedKeys([]).isDue(NOW)).toBe(false);
    expect(noKeys(() => undefined).isDue(NOW)).toBe(false);
  });

  test("and that are not there, are complained of once, at the first token", async () => {
    let complaints = 0;
    const source = noKeys(() => complaints++);
    expect(complaints).toBe(0);
    for (let round = 0; round < 3; round++) {
      expect(await source.find(null, "ES256", NOW, () => undefined)).toEqual({ retryAfterSeconds: 60 });
      expect(complaints).toBe(1);
    }
  });
});

describe("a set of keys", () => {
  test("has at most a hundred", async () => {
    const { publicJwk } = await makeKey("ES256");
    const keys = Array.from({ length: 101 }, (_, index) => ({ ...publicJwk, kid: String(index) }));
    expect(readKeySet({ keys: keys.slice(1) })).toHaveLength(100);
    expect(readKeySet({ keys })).toBe(null);
  });

  test("has keys with names of at most 256 characters", async () => {
    const { publicJwk } = await makeKey("ES256");
    expect(readKeySet({ keys: [{ ...publicJwk, kid: "k".repeat(256) }] })).toHaveLength(1);
    expect(readKeySet({ keys: [{ ...publicJwk, kid: "k".repeat(257) }] })).toHaveLength(0);
  });

  test("gives at most four that may have signed", async () => {
    const { publicJwk } = await makeKey("ES256");
    const set = readKeySet({ keys: Array.from({ length: 6 }, () => publicJwk) }) ?? [];
    expect(candidates(set, null, "ES256")).toHaveLength(4);
    expect(candidates(set, publicJwk.kid ?? "", "ES256")).toHaveLength(4);
    expect(candidates(set.slice(3), null, "ES256")).toHaveLength(3);
    expect(candidates(set, "other", "ES256")).toHaveLength(0);
    expect(candidates(set, null, "ES384")).toHaveLength(0);
  });
});

describe("the copy of an issuer's keys", () => {
  const DAY = 86_400;
  function store(): CopyStore & { text: string | null } {
    const self = {
      text: null as string | null,
      get: async () => self.text,
      put: async (_: string, value: string) => {
        self.text = value;
      },
    };
    return self;
  }
  async function left(fetchedAt = NOW) {
    const copies = store();
    await writeCopy(copies, ISSUER, [(await makeKey("ES256", "a")).publicJwk], fetchedAt);
    return copies;
  }

  test("is good for a day, to the second", async () => {
    const copies = await left();
    expect((await readCopy(copies, ISSUER, NOW + DAY - 1))?.fetchedAtSeconds).toBe(NOW);
    expect(await readCopy(copies, ISSUER, NOW + DAY)).toBe(null);
  });

  test("may be five minutes ahead of this clock, and counts as of now then", async () => {
    const copies = await left();
    expect((await readCopy(copies, ISSUER, NOW - 300))?.fetchedAtSeconds).toBe(NOW - 300);
    expect(await readCopy(copies, ISSUER, NOW - 301)).toBe(null);
  });

  test("has at most half a megabyte", async () => {
    const copies = await left();
    const text = copies.text ?? "";
    copies.text = text + " ".repeat(512 * 1024 - text.length);
    expect(await readCopy(copies, ISSUER, NOW)).not.toBe(null);
    copies.text += " ";
    expect(await readCopy(copies, ISSUER, NOW)).toBe(null);
  });

  test.each(["null", "5", "[]", '""', "{", "{}"])("is none where it is %s", async (text) => {
    const copies = store();
    copies.text = text;
    expect(await readCopy(copies, ISSUER, NOW)).toBe(null);
  });

  test.each<[string, unknown]>([
    ["issuer", "https://other.example.com/"],
    ["fetched_at", "now"],
    ["fetched_at", null],
    ["keys", "none"],
    ["keys", undefined],
  ])("is none where its %s is %j", async (name, value) => {
    const copies = await left();
    copies.text = JSON.stringify({ ...JSON.parse(copies.text ?? ""), [name]: value });
    expect(await readCopy(copies, ISSUER, NOW)).toBe(null);
  });
});
