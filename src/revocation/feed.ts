/**
 * Keeps an isolate's revocation index current, and says whether its data is recent enough to decide.
 *
 * Guarantees: a revocation is in force everywhere within `refresh` plus the time of one query; no decision uses data that is
 * as old as `max_staleness`; a warm request costs no I/O.
 *
 * Why it holds. The age of the data is counted from before its query was SENT to the primary, so the data contains every
 * row that was committed by then. A decision is made without waiting only
 *   (1) at an age below `refresh`, or
 *   (2) up to `GRACE` (the time that a query may take) beyond it, while the next query is in progress.
 * At a higher age the request waits for a query. So a decision at time t includes every row that was committed by t -
 * refresh - GRACE, or by the sending of the query that it waited for; in every isolate, however few requests it gets. An
 * answer shared through the Cache API carries the time at which ITS query was sent, is used only if that is less than
 * `refresh` ago, and is subject to the same rule: sharing weakens no bound. Only if D1 has failed, or two attempts in a row
 * made no progress for `PATIENCE`, are decisions made on older data, but never as old as `max_staleness`; from then on
 * `ready` resolves with `false` until a query succeeds.
 *
 * In workerd a promise that depends on another request's I/O may never settle if that request is cancelled. So a request
 * waits for another's attempt only while that makes progress; then it starts its own. All waits are bounded.
 *
 * Accepted: a backward jump of the clock counts as no time (`steady-clock.ts`); the clocks of a location's machines differ
 * by milliseconds; isolates that share answers refresh up to a quarter earlier, so that they do not all query at once.
 */
import { type Behind, withDeadline } from "../deadline.ts";
import { createKnowledge, type KnowledgeOptions } from "./knowledge.ts";
import { createSteadyClock } from "./steady-clock.ts";
import type { RevocationSubject } from "./subject.ts";

export interface RevocationFeed {
  /**
   * `true`: the data is recent enough to decide; else a promise, settled within seconds, of whether it has become so.
   * Starts a refresh, without delaying the request, where one is due. Synchronous, without allocation, while fresh.
   */
  ready(nowMilliseconds: number, behind: Behind): true | Promise<boolean>;
  /** Whether the index holds an entry that revokes the token. Does not check that the index is recent: `ready` does. */
  isRevoked(subject: RevocationSubject, nowSeconds: number): boolean;
  /** Queries the D1 primary now (`revocation = "strict"`). `null`: no answer in time, so the caller must not decide. */
  isRevokedStrict(subject: RevocationSubject, nowSeconds: number): Promise<boolean | null>;
  /** The last row that this isolate has applied, and the age of its data; `null` before it has caught up once. */
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

const GRACE = 250;
const PATIENCE = 1_000;
const PATIENCE_COLD = 3_000;
const ROUNDS = 6;
const STRICT = 6_000;

/** Creates the feed of one isolate. Does nothing until its functions are called. */
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

  /** The attempt in progress, unless it has stalled; else a new one, kept alive by the calling request's `behind`. */
  function attempt(now: number, behind: Behind): Attempt {
    if (current !== null && now - current.progressAt < PATIENCE_COLD) return current;
    const { promise: done, resolve } = Promise.withResolvers<boolean>();
    const mine: Attempt = { done, steps: 0, progressAt: now };
    current = mine;
    const end = (succeeded: boolean): void => {
      // The failure of an attempt that was already abandoned says nothing about the current one.
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
        // Its request may have been cancelled, and then it never settles: try once more before D1 counts as failing.
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
        // Shares the first load: otherwise each waiting request would fetch up to a million entries.
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
