/**
 * A monotonic clock for ages, made from a wall clock that may jump. Guarantees that ages never shrink: a jump back counts as
 * no time, a jump ahead as the time that it shows (which makes data look older, and only costs a refresh).
 */
export interface SteadyClock {
  /** Milliseconds from the clock's creation to the wall time `nowMilliseconds`; a time before the latest counts as the latest. */
  at(nowMilliseconds: number): number;
}

/** A clock over `now`, which is read again only if the time passed to `at` is before the latest. */
export function createSteadyClock(now: () => number): SteadyClock {
  let latest = now();
  let elapsed = 0;
  return {
    at(nowMilliseconds) {
      let wall = nowMilliseconds;
      if (wall < latest) {
        // Either the caller read its time before another caller did, or the clock itself jumped back.
        wall = now();
        if (wall < latest) latest = wall;
      }
      elapsed += wall - latest;
      latest = wall;
      return elapsed;
    },
  };
}
