/** Waiting that ends: an issuer, D1, KV and the Cache API may each hang. */

/**
 * What `work` comes to, or `late()` where it takes longer than `milliseconds`. Does not stop the work itself; a rejection
 * of it is passed on while somebody waits, and is nobody's afterwards.
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

/** `work`, or a rejection after so many milliseconds. */
export function withDeadline<T>(work: Promise<T>, milliseconds: number, what: string): Promise<T> {
  return within(work, milliseconds, () => Promise.reject(new Error(`${what} took more than ${milliseconds} ms`)));
}
