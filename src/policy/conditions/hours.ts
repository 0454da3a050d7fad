/**
 * Hours of the week in the local time of a time zone: from `from` (inclusive) to `to` (exclusive).
 *
 * When clocks change for daylight saving, a skipped local hour never matches, and a repeated one matches both times.
 * Computing local time takes microseconds, so each zone keeps the result for its last minute.
 * Leaves to the caller the time, in seconds since the epoch.
 */
import * as v from "valibot";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const FROM_PATTERN = /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/;
const TO_PATTERN = /^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$/;
const MINUTES_A_DAY = 24 * 60;

export interface Hours {
  readonly clock: WallClock;
  /** By day of the week, Monday first. */
  readonly days: readonly boolean[];
  /** Minutes after midnight. `to` before `from`: the hours end on the next day. */
  readonly from: number;
  readonly to: number;
}

/** The local day (0 is Monday) and minute of the day, as one number: day × 1440 + minute. */
type WallClock = (nowSeconds: number) => number;

/** `days` absent: every day. `[]`: never. */
export const hoursSchema = v.pipe(
  v.strictObject({
    tz: v.pipe(
      v.string(),
      v.check((tz) => wallClock(tz) !== null, 'expected a time zone of the IANA database, such as "Europe/Berlin"'),
    ),
    days: v.optional(v.array(v.picklist(DAYS, 'expected "mon", "tue", "wed", "thu", "fri", "sat" or "sun"'))),
    from: v.pipe(v.string(), v.regex(FROM_PATTERN, 'expected a time from "00:00" to "23:59"')),
    to: v.pipe(v.string(), v.regex(TO_PATTERN, 'expected a time from "00:00" to "24:00"')),
  }),
  v.check(({ from, to }) => from !== to, 'from and to are the same; the whole day is from "00:00" to "24:00"'),
);

/** Compiles a table that `hoursSchema` has accepted. Throws on a time zone that the runtime does not know. */
export function compileHours(table: v.InferOutput<typeof hoursSchema>): Hours {
  const clock = wallClock(table.tz);
  if (clock === null) throw new Error("not a time zone");
  const listed: ReadonlySet<string> | null = table.days === undefined ? null : new Set(table.days);
  return {
    clock,
    days: DAYS.map((day) => listed === null || listed.has(day)),
    from: minutesOf(table.from),
    to: minutesOf(table.to),
  };
}

/** Whether a time lies within the hours. Hours that pass midnight belong to the day on which they begin. */
export function isWithin(hours: Hours, nowSeconds: number): boolean {
  const minuteOfWeek = hours.clock(nowSeconds);
  const today = Math.floor(minuteOfWeek / MINUTES_A_DAY);
  const minute = minuteOfWeek % MINUTES_A_DAY;
  const { from, to, days } = hours;
  if (from < to) return days[today] === true && from <= minute && minute < to;
  return (days[today] === true && from <= minute) || (days[(today + 6) % 7] === true && minute < to);
}

function minutesOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

const clocks = new Map<string, WallClock>();
/** There are some 600 zones; the bound is for a runtime that has more. */
const MOST_CLOCKS = 1000;

/**
 * The clock of a zone, cached by lower-case name, so that other spellings create no more clocks: each takes a third of
 * a millisecond and 20 KiB, and callers who may issue tokens choose the names. Refuses an offset such as `+01:00`.
 */
function wallClock(name: string): WallClock | null {
  const tz = name.toLowerCase();
  if (!/^[a-z]/.test(tz)) return null;
  const known = clocks.get(tz);
  if (known !== undefined) return known;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: tz,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  } catch {
    return null;
  }

  let lastMinute = Number.NaN;
  let lastAnswer = Number.NaN;
  const clock: WallClock = (nowSeconds) => {
    const minute = Math.floor(nowSeconds / 60);
    if (minute !== lastMinute) {
      lastAnswer = read(format, minute * 60_000);
      lastMinute = minute;
    }
    return lastAnswer;
  };
  if (clocks.size < MOST_CLOCKS) clocks.set(tz, clock);
  return clock;
}

function read(format: Intl.DateTimeFormat, milliseconds: number): number {
  const parts = new Map(format.formatToParts(milliseconds).map(({ type, value }) => [type, value]));
  const weekday = parts.get("weekday")?.toLowerCase() ?? "";
  const day = (DAYS as readonly string[]).indexOf(weekday);
  if (day < 0) return Number.NaN;
  return day * MINUTES_A_DAY + Number(parts.get("hour")) * 60 + Number(parts.get("minute"));
}
