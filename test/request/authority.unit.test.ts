import { expect, test } from "vitest";
import { pathStart } from "../../src/request/authority.ts";
import { canonicalPath } from "../../src/request/path.ts";

test.each([
  ["http://h/", 8],
  ["https://h/", 9],
  ["http://h:1/", 10],
  ["http://h9:65535/", 15],
  ["http://az.AZ-09_x/", 17],
  ["http://[::1]/", 12],
  ["http://[09af:AF::1.2.3.4]:8787/", 30],
])("the path of %s begins at %i", (url, at) => {
  expect(pathStart(url, null)).toBe(at);
  expect(pathStart(url, url.slice(url.indexOf("//") + 2, -1))).toBe(at);
});

test.each([
  ["ftp://host.test/x"],
  ["ws://host.test/a/b"],
  ["xttps://host.test/x"],
  ["/path/only"],
  ["http://"],
  ["http://h"],
  ["http:///x"],
  ["http://h:/x"],
  ["http://h:123456/x"],
  ["http://h:a/x"],
  ["http://h:1:2/x"],
  ["http://a@h/x"],
  ["http://h#/x"],
  ["http://h?/x"],
  ["http://h%41/x"],
  ["http://h`/x"],
  ["http://h{/x"],
  ["http://[]/x"],
  ["http://[::1/x"],
  ["http://[::g]/x"],
  ["http://[::`]/x"],
  ["http://[::1]x/x"],
  ["http://::1/x"],
])("%s has no path that could be told", (url) => {
  expect(pathStart(url, null)).toBe(-1);
  expect(canonicalPath(url, null)).toBe(null);
});

test.each([["h/x"], ["h?"], ["h#"], ["h:"], ["h:123456"], [""], ["a h"], ["a,h"], ["h:8:8"], ["[::1"]])(
  "a Host header %j is refused before an URL that is whole",
  (host) => {
    expect(pathStart("http://h.test/x", host)).toBe(-1);
  },
);

test("a Host header may differ from the URL's, as long as it is host[:port]", () => {
  expect(pathStart("http://h.test/x", "other.test:8080")).toBe(13);
});

test("a character beyond ASCII is refused, even where an escape's digits follow it", () => {
  expect(canonicalPath("http://h/\u008041", null)).toBe(null);
  expect(canonicalPath("http://h/%41\u008041", null)).toBe(null);
  expect(canonicalPath("http://h/\u00ff41", null)).toBe(null);
  // As an escape is read: the character itself is never looked at.
  for (const code of [0x80, 0x81, 0xff, 0x100, 0xfffd]) {
    for (const path of ["/@41", "/@2D", "/a@7Eb", "/%41@41", "/@C3%A9"]) {
      expect(canonicalPath(`http://h${path.replace("@", String.fromCharCode(code))}`, null)).toBe(null);
    }
  }
});
