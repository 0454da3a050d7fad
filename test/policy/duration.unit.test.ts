import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { durationSchema, durationSeconds, parseDuration, positiveDurationSchema } from "../../src/policy/duration.ts";

describe("a duration", () => {
  it.each([
    ["0s", 0],
    ["5s", 5],
    ["90s", 90],
    ["15m", 900],
    ["12h", 43_200],
    ["365d", 31_536_000],
    ["36500d", 3_153_600_000],
    ["3153600000s", 3_153_600_000],
  ])("reads %s as %d seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
    expect(durationSeconds(text)).toBe(seconds);
    expect(v.is(durationSchema, text)).toBe(true);
  });

  it.each([
    "",
    "s",
    "5",
    "5 s",
    " 5s",
    "5s ",
    "5s\n",
    "-5s",
    "+5s",
    "05s",
    "1.5h",
    "1e3s",
    "500ms",
    "1w",
    "1y",
    "5S",
    "5M",
    "0x5s",
    "٥s",
    "36501d",
    "3153600001s",
    "9999999999d",
    "99999999999s",
    "1h30m",
  ])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeNull();
    expect(() => durationSeconds(text)).toThrow("not a duration");
    expect(v.is(durationSchema, text)).toBe(false);
  });

  it("may be empty only where nothing is a sensible amount", () => {
    expect(v.is(durationSchema, "0s")).toBe(true);
    expect(v.is(positiveDurationSchema, "0s")).toBe(false);
    expect(v.is(positiveDurationSchema, "0d")).toBe(false);
    expect(v.is(positiveDurationSchema, "1s")).toBe(true);
  });
});

describe("what is no duration", () => {
  it.each([
    ["15 m", 'expected a duration such as "5s", "15m", "12h" or "365d"'],
    ["36501d", "a duration is at most 36500d"],
  ])("%s is told one fault", (text, message) => {
    const result = v.safeParse(durationSchema, text);
    expect(result.issues?.map((issue) => issue.message)).toEqual([message]);
  });
});
