/** Times of the admin API: RFC 3339 on the wire (responses in UTC), seconds since the epoch inside. */
import { isRealDay } from "../policy/day.ts";

const PATTERN = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[+-](\d{2}):(\d{2}))$/;

/** The first and the last second that have a year of four digits in UTC. */
const FIRST = Date.parse("0000-01-01T00:00:00Z") / 1000;
const LAST = Date.parse("9999-12-31T23:59:59Z") / 1000;

/** `2026-11-22T08:00:00Z`. */
export function formatInstant(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** Like `formatInstant`; `null` stays `null`. */
export function formatInstantOrNull(seconds: number | null): string | null {
  return seconds === null ? null : formatInstant(seconds);
}

/**
 * Parses an RFC 3339 §5.6 date-time into seconds, which may have a fraction; `null` where the text is not one, the day does
 * not exist, or the time in UTC, rounded up to a second, has no four-digit year.
 */
export function parseInstant(text: string): number | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  if (hour > 23 || minute > 59 || second > 59 || Number(match[7] ?? 0) > 23 || Number(match[8] ?? 0) > 59) return null;
  if (!isRealDay(year, month, day)) return null;
  const seconds = Date.parse(text) / 1000;
  return seconds >= FIRST && seconds <= LAST ? seconds : null;
}
