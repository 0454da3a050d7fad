/**
 * A clock for ages, made of one that may jump. Guarantees never to run backwards, so that knowledge never grows younger: a
 * jump back counts as no time at all, a jump ahead as the time that it claims (and so makes knowledge old, which only costs a refresh).
 */
export interface SteadyClock {
  /** Milliseconds since the clock was made, at the wall time `nowMilliseconds`; a time read before the latest counts as the latest. */
  at(nowMilliseconds: number): number;
}

/** A clock over `now`, which is read again only where the time handed in lies before one that was seen. */
export function createSteadyClock(now: () => number): SteadyClock {
  let latest = now();
  let elapsed = 0;
  return {
    at(nowMilliseconds) {
      let wall = nowMilliseconds;
      if (wall < latest) {
        // Either the caller read the time before others did, or the clock itself went back.
        wall = now();
        if (wall < latest) latest = wall;
      }
      elapsed += wall - latest;
      latest = wall;
      return elapsed;
    },
  };
}
