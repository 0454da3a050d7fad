/** Whether a day is in the calendar. `Date.parse` takes the 31st of June for the 1st of July. `month`: from 1. */
export function isRealDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() + 1 === month && date.getUTCDate() === day;
}
