/**
 * Writes and their rows in the audit log: one D1 batch, which is one transaction.
 *
 * Guarantees: the log has a row if and only if the write took effect. The row is inserted first, if the write's condition
 * holds; the statements after it have an effect only if the row exists (`written`). Concurrent calls therefore end as if
 * one had come after the other.
 */
import type { Principal } from "../token/principal.ts";

/** One write: who does it, when, and from which address. */
export interface Write {
  /** Unique to this write; never shown. */
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

/** Inserts the audit row of a write if `condition` holds. In the batch it must precede the statements that use `written`. */
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

/** The condition for the later statements of a batch: the audit row of the write was inserted. */
export function written(write: Write): Sql {
  return sql("EXISTS (SELECT 1 FROM audit WHERE write = ?)", write.id);
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
