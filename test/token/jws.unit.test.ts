import fc from "fast-check";
import { expect, test } from "vitest";
import { normalizeTyp, parseJws } from "../../src/token/jws.ts";
import { base64url } from "./fixture.ts";

const HEADER = '{"alg":"ES256","typ":"at+jwt","kid":"k1"}';
const PAYLOAD = '{"iss":"https://login.example.com/","exp":1}';
const SIGNATURE = "AAAA";

function token(header = HEADER, payload = PAYLOAD, signature = SIGNATURE): string {
  return `${base64url(header)}.${base64url(payload)}.${signature}`;
}

test("reads the header, the payload and the part that was signed", () => {
  expect(parseJws(token())).toEqual({
    header: { alg: "ES256", kid: "k1", typ: "at+jwt" },
    payload: { iss: "https://login.example.com/", exp: 1 },
    signedPart: `${base64url(HEADER)}.${base64url(PAYLOAD)}`,
  });
  expect(parseJws(token('{"alg":"ES256"}'))?.header).toEqual({ alg: "ES256", kid: null, typ: null });
});

test.each([
  ["nothing", ""],
  ["a word", "undefined"],
  ["dots alone", ".."],
  ["one part", base64url(HEADER)],
  ["two parts", `${base64url(HEADER)}.${base64url(PAYLOAD)}`],
  ["four parts", `${token()}.AAAA`],
  ["five parts, as an encrypted token has", `${token()}.AAAA.AAAA`],
  ["no header", `.${base64url(PAYLOAD)}.AAAA`],
  ["no payload", `${base64url(HEADER)}..AAAA`],
  ["padding on a part", `${base64url(HEADER)}=.${base64url(PAYLOAD)}.AAAA`],
  ["white space before the signature", token(HEADER, PAYLOAD, " AAAA")],
  ["a tab in the signature", token(HEADER, PAYLOAD, "AA\tAA")],
  ["a line end after the token", `${token()}\n`],
  ["white space before the payload", `${base64url(HEADER)}. ${base64url(PAYLOAD)}.AAAA`],
  ["the other base64 alphabet", token(HEADER, PAYLOAD, "++//")],
  ["letters beyond ASCII", token(HEADER, PAYLOAD, "ＡＡＡＡ")],
  ["unused bits in a part of 2 mod 4", token(HEADER, PAYLOAD, "AB")],
  ["unused bits in a part of 3 mod 4", token(HEADER, PAYLOAD, "AAB")],
  ["a length that no bytes have", token(HEADER, PAYLOAD, "AAAAA")],
  ["a header that is no JSON", token("not json")],
  ["a header that is a list", token('[{"alg":"ES256"}]')],
  ["a header that is null", token("null")],
  ["a byte order mark", token(`\u{feff}${HEADER}`)],
  ["a payload that is a list", token(HEADER, "[]")],
  ["a payload that is a number", token(HEADER, "1")],
  ["a payload that is null", token(HEADER, "null")],
  ["a payload in UTF-16", `${base64url(HEADER)}.${btoa("\xff\xfe{\0}\0").replaceAll("=", "")}.AAAA`],
  ["a byte that is no UTF-8", `${base64url(HEADER)}.${btoa('{"a":"\xff"}').replaceAll("=", "")}.AAAA`],
  ["a comment after the payload", token(HEADER, `${PAYLOAD}//`)],
  ["an alg said twice", token('{"alg":"RS256","alg":"none"}')],
  ["a claim said twice", token(HEADER, '{"sub":"a","sub":"b"}')],
  ["a claim said twice, once in escapes", token(HEADER, '{"sub":"a","\\u0073ub":"b"}')],
  ["a member said twice further in", token(HEADER, '{"realm_access":{"roles":["a"],"roles":["b"]}}')],
  ["a member said twice in a list", token(HEADER, '{"a":[{"b":1,"b":2}]}')],
  ["__proto__ said twice", token(HEADER, '{"__proto__":1,"__proto__":2}')],
  ["a payload nested 5,000 deep", token(HEADER, `{"d":${"[".repeat(5000)}${"]".repeat(5000)}}`)],
  ["no alg", token('{"typ":"JWT"}')],
  ["an empty alg", token('{"alg":""}')],
  ["an alg that is a list", token('{"alg":["ES256"]}')],
  ["a typ that is a list", token('{"alg":"ES256","typ":["at+jwt"]}')],
  ["a typ that is null", token('{"alg":"ES256","typ":null}')],
  ["a kid that is null", token('{"alg":"ES256","kid":null}')],
  ["a kid that is an object", token('{"alg":"ES256","kid":{"a":1}}')],
  ["a kid of 257 characters", token(`{"alg":"ES256","kid":"${"k".repeat(257)}"}`)],
  ["crit", token('{"alg":"ES256","crit":["exp"],"exp":1}')],
  ["an empty crit", token('{"alg":"ES256","crit":[]}')],
  ["b64", token('{"alg":"ES256","b64":true}')],
  ["zip", token('{"alg":"ES256","zip":"DEF"}')],
  ["enc", token('{"alg":"dir","enc":"A256GCM"}')],
  ["jwk", token('{"alg":"ES256","jwk":{"kty":"EC"}}')],
  ["a header of over 4 KiB", token(`{"alg":"ES256","x":"${"x".repeat(4096)}"}`)],
  ["over 16 KiB", token(HEADER, `{"x":"${"x".repeat(16_000)}"}`)],
])("refuses %s", (_what, text) => {
  expect(parseJws(text)).toBeNull();
});

test.each([
  ["white space in the JSON", ' {\n\t"alg" : "ES256" }', PAYLOAD],
  ["braces, colons and quotes inside strings", HEADER, '{"a":"{\\"b\\":[:,\\\\","c:d":"]}"}'],
  ["one name in two objects", HEADER, '{"a":{"id":1},"b":{"id":2},"c":[{"id":3},{"id":4}]}'],
  ["a member __proto__", HEADER, '{"__proto__":{"iss":"x"}}'],
  ["an unknown parameter", '{"alg":"ES256","foo":"bar"}', PAYLOAD],
  ["a key's address, which is not followed", '{"alg":"ES256","jku":"https://evil.example/"}', PAYLOAD],
  ["a kid of 256 characters", `{"alg":"ES256","kid":"${"k".repeat(256)}"}`, PAYLOAD],
  ["a kid named as a prototype's member", '{"alg":"ES256","kid":"constructor"}', PAYLOAD],
])("reads %s", (_what, header, payload) => {
  expect(parseJws(token(header, payload))?.payload).toEqual(JSON.parse(payload));
});

test("takes nothing from a payload's __proto__", () => {
  const payload = parseJws(token(HEADER, '{"__proto__":{"iss":"x"}}'))?.payload;
  expect(payload?.["iss"]).toBeUndefined();
});

test("tells a repeated header from its remembered twin by every letter", () => {
  for (let round = 0; round < 2; round++) {
    expect(parseJws(token('{"alg":"ES256","kid":"a"}'))?.header.kid).toBe("a");
    expect(parseJws(token('{"alg":"ES256","kid":"b"}'))?.header.kid).toBe("b");
    expect(parseJws(token('{"alg":"ES256","crit":[]}'))).toBeNull();
  }
  for (let other = 0; other < 600; other++) parseJws(token(`{"alg":"ES256","kid":"${other}"}`));
  expect(parseJws(token('{"alg":"ES256","kid":"a"}'))?.header.kid).toBe("a");
});

test("any JSON object without repeated members is read as JSON.parse reads it", () => {
  const members = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }), { maxKeys: 6 });
  fc.assert(
    fc.property(members, (claims) => {
      const text = JSON.stringify(claims);
      expect(parseJws(token(HEADER, text))?.payload).toEqual(JSON.parse(text));
    }),
  );
});

test("any member that is said twice is refused, wherever it stands", () => {
  const name = fc.string({ minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(name, fc.jsonValue({ maxDepth: 3 }), fc.nat(3), (key, value, depth) => {
      const quoted = JSON.stringify(key);
      let text = `{${quoted}:${JSON.stringify(value)},${quoted}:1}`;
      for (let level = 0; level < depth; level++) text = `{"a":[${text}]}`;
      expect(parseJws(token(HEADER, text))).toBeNull();
    }),
  );
});

test("no text of bytes has two spellings", () => {
  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
  const spellings = fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 12 }).map((text) => text.join(""));
  fc.assert(
    fc.property(spellings, (signature) => {
      const accepted = parseJws(token(HEADER, PAYLOAD, signature)) !== null;
      const canonical = signature.length % 4 !== 1 && Buffer.from(signature, "base64url").toString("base64url");
      expect(accepted).toBe(canonical === signature);
    }),
  );
});

test.each([
  ["AT+JWT", "at+jwt"],
  ["application/at+jwt", "at+jwt"],
  ["Application/JWT", "jwt"],
  ["application/x/y", "application/x/y"],
  ["JWT", "jwt"],
])("the typ %s is the media type %s", (typ, normal) => {
  expect(normalizeTyp(typ)).toBe(normal);
});
