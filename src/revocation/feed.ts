/**
 * Keeps an isolate's revocation index current, and says whether what it knows is recent enough to decide.
 *
 * The promise: a revocation is in force everywhere within `refresh` plus the time of one query; no decision rests on
 * knowledge older than `max_staleness`; a warm request costs no I/O.
 *
 * Why it holds. Knowledge has the age of the query that it came from, counted from before that query was SENT to the
 * primary; so whatever was committed when it was sent is in it. A decision is made without waiting only
 *   (1) at an age below `refresh`, or
 *   (2) up to `GRACE` (the time that a query may take) beyond it, while the next query is on its way.
 * At a higher age the request waits for a query. So a decision at time t knows all that was committed by t - refresh -
 * GRACE, or by the sending of the query that it waited for; in every isolate, however seldom it is asked. An answer shared
 * through the Cache API carries the time at which ITS query was sent, is taken only where that is less than `refresh` ago,
 * and is subject to the same rule: sharing moves no bound. Only where D1 has failed, or two attempts in a row gave no sign
 * of life for `PATIENCE`, does older knowledge decide, never as old as `max_staleness`; from there on `ready` says no until
 * a query succeeds.
 *
 * On workerd a promise that rests on another request's I/O may never settle, if that request is cancelled. So nobody waits
 * for another's attempt longer than it shows progress: who notices takes it over. All waits are bounded.
 *
 * Accepts: a backward jump of the clock counts as no time (`steady-clock.ts`); the clocks of a location's machines differ
 * by milliseconds; isolates that share answers refresh up to a quarter earlier, so that they do not all ask at once.
 */
import { withDeadline } from "../deadline.ts";
import { createKnowledge, type KnowledgeOptions } from "./knowledge.ts";
import { createSteadyClock } from "./steady-clock.ts";
import type { RevocationSubject } from "./subject.ts";

export interface RevocationFeed {
  /**
   * `true`: what is known is recent enough to decide; else a promise of whether it has become so, settled within
   * seconds. Begins the refresh behind the request where one is due. Synchronous, without allocation, while fresh.
   */
  ready(nowMilliseconds: number, behind: (work: Promise<unknown>) => void): true | Promise<boolean>;
  /** Whether the token is revoked by what is known. Does not ask whether that is recent: `ready` does. */
  isRevoked(subject: RevocationSubject, nowSeconds: number): boolean;
  /** Asks the D1 primary now (`revocation = "strict"`). `null`: it could not be asked in time, and nothing may be decided. */
  isRevokedStrict(subject: RevocationSubject, nowSeconds: number): Promise<boolean | null>;
  /** The last row that this isolate holds and how old that knowledge is; `null` before it has caught up once. */
  state(nowMilliseconds: number): { readonly sequence: number; readonly ageMilliseconds: number } | null;
}

export interface RevocationFeedOptions extends KnowledgeOptions {
  readonly maxStalenessMilliseconds: number;
}

interface Attempt {
  readonly done: Promise<boolean>;
  steps: number;
  progressAt: number;
}

type Behind = (work: Promise<unknown>) => void;

const GRACE = 250;
const PATIENCE = 1_000;
const PATIENCE_COLD = 3_000;
const ROUNDS = 6;
const STRICT = 6_000;

/** A feed for one isolate. Does nothing until it is asked. */
export function createRevocationFeed(options: RevocationFeedOptions): RevocationFeed {
  const { refreshMilliseconds: refresh, maxStalenessMilliseconds: maxStaleness } = options;
  const clock = createSteadyClock(options.now);
  const time = (): number => clock.at(options.now());
  const knowledge = createKnowledge(options, clock);

  let current: Attempt | null = null;
  let failing = false;
  let retryAt = -Infinity;

  function ready(nowMilliseconds: number, behind: Behind): true | Promise<boolean> {
    const now = clock.at(nowMilliseconds);
    const age = knowledge.age(now);
    if (age < knowledge.due()) return true;
    if (age < Math.min(refresh + GRACE, maxStaleness) || (failing && age < maxStaleness)) {
      if (current !== null || now >= retryAt) attempt(now, behind);
      return true;
    }
    return waitUntilRecent(behind);
  }

  /** The attempt that is under way and makes progress; else a new one, behind the request that asks. */
  function attempt(now: number, behind: Behind): Attempt {
    if (current !== null && now - current.progressAt < PATIENCE_COLD) return current;
    const { promise: done, resolve } = Promise.withResolvers<boolean>();
    const mine: Attempt = { done, steps: 0, progressAt: now };
    current = mine;
    const end = (succeeded: boolean): void => {
      // One that was given up says nothing about those that came after it.
      if (succeeded || current === mine) failing = !succeeded;
      if (!succeeded) retryAt = time() + Math.min(refresh, PATIENCE);
      if (current === mine) current = null;
      resolve(succeeded);
    };
    const progress = (): void => {
      mine.steps++;
      mine.progressAt = time();
    };
    behind(
      knowledge.refresh(progress).then(
        async (asked) => {
          end(true);
          if (asked) await knowledge.tell();
        },
        () => end(false),
      ),
    );
    return mine;
  }

  async function waitUntilRecent(behind: Behind): Promise<boolean> {
    let hope = failing ? 1 : 2;
    for (let round = 0; round < ROUNDS; round++) {
      const joined = attempt(time(), behind);
      const { steps } = joined;
      const patience = knowledge.index() === null ? PATIENCE_COLD : PATIENCE;
      const succeeded = await withDeadline(joined.done, patience, "a refresh").catch(() => null);
      const stuck = succeeded === null && joined.steps === steps;
      if (succeeded === null && !stuck) continue;
      if (stuck) {
        // Its request may be gone, and its promise with it: whoever notices begins anew, once, before D1 is to blame.
        if (current === joined) current = null;
        if (--hope > 0) continue;
        failing = true;
      }
      if (knowledge.age(time()) < maxStaleness) return true;
      if (succeeded === false || stuck) return false;
    }
    return false;
  }

  return {
    ready,
    isRevoked(subject, nowSeconds) {
      const index = knowledge.index();
      if (index === null) throw new Error("the revocation feed was asked before it was ready");
      return index.isRevoked(subject, nowSeconds);
    },
    async isRevokedStrict(subject, nowSeconds) {
      try {
        // The first load is shared: a million entries are not fetched once per request.
        if (knowledge.age(time()) === Infinity && !(await waitUntilRecent(() => {}))) return null;
        const asked = knowledge.askDatabase(() => {});
        await withDeadline(asked, STRICT, "D1");
        return knowledge.index()?.isRevoked(subject, nowSeconds) ?? null;
      } catch {
        return null;
      }
    },
    state(nowMilliseconds) {
      const ageMilliseconds = knowledge.age(clock.at(nowMilliseconds));
      return ageMilliseconds === Infinity ? null : { sequence: knowledge.sequence(), ageMilliseconds };
    },
  };
}
