/** The bound in time of everything that this room awaits: D1, KV and the Cache API may each hang. */

/** `work`, or a rejection after so many milliseconds. Does not stop the work: what comes late is ignored by the caller. */
export async function withDeadline<Result>(work: Promise<Result>, milliseconds: number, what: string): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
