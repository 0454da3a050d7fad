/** The audit log as the API shows it: every write, the newest first. Triggers in `schema.sql` prevent changes to its rows. */
import { formatCursor, numberIn, type Position } from "./cursor.ts";
import { found } from "./in-time.ts";
import { formatInstant } from "./instant.ts";
import type { Page } from "./tokens/records.ts";

export interface AuditItem {
  readonly at: string;
  readonly actor: { readonly issuer: string; readonly subject: string | null; readonly token: string };
  readonly action: string;
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly address: string | null;
  readonly request_id: string;
}

interface AuditRow {
  readonly sequence: number;
  readonly at: number;
  readonly actor_issuer: string;
  readonly actor_subject: string | null;
  readonly actor_token: string;
  readonly action: string;
  readonly target: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly address: string | null;
  readonly request_id: string;
}

export const AUDIT_LIST = "audit";

/** One page of the log. */
export async function listAudit(db: D1Database, after: Position | null, limit: number): Promise<Page<AuditItem>> {
  const before = numberIn(after) ?? Number.MAX_SAFE_INTEGER;
  const page = db
    .prepare("SELECT * FROM audit WHERE sequence < ? ORDER BY sequence DESC LIMIT ?")
    .bind(before, limit + 1);
  const { results } = await found(page.all<AuditRow>());
  const rows = results.slice(0, limit);
  const items = rows.map(itemOf);
  const last = rows.at(-1);
  if (results.length <= limit || last === undefined) return { items };
  return { items, cursor: formatCursor(AUDIT_LIST, [last.sequence]) };
}

function itemOf(row: AuditRow): AuditItem {
  return {
    at: formatInstant(row.at),
    actor: { issuer: row.actor_issuer, subject: row.actor_subject, token: row.actor_token },
    action: row.action,
    target: row.target,
    ...(row.before === null ? {} : { before: JSON.parse(row.before) as unknown }),
    ...(row.after === null ? {} : { after: JSON.parse(row.after) as unknown }),
    address: row.address,
    request_id: row.request_id,
  };
}
