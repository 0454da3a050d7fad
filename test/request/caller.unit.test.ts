import { expect, test } from "vitest";
import { callerAddress, callerCountry } from "../../src/request/caller.ts";

const from = (address: string | null) => callerAddress((name) => (name === "CF-Connecting-IP" ? address : "10.9.9.9"));

test.each([
  ["10.0.0.1"],
  ["255.255.255.255"],
  ["0.0.0.0"],
  ["2001:db8::1"],
  ["::1"],
  ["::ffff:10.0.0.1"],
  ["2001:DB8::A"],
  ["0000:0000:0000:0000:0000:ffff:255.255.255.255"],
])("believes the address %s", (address) => {
  expect(from(address)).toBe(address);
});

test.each([
  [null],
  [""],
  ["10.0.0.1, 10.0.0.2"],
  ["10.0.0.1,"],
  [" 10.0.0.1"],
  ["10.0.0.1 "],
  ["10.0.0.1\n"],
  ["10.0.0"],
  ["10.0.0.256"],
  ["010.0.0.1"],
  ["10.0.0.1."],
  ["10.0.0.1:80"],
  ["0x7f.0.0.1"],
  ["fade"],
  ["a:b"],
  ["fe80::1%eth0"],
  ["[::1]"],
  ["unknown"],
  [":".repeat(46)],
])("takes %j for no address", (address) => {
  expect(from(address)).toBe(null);
});

test("reads the address from no other header", () => {
  expect(callerAddress((name) => (name.toLowerCase() === "x-forwarded-for" ? "10.0.0.1" : null))).toBe(null);
});

test("reads the country from request.cf", () => {
  expect(callerCountry({ country: "DE" })).toBe("DE");
});

test.each([
  [undefined],
  [null],
  ["DE"],
  [{}],
  [{ country: "XX" }],
  [{ country: "T1" }],
  [{ country: "de" }],
  [{ country: "DEU" }],
  [{ country: 1 }],
])("knows no country from %j", (cf) => {
  expect(callerCountry(cf)).toBe(null);
});
