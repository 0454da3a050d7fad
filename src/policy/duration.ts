/**
 * Durations as the policy writes them (contract §2): a whole number and one unit, `"5s"`, `"15m"`, `"12h"`, `"365d"`.
 *
 * Guarantees: one spelling for each number (no sign, no leading zero, no fraction, no space) and no duration over a
 * hundred years (36500d), so that adding one to a time never loses precision.
 * Leaves to the caller which bounds make sense for a key, beyond "at least 1s".
 */
import * as v from "valibot";

const PATTERN = /^(0|[1-9][0-9]{0,9})([smhd])$/;
const SECONDS = new Map([
  ["s", 1],
  ["m", 60],
  ["h", 3600],
  ["d", 86_400],
]);
const LONGEST_SECONDS = 36_500 * 86_400;

/** The seconds in a duration, 0 for `"0s"`; `null` where the text is not a duration. */
export function parseDuration(text: string): number | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const seconds = Number(match[1]) * (SECONDS.get(match[2] ?? "") ?? Number.NaN);
  return seconds <= LONGEST_SECONDS ? seconds : null;
}

/** The seconds of a duration that a schema has accepted. Throws on any other text. */
export function durationSeconds(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === null) throw new Error("not a duration");
  return seconds;
}

/** A duration; `"0s"` is accepted. */
export const durationSchema = v.pipe(
  v.string('expected a duration such as "15m"'),
  v.regex(PATTERN, 'expected a duration such as "5s", "15m", "12h" or "365d"'),
  v.check((text) => !PATTERN.test(text) || parseDuration(text) !== null, "a duration is at most 36500d"),
);

/** A duration of at least one second. */
export const positiveDurationSchema = v.pipe(
  durationSchema,
  v.check((text) => parseDuration(text) !== 0, "expected a duration of at least 1s"),
);
