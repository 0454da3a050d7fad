/** The time that `--at` takes: RFC 3339 §5.6 with its zone; the seconds may be left out. */
import { isRealDay } from "../policy/day.ts";

const PATTERN = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Whole seconds since the epoch; `null` if the text is not such a time, or its day does not exist. */
export function instantOf(text: string): number | null {
  const match = PATTERN.exec(text);
  const milliseconds = Date.parse(text);
  if (match === null || Number.isNaN(milliseconds)) return null;
  const [year = 0, month = 0, day = 0, hour = 0] = match.slice(1).map(Number);
  // `Date.parse` accepts 24:00 as the start of the next day.
  return isRealDay(year, month, day) && hour <= 23 ? Math.floor(milliseconds / 1000) : null;
}
