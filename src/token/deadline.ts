/** Waiting that ends. */

/**
 * What `work` comes to, or `late()` where it takes longer than `milliseconds`. Does not stop the work itself; a rejection
 * of it is passed on while somebody waits, and is nobody's afterwards.
 */
export async function within<T>(work: Promise<T>, milliseconds: number, late: () => T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(late()), milliseconds);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
