/**
 * Time limits for D1, which may hang: the admin API never waits for it without limit. A timeout is an outage like any other.
 *
 * Accepted: a write that timed out may still have been committed; the audit log shows whether it was, and an
 * `Idempotency-Key` prevents a retry from issuing a second token.
 */
import { withDeadline } from "../deadline.ts";
import { D1_MILLISECONDS } from "../revocation/revocation-log.ts";

/** Longer than for a query: a batch may write the records of all tokens of a subject. */
const BATCH_MILLISECONDS = D1_MILLISECONDS * 3;

/** The result of a query; rejects after five seconds. */
export function found<T>(query: Promise<T>): Promise<T> {
  return withDeadline(query, D1_MILLISECONDS, "D1");
}

/** The results of a batch; rejects after fifteen seconds. */
export function batched<T = unknown>(
  db: D1Database,
  statements: readonly D1PreparedStatement[],
): Promise<D1Result<T>[]> {
  return withDeadline(db.batch<T>([...statements]), BATCH_MILLISECONDS, "D1");
}
