/** Whether a date exists: `Date.parse` reads the 31st of June as the 1st of July. `month`: from 1. */
export function isRealDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() + 1 === month && date.getUTCDate() === day;
}
