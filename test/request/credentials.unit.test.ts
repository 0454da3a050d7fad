import fc from "fast-check";
import { expect, test } from "vitest";
import { credentials } from "../../src/request/credentials.ts";

const token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

test.each([
  [`Bearer ${token}`, token],
  [`bearer ${token}`, token],
  [`BEARER ${token}`, token],
  ["Bearer a-._~+/9==", "a-._~+/9=="],
  [`Bearer   ${token}`, token],
  [`Bearer ${"a".repeat(16_384)}`, "a".repeat(16_384)],
])("reads the token of %.30s", (header, expected) => {
  expect(credentials(header)).toEqual({ kind: "bearer", token: expected });
});

test.each([
  [null],
  ["Basic dXNlcjpwYXNz"],
  ['Digest username="a", realm="b, c", nonce="d"'],
  ["DPoP abc"],
  ["Bearerish abc"],
  ['Basic a, Digest realm="x"'],
  ["Basic bearer"],
  ["Basic a, bearerish b"],
])("finds no token in %j", (header) => {
  expect(credentials(header)).toEqual({ kind: "none" });
});

test.each([
  ["Bearer"],
  ["Bearer "],
  ["Bearer\ta"],
  ["Bearer \ta"],
  ["Bearer a "],
  ["Bearer a b"],
  ["Bearer a\tb"],
  ['Bearer "a"'],
  ["Bearer a=b"],
  ["Bearer ="],
  ["Bearer a,b"],
  ["Bearer one, Bearer two"],
  ["Bearer one, Basic two"],
  ["Bearer one,"],
  ["Basic one, Bearer two"],
  ["Basic one,bEARER two"],
  ["Basic one,\tBearer"],
  ['Digest realm="a, Bearer b"'],
  [", Bearer two"],
  ["Bearer é"],
  ["Bearer a\u0100"],
  ["Bearer:a"],
  ["Bearer=a b"],
  [token],
  ["Basic"],
  [""],
  [`Bearer ${"a".repeat(16_385)}`],
])("refuses %.40j as malformed", (header) => {
  expect(credentials(header)).toEqual({ kind: "malformed" });
});

test("whatever follows Bearer and spaces (RFC 6750 §2.1) is one b64token or malformed", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'aZ9-._~+/=, \t"é\u0100') }));
  fc.assert(
    fc.property(text, (value) => {
      const token = value.replace(/^ +/, "");
      const isToken = /^[A-Za-z0-9\-._~+/]+=*$/.test(token) && !token.endsWith("\n");
      expect(credentials(`Bearer ${value}`)).toEqual(isToken ? { kind: "bearer", token } : { kind: "malformed" });
    }),
    { numRuns: 20_000 },
  );
});

test("a second credential behind a bearer token, or a bearer token behind another credential, never passes as none", () => {
  const scheme = fc.constantFrom("Basic", "Digest", "Bearer", "bearer", "DPoP");
  const credential = fc.tuple(scheme, fc.stringMatching(/^[a-z0-9]{1,8}$/)).map(([name, value]) => `${name} ${value}`);
  fc.assert(
    fc.property(fc.array(credential, { minLength: 2, maxLength: 4 }), (all) => {
      const anyBearer = all.some((one) => /^bearer /i.test(one));
      expect(credentials(all.join(", ")).kind).toBe(anyBearer ? "malformed" : "none");
    }),
  );
});
