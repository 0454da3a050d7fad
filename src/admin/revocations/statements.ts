/** Statements for the batch that adds entries: their rows in the audit log, and the updates of the tokens' records. */
import type { Policy } from "../../policy/policy.ts";
import type { NewRevocation } from "../../revocation/records.ts";
import { formatInstantOrNull } from "../instant.ts";
import { ancestorName } from "../tokens/grant.ts";
import { sql, statement, type Write } from "../write.ts";

/** A D1 value has at most two megabytes. */
const ROWS_A_STATEMENT = 250;

/** Inserts an audit row for each entry. Must come right after the statements that add the entries, in the same batch. */
export function auditAll(db: D1Database, write: Write, entries: readonly NewRevocation[]): D1PreparedStatement[] {
  const statements: D1PreparedStatement[] = [];
  for (let from = 0; from < entries.length; from += ROWS_A_STATEMENT) {
    const rows = entries.slice(from, from + ROWS_A_STATEMENT).map((entry, index) => [
      from + index,
      {
        kind: entry.kind,
        issuer: entry.issuer,
        value: entry.value,
        issued_before: formatInstantOrNull(entry.issuedBefore),
        expires_at: formatInstantOrNull(entry.expiresAt),
        reason: entry.reason,
      },
    ]);
    statements.push(
      statement(
        db,
        sql(
          `INSERT INTO audit (write, at, actor_issuer, actor_subject, actor_token, action, target, after, address, request_id)
           SELECT ? || ':' || (value ->> 0), ?, ?, ?, ?, 'revocation.add',
             CAST(CAST((SELECT max(sequence) FROM revocations) - ? + 1 + (value ->> 0) AS INTEGER) AS TEXT), value -> 1, ?, ?
           FROM json_each(?) ORDER BY key`,
          write.id,
          write.nowSeconds,
          write.actor.issuer,
          write.actor.subject,
          write.actor.tokenId,
          entries.length,
          write.address,
          write.requestId,
          JSON.stringify(rows),
        ),
      ),
    );
  }
  return statements;
}

/** Marks the records of the tokens that the entries match as revoked. Same batch, after the statements that add the entries. */
export function followStatements(
  db: D1Database,
  policy: Policy,
  entries: readonly NewRevocation[],
  nowSeconds: number,
): D1PreparedStatement[] {
  const own = policy.gateway.publicUrl;
  const lasting = entries.map((entry, index) => ({ entry, index })).filter(({ entry }) => entry.expiresAt === null);
  const rowsOf = (kind: NewRevocation["kind"], name: (entry: NewRevocation) => string | null) =>
    lasting.flatMap(({ entry, index }) => {
      const named = entry.kind === kind ? name(entry) : null;
      return named === null ? [] : [[named, index, entry.issuedBefore]];
    });
  const ownValue = (entry: NewRevocation) => (entry.issuer === own ? entry.value : null);
  const asAncestor = ({ issuer, value }: NewRevocation) =>
    ancestorName({ issuer, tokenId: value, own: issuer === own });

  const follow = (rows: unknown[][], match: string): D1PreparedStatement[] => {
    const statements: D1PreparedStatement[] = [];
    for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
      statements.push(
        statement(
          db,
          sql(
            `INSERT OR IGNORE INTO token_revocations (token, sequence, at)
             SELECT tokens.number, (SELECT max(sequence) FROM revocations) - ? + 1 + (entry.value ->> 1), ?
             FROM json_each(?) AS entry ${match}
             WHERE entry.value ->> 2 IS NULL OR tokens.authenticated_at < entry.value ->> 2`,
            entries.length,
            nowSeconds,
            JSON.stringify(rows.slice(from, from + ROWS_A_STATEMENT)),
          ),
        ),
      );
    }
    return statements;
  };
  return [
    ...follow(rowsOf("token", ownValue), "CROSS JOIN tokens ON tokens.id = entry.value ->> 0"),
    ...follow(
      rowsOf("token", asAncestor),
      `CROSS JOIN token_ancestors AS line ON line.ancestor = entry.value ->> 0
       CROSS JOIN tokens ON tokens.number = line.token`,
    ),
    ...follow(rowsOf("subject", ownValue), "CROSS JOIN tokens ON tokens.subject = entry.value ->> 0"),
  ];
}
