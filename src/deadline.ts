/** Waits with a time limit: a call to an issuer, D1, KV or the Cache API may never settle. And work that nobody waits for. */

/** Lets work continue after the response: `ExecutionContext.waitUntil`. */
export type Behind = (work: Promise<unknown>) => void;

/**
 * Settles as `work` does, or as `late()` does where `work` takes longer than `milliseconds`. Does not stop the work
 * itself; once the time is up, its result or rejection is ignored.
 */
export async function within<T>(work: Promise<T>, milliseconds: number, late: () => T | Promise<T>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(late()), milliseconds);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Settles as `work` does, or rejects after `milliseconds`. `what` names the work in the error. */
export function withDeadline<T>(work: Promise<T>, milliseconds: number, what: string): Promise<T> {
  return within(work, milliseconds, () => Promise.reject(new Error(`${what} took more than ${milliseconds} ms`)));
}
