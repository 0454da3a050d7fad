import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { compileHours, hoursSchema, isWithin } from "../../../src/policy/conditions/hours.ts";

function holds(table: unknown, time: string): boolean {
  return isWithin(compileHours(v.parse(hoursSchema, table)), Date.parse(time) / 1000);
}

describe("hours", () => {
  const office = { tz: "UTC", days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00" } as const;
  const night = { tz: "UTC", days: ["fri"], from: "22:00", to: "06:00" } as const;

  it.each([
    ["2026-03-02T07:59:59.999Z", false],
    ["2026-03-02T08:00:00Z", true],
    ["2026-03-02T17:59:59Z", true],
    ["2026-03-02T18:00:00Z", false],
    ["2026-03-06T12:00:00Z", true],
    ["2026-03-07T12:00:00Z", false],
    ["2026-03-08T12:00:00Z", false],
  ])("on weekdays from 08:00 to 18:00: %s is %s", (time, expected) => {
    expect(holds(office, time)).toBe(expected);
  });

  it.each([
    ["2026-03-05T23:00:00Z", false],
    ["2026-03-06T05:00:00Z", false],
    ["2026-03-06T21:59:59Z", false],
    ["2026-03-06T22:00:00Z", true],
    ["2026-03-07T00:00:00Z", true],
    ["2026-03-07T05:59:59Z", true],
    ["2026-03-07T06:00:00Z", false],
    ["2026-03-07T22:00:00Z", false],
    ["2026-03-08T05:00:00Z", false],
  ])("over midnight they belong to the day on which they began: %s is %s", (time, expected) => {
    expect(holds(night, time)).toBe(expected);
  });

  it("over midnight go from Sunday into Monday", () => {
    const sunday = { ...night, days: ["sun"] } as const;
    expect(holds(sunday, "2026-03-09T05:59:00Z")).toBe(true);
    expect(holds(sunday, "2026-03-08T05:59:00Z")).toBe(false);
    expect(holds({ ...night, days: ["mon"] }, "2026-03-09T05:59:00Z")).toBe(false);
  });

  it("end at midnight whether it is written 00:00 or 24:00", () => {
    for (const to of ["00:00", "24:00"]) {
      const evening = { tz: "UTC", days: ["mon"], from: "18:00", to } as const;
      expect(holds(evening, "2026-03-02T23:59:59Z")).toBe(true);
      expect(holds(evening, "2026-03-03T00:00:00Z")).toBe(false);
      expect(holds(evening, "2026-03-02T00:00:00Z")).toBe(false);
    }
  });

  it("cover the whole of a day from 00:00 to 24:00, every day where none is named, and never where the list is empty", () => {
    const all = { tz: "UTC", from: "00:00", to: "24:00" } as const;
    for (let hour = 0; hour < 24 * 7; hour++) {
      const time = new Date(Date.UTC(2026, 2, 2, hour, 59)).toISOString();
      expect(holds(all, time)).toBe(true);
      expect(holds({ ...all, days: [] }, time)).toBe(false);
      expect(holds({ ...all, days: ["mon"] }, time)).toBe(hour < 24);
    }
  });

  it("follow the clock on the wall where it is put forward", () => {
    // Berlin, Sunday 2026-03-29: after 01:59 comes 03:00 (01:00 UTC).
    const berlin = (from: string, to: string) => ({ tz: "Europe/Berlin", days: ["sun"] as ["sun"], from, to });
    expect(holds(berlin("01:00", "02:00"), "2026-03-29T00:59:59Z")).toBe(true);
    expect(holds(berlin("01:00", "02:30"), "2026-03-29T01:00:00Z")).toBe(false);
    expect(holds(berlin("02:00", "03:00"), "2026-03-29T00:59:59Z")).toBe(false);
    expect(holds(berlin("02:00", "03:00"), "2026-03-29T01:00:00Z")).toBe(false);
    expect(holds(berlin("02:30", "04:00"), "2026-03-29T01:00:00Z")).toBe(true);
    expect(holds(berlin("03:00", "04:00"), "2026-03-29T01:00:00Z")).toBe(true);
    expect(holds(berlin("03:00", "04:00"), "2026-03-29T02:00:00Z")).toBe(false);
    expect(holds(berlin("00:00", "24:00"), "2026-03-28T23:00:00Z")).toBe(true);
    expect(holds(berlin("00:00", "24:00"), "2026-03-29T22:00:00Z")).toBe(false);
  });

  it("hold in both hours of the same name where the clock is put back", () => {
    // Berlin, Sunday 2026-10-25: 02:00 to 02:59 comes twice (00:00 and 01:00 UTC).
    const twice = { tz: "Europe/Berlin", days: ["sun"], from: "02:00", to: "03:00" } as const;
    expect(holds(twice, "2026-10-24T23:59:59Z")).toBe(false);
    expect(holds(twice, "2026-10-25T00:00:00Z")).toBe(true);
    expect(holds(twice, "2026-10-25T00:59:59Z")).toBe(true);
    expect(holds(twice, "2026-10-25T01:00:00Z")).toBe(true);
    expect(holds(twice, "2026-10-25T01:59:59Z")).toBe(true);
    expect(holds(twice, "2026-10-25T02:00:00Z")).toBe(false);
  });

  it("know the days of New York from those of UTC", () => {
    const friday = { tz: "America/New_York", days: ["fri"], from: "20:00", to: "02:00" } as const;
    // 2026-03-06, UTC-5.
    expect(holds(friday, "2026-03-07T00:59:59Z")).toBe(false);
    expect(holds(friday, "2026-03-07T01:00:00Z")).toBe(true);
    expect(holds(friday, "2026-03-07T06:59:59Z")).toBe(true);
    expect(holds(friday, "2026-03-07T07:00:00Z")).toBe(false);
    // 2026-03-13, after the change, UTC-4.
    expect(holds(friday, "2026-03-14T00:00:00Z")).toBe(true);
    expect(holds(friday, "2026-03-14T06:00:00Z")).toBe(false);
    // The night of the change: Saturday into Sunday 2026-03-08, 02:00 becomes 03:00.
    const saturday = { ...friday, days: ["sat"] } as const;
    expect(holds(saturday, "2026-03-08T06:59:59Z")).toBe(true);
    expect(holds(saturday, "2026-03-08T07:00:00Z")).toBe(false);
  });

  it("know zones that are off by parts of an hour", () => {
    const kathmandu = { tz: "Asia/Kathmandu", days: ["mon"], from: "00:00", to: "00:01" } as const;
    expect(holds(kathmandu, "2026-03-01T18:15:00Z")).toBe(true);
    expect(holds(kathmandu, "2026-03-01T18:16:00Z")).toBe(false);
    expect(holds({ ...kathmandu, tz: "UTC" }, "2026-03-02T00:00:59Z")).toBe(true);
  });

  it("answer for times in any order", () => {
    const hours = compileHours({ tz: "Europe/Berlin", from: "08:00", to: "09:00" });
    const inside = Date.parse("2026-07-01T06:30:00Z") / 1000;
    for (const [offset, expected] of [
      [0, true],
      [3600, false],
      [0, true],
      [-3600, false],
      [29 * 60, true],
      [30 * 60, false],
    ] as const) {
      expect(isWithin(hours, inside + offset)).toBe(expected);
    }
    expect(isWithin(hours, -86_400 * 365 * 10 + 7 * 3600 + 60)).toBe(true);
  });

  it.each([
    ["an unknown zone", { tz: "Europe/Berln" }],
    ["an offset, which is no zone", { tz: "+01:00" }],
    ["no zone", { tz: "" }],
    ["a zone that is no text", { tz: 1 }],
    ["a day in full", { days: ["monday"] }],
    ["a day in another case", { days: ["Mon"] }],
    ["a day alone", { days: "mon" }],
    ["an hour of one digit", { from: "8:00" }],
    ["an hour that is not", { from: "24:00" }],
    ["a minute that is not", { from: "08:60" }],
    ["seconds", { to: "18:00:00" }],
    ["an end beyond the day", { to: "24:01" }],
    ["an end where it begins", { to: "08:00" }],
    ["a key too many", { until: "19:00" }],
    ["no end", { to: undefined }],
  ])("refuse %s", (_, change) => {
    expect(v.is(hoursSchema, office)).toBe(true);
    expect(v.is(hoursSchema, { ...office, ...change })).toBe(false);
  });

  it("throw where an unknown zone was not checked", () => {
    expect(() => compileHours({ tz: "Nowhere", from: "00:00", to: "01:00" })).toThrow("not a time zone");
  });
});
