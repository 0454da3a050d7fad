/**
 * Writes and their rows in the audit log: one D1 batch, which is one transaction.
 *
 * Guarantees: a row in the log exactly where there was an effect. The row is written first, on the condition of the
 * effect; the other statements of the batch ask whether it is there (`WRITTEN`). Two calls at once therefore end as if
 * one had come after the other.
 */
import type { Principal } from "../token/principal.ts";

/** One write: who does it, when, and from where. */
export interface Write {
  /** Made anew for each write; never shown. */
  readonly id: string;
  readonly nowSeconds: number;
  readonly actor: Pick<Principal, "issuer" | "subject" | "tokenId">;
  readonly address: string | null;
  readonly requestId: string;
}

export interface AuditEntry {
  readonly action: "token.issue" | "token.rotate" | "token.revoke" | "revocation.add" | "revocation.withdraw";
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** A part of a statement with its values, one for each `?` in it. */
export interface Sql {
  readonly text: string;
  readonly values: readonly (string | number | null)[];
}

/** A statement from its parts, in order. */
export function statement(db: D1Database, ...parts: readonly Sql[]): D1PreparedStatement {
  return db.prepare(parts.map(({ text }) => text).join(" ")).bind(...parts.flatMap(({ values }) => values));
}

export function sql(text: string, ...values: readonly (string | number | null)[]): Sql {
  return { text, values };
}

/** The row of a write, if `condition` holds. The first statement of its batch. */
export function auditStatement(db: D1Database, write: Write, entry: AuditEntry, condition: Sql): D1PreparedStatement {
  return statement(
    db,
    sql(
      `INSERT INTO audit (write, at, actor_issuer, actor_subject, actor_token, action, target, before, after, address, request_id)
       SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE`,
      write.id,
      write.nowSeconds,
      write.actor.issuer,
      write.actor.subject,
      write.actor.tokenId,
      entry.action,
      entry.target,
      jsonOrNull(entry.before),
      jsonOrNull(entry.after),
      write.address,
      write.requestId,
    ),
    condition,
  );
}

/** Holds in the statements after the row of a write, if it was written. */
export function written(write: Write): Sql {
  return sql("EXISTS (SELECT 1 FROM audit WHERE write = ?)", write.id);
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
