/**
 * D1 may hang: nothing of the admin API waits for it without end. What comes too late is thrown as any other outage.
 *
 * Accepted: a write that came too late may have taken place all the same; the audit log says whether it did, and an
 * `Idempotency-Key` keeps a retry from making a second token.
 */
import { withDeadline } from "../deadline.ts";
import { D1_MILLISECONDS } from "../revocation/revocation-log.ts";

/** A batch may write the records of all tokens of a subject. */
const BATCH_MILLISECONDS = D1_MILLISECONDS * 3;

/** What a query finds, or a rejection after five seconds. */
export function found<T>(query: Promise<T>): Promise<T> {
  return withDeadline(query, D1_MILLISECONDS, "D1");
}

/** What a batch comes to, or a rejection after fifteen seconds. */
export function batched<T = unknown>(
  db: D1Database,
  statements: readonly D1PreparedStatement[],
): Promise<D1Result<T>[]> {
  return withDeadline(db.batch<T>([...statements]), BATCH_MILLISECONDS, "D1");
}
