import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalPath } from "../../src/request/path.ts";

const CORPORA = `${import.meta.dirname}/../../../shared/corpora`;
const hasCorpora = existsSync(CORPORA);
const withCorpora = hasCorpora ? "" : " (skipped: ../shared/corpora is not here)";

function corpus(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(`${CORPORA}/${name}`, "utf8"));
}

const pathOf = (target: string) => canonicalPath(`http://h.test${target}`, "h.test")?.path ?? null;

describe("a path with one spelling", () => {
  test.each([
    ["/"],
    ["/v1/charges"],
    ["/v1/charges/"],
    ["/v1/files/a..b"],
    ["/v1/files/..."],
    ["/v1/files/.hidden"],
    ["/v1/files/..hidden"],
    ["/v1/files/a."],
    ["/v1/files/a%20b"],
    ["/v1/files/%20a"],
    ["/v1/files/a%2Bb"],
    ["/v1/files/a+b"],
    ["/v1/files/a'b(c)!*$&=,:@~_-"],
    ["/v1/files/caf%C3%A9.txt"],
    ["/v1/files/%F0%9F%98%80"],
    ["/v1/files/%F4%8F%BF%BF"],
    ["/v1/files/%ED%9F%BF%EE%80%80"],
    ["/v1/files/%C2%A0"],
    ["/v1/files/a%5Bb%5D[c]|%3F%23"],
  ])("leaves %s as it is", (target) => {
    expect(pathOf(target)).toBe(target);
  });

  test.each([
    ["/%76%31/%61%64%6d%69%6e", "/v1/admin"],
    ["/v1/%7euser", "/v1/~user"],
    ["/v1/a%2eb", "/v1/a.b"],
    ["/v1/%2E%2E%2E", "/v1/..."],
    ["/v1/a%2bb", "/v1/a%2Bb"],
    ["/v1/caf%c3%a9", "/v1/caf%C3%A9"],
    ["/v1/%f0%9f%98%80x%41", "/v1/%F0%9F%98%80xA"],
    ["/v1/{id}", "/v1/%7Bid%7D"],
    ['/v1/a b"<>`^', "/v1/a%20b%22%3C%3E%60%5E"],
    ["/v1/%7bid%7d", "/v1/%7Bid%7D"],
    ['/v1/"', "/v1/%22"],
    ["/v1/a/{/b", "/v1/a/%7B/b"],
  ])("spells %s as %s", (target, path) => {
    expect(pathOf(target)).toBe(path);
  });
});

describe("a path with more than one reading is refused", () => {
  test.each([
    ["a dot segment", ["/.", "/..", "/a/./b", "/a/../b", "/a/..", "/a/.", "/../a", "/a/..?x", "/a/.#x"]],
    ["an encoded dot segment", ["/%2e", "/a/%2e%2E/b", "/a/.%2e", "/a/%2e.?x", "/%2E/a"]],
    [
      "a dot segment beside an encoded slash",
      ["/a%2F..%2Fb", "/..%5Cx", "/a%5c.", "/a/%2e%2e%2fb", "/x%2f%2e/y", "/a%2F%2E%2E"],
    ],
    ["dots and encoded spaces", ["/a/..%20/b", "/a/%20", "/a/.%20.", "/a/%20..", "/a/...%20", "/a%2F%20", "/a/. /b"]],
    ["an empty segment", ["//", "//a", "/a//b", "/a//", "/%41//b", "/a%20//"]],
    ["a backslash", ["/a\\b", "/\\h", "/a\\..\\b", "/%41\\b"]],
    ["a semicolon", ["/a;b", "/a;", "/..;/a", "/a%3Bb", "/a%3b", "/%41;b"]],
    ["a double encoding", ["/%25", "/%252e%252e/a", "/a%252Fb", "/%2561"]],
    [
      "a control character",
      ["/%00", "/a%09", "/a%0d%0a", "/%1F", "/%7f", "/%C2%80", "/%c2%9f", "/a\tb", "/a\u007f", "/%41\n"],
    ],
    [
      "an escape that is none",
      ["/%", "/%2", "/%zz", "/%2g", "/%u002e", "/%%30", "/a%", "/%C3%", "/%C3%A", "/%+1", "/% 1", "/%1_"],
    ],
    [
      "an escape that is not UTF-8",
      [
        ..."%80 %BF %C3 %C3a %C3%41 %ff %fe %c0%ae %c1%bf %e0%80%af %e0%9f%bf %f0%80%80%af %f0%8f%bf%bf".split(" "),
        ..."%ed%a0%80 %ed%bf%bf %f4%90%80%80 %f5%80%80%80 %f8%88%80%80%80 %E2%82 %E2%82x %F0%9F%98 %C3%A9%A9".split(
          " ",
        ),
      ].map((escapes) => `/a/${escapes}`),
    ],
    ["a raw character beyond ASCII", ["/é", "/\u0080", "/\uff0f", "/\ud800", "/%41é", "/a/\u{1F600}"]],
  ])("%s", (_, targets) => {
    for (const target of targets) expect([target, pathOf(target)]).toEqual([target, null]);
  });
});

test("tells of an encoded slash, and of nothing else", () => {
  const encodedSlash = (target: string) => canonicalPath(`http://h${target}`, "h")?.encodedSlash;
  expect(encodedSlash("/@acme%2fhello")).toBe(true);
  expect(encodedSlash("/a%5Cb")).toBe(true);
  expect(encodedSlash("/https:%2F%2Fexample.com%2F")).toBe(true);
  expect(encodedSlash("/a%20b")).toBe(false);
  expect(encodedSlash("/a/b?x=%2F")).toBe(false);
  expect(pathOf("/@acme%2fhello%5cx")).toBe("/@acme%2Fhello%5Cx");
});

test.each([
  ["/a", ""],
  ["/a?", "?"],
  ["/a?x=/../b//;%25%00", "?x=/../b//;%25%00"],
  ["/a??x", "??x"],
  ["/a?x#y?z", "?x"],
  ["/a#y?z", ""],
  ["/%61?x#y", "?x"],
])("gives the query of %s as it came", (target, query) => {
  expect(canonicalPath(`https://h${target}`, "h")).toMatchObject({ path: "/a", query });
});

describe("the Host header", () => {
  test.each([
    ["h.test"],
    ["H.TEST:443"],
    ["127.0.0.1:8787"],
    ["[::1]"],
    ["[2001:db8::1]:8080"],
    ["my_origin-1"],
    ["xn--mnchen-3ya.de."],
  ])("%s is host[:port]", (host) => {
    expect(canonicalPath(`http://${host}/v1`, host)?.path).toBe("/v1");
    expect(canonicalPath("http://other.test/v1", host)?.path).toBe("/v1");
    expect(canonicalPath(`https://${host}/v1`, null)?.path).toBe("/v1");
  });

  test.each([
    ["h.test/v1/public?"],
    ["h.test/v1/public"],
    ["h.test?"],
    ["h.test#"],
    ["h.test\\x"],
    ["a@h.test"],
    ["a.test:80@evil"],
    ["h.test:"],
    ["h.test:123456"],
    ["h.test:8a"],
    [":80"],
    [""],
    ["[::1"],
    ["[]"],
    ["[::1%25eth0]"],
    ["[::1]x"],
    ["h%2etest"],
    ["h.test, b.test"],
    ["h test"],
    ["hé.test"],
  ])("%j is not, and its request is refused", (host) => {
    expect(canonicalPath(`http://${host}/v1/admin`, host)).toBe(null);
    expect(canonicalPath("http://h.test/v1/admin", host)).toBe(null);
  });

  test("needs a path behind it", () => {
    for (const url of [
      "http://h.test",
      "http://h.test*",
      "http://h.test?/a",
      "http://h.test#/a",
      "http:///a",
      "ftp://h/a",
      "h/a",
    ]) {
      expect([url, canonicalPath(url, null)]).toEqual([url, null]);
    }
  });
});

describe("for every target", () => {
  const piece = fc.oneof(
    fc.constantFrom(...'/.%;\\?# {}"<>^`|[]@:+~aZ09é\u0080\ud800\u{1F600}\t\u007f'),
    fc.constantFrom(
      "%2e",
      "%2E",
      "%2f",
      "%5C",
      "%20",
      "%25",
      "%00",
      "%3b",
      "%41",
      "%7e",
      "%c3%a9",
      "%C3",
      "%f0%9f%98%80",
      "..",
      "//",
    ),
    fc.integer({ min: 0, max: 255 }).map((octet) => `%${octet.toString(16).padStart(2, "0")}`),
    fc.string({ maxLength: 3 }),
  );
  const target = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join("")}`);
  const runs = { numRuns: 20_000 };

  test("the URL parser leaves a canonical path as it is", () => {
    fc.assert(
      fc.property(target, (raw) => {
        const path = pathOf(raw);
        if (path !== null) expect(new URL(`http://h${path}`).pathname).toBe(path);
      }),
      runs,
    );
  });

  test("canonical twice is canonical once", () => {
    fc.assert(
      fc.property(target, (raw) => {
        const once = canonicalPath(`http://h${raw}`, null);
        if (once !== null) expect(canonicalPath(`http://h${once.path}${once.query}`, null)).toEqual(once);
      }),
      runs,
    );
  });

  test("a canonical path decodes to the text that the target decodes to, in segments that mean themselves", () => {
    fc.assert(
      fc.property(target, (raw) => {
        const path = pathOf(raw);
        if (path === null) return;
        const asked = raw.split(/[?#]/)[0] ?? "";
        expect(decodeURIComponent(path)).toBe(decodeURIComponent(asked));
        for (const segment of decodeURIComponent(path).split(/[/\\]/))
          expect(segment).not.toMatch(/^(?:\.{1,2}|[. ]* [. ]*)$/);
        expect(path).not.toMatch(/\/\/|;|%25|%3B|%[0-1].|%7F|[^\x21-\x7e]/);
      }),
      runs,
    );
  });

  test("what the URL parser has resolved first is judged no more strictly than the raw target", () => {
    fc.assert(
      fc.property(target, (raw) => {
        const path = pathOf(raw);
        if (path !== null) expect(pathOf(new URL(`http://h${raw}#`).pathname)).toBe(path);
      }),
      runs,
    );
  });
});

describe("the corpora", () => {
  interface Observed {
    readonly requestUrl?: string;
  }
  interface Row {
    readonly id: string;
    readonly target: string;
    readonly host?: string;
  }

  test.skipIf(!hasCorpora)(
    `whatever a runtime makes of a target, what is let through is what fetch sends${withCorpora}`,
    () => {
      const { rows } = corpus("workerd-observations.json") as { rows: (Row & Record<string, Observed>)[] };
      let seen = 0;
      for (const row of rows) {
        for (const runtime of ["workerd-2026-11-17", "wrangler-dev-4.164.0"]) {
          const url = row[runtime]?.requestUrl;
          if (url === undefined) continue;
          const host = runtime.startsWith("workerd") ? (row.host ?? "h.test") : null;
          const result = canonicalPath(url, host);
          if (result === null) continue;
          seen++;
          expect([row.id, new URL(`http://origin.test${result.path}`).pathname]).toEqual([row.id, result.path]);
          expect([row.id, decodeURIComponent(result.path)]).toEqual([
            row.id,
            decodeURIComponent(new URL(url).pathname),
          ]);
        }
      }
      expect(seen).toBeGreaterThan(150);
    },
  );

  test.skipIf(!hasCorpora)(`bare workerd's raw targets of every ambiguous category are refused${withCorpora}`, () => {
    const { rows } = corpus("workerd-observations.json") as { rows: (Row & Record<string, Observed>)[] };
    const ambiguous = /^(?:dot|edot|esl|bs|dbl|mtx|emp|pct|ctl)-/;
    const forwarded = rows
      .filter((row) => ambiguous.test(row.id) && row["workerd-2026-11-17"]?.requestUrl !== undefined)
      .filter((row) => {
        const result = canonicalPath(row["workerd-2026-11-17"]?.requestUrl ?? "", row.host ?? "h.test");
        return result !== null && !result.encodedSlash;
      });
    expect(forwarded.map((row) => `${row.id} ${row.target}`)).toEqual([]);
  });

  test.skipIf(!hasCorpora)(`a Host header with a path in it is refused on bare workerd${withCorpora}`, () => {
    const { rows } = corpus("workerd-observations.json") as { rows: (Row & Record<string, Observed>)[] };
    const tricks = rows.filter((row) => row.host !== undefined && /[/?#\\@]/.test(row.host));
    expect(tricks.length).toBeGreaterThan(4);
    for (const row of tricks) {
      expect(canonicalPath(row["workerd-2026-11-17"]?.requestUrl ?? "", row.host ?? null)).toBe(null);
    }
  });

  test.skipIf(!hasCorpora)(`the positive controls go through as they are${withCorpora}`, () => {
    const { entries } = corpus("path-bypass.json") as { entries: { id: string; category: string; target: string }[] };
    const controls = entries.filter((entry) => entry.category === "positive-controls");
    expect(controls.length).toBeGreaterThan(15);
    for (const { target } of controls) {
      const result = canonicalPath(`http://h.test${target}`, "h.test");
      expect(`${result?.path}${result?.query}`).toBe(target);
    }
  });

  test.skipIf(!hasCorpora)(
    `a path that a peer's proxy would turn into another one is refused, or spelt like that${withCorpora}`,
    () => {
      const { paths } = corpus("paths.json") as { paths: { id: string; input: string; expected: unknown }[] };
      for (const { id, input, expected } of paths) {
        if (typeof expected !== "string" || !input.startsWith("/") || !expected.startsWith("/")) continue;
        const path = pathOf(input);
        if (path === null || path === input.split(/[?#]/)[0]) continue;
        expect([id, decodeURIComponent(path)]).toEqual([id, decodeURIComponent(expected.split(/[?#]/)[0] ?? "")]);
      }
    },
  );
});
