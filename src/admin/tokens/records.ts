/**
 * Reads the records of issued tokens in D1: one by its id, or pages by a filter.
 *
 * Guarantees: a record never contains a token, its signature or its hash. A page is one query along one index, whatever the
 * filter; pages are in the order of issue, the newest first (with `name`, by name), and new tokens do not shift them.
 * Leaves to `schema.sql`: the triggers that keep the filter tables consistent with the tokens.
 * Accepted: with several filters, one chooses the index, and the others are checked for each of its rows.
 */
import type { ConditionTable } from "../../policy/conditions/conditions.ts";
import type { Principal } from "../../token/principal.ts";
import { formatCursor, type Position } from "../cursor.ts";
import { found } from "../in-time.ts";
import { formatInstant, formatInstantOrNull } from "../instant.ts";
import { type Sql, sql, statement } from "../write.ts";

type TokenStatus = "active" | "expired" | "revoked";

export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly subject: string;
  readonly scopes: readonly string[];
  /** `null`: no list; the token may touch everything. */
  readonly allow_list: readonly string[] | null;
  readonly conditions: readonly ConditionTable[];
  readonly issued_at: string;
  readonly expires_at: string;
  /** May be in the future, after a rotation with an overlap. */
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
  readonly created_by: { readonly issuer: string; readonly subject: string | null };
  /** The token that this one was issued under: its id, or for another issuer's token its issuer, a space and its id. */
  readonly parent: string | null;
  readonly status: TokenStatus;
}

/** A row of `tokens`. */
export interface TokenRow {
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly subject: string;
  readonly client: string;
  readonly scopes: string;
  readonly allow_list: string | null;
  readonly conditions: string;
  readonly issued_at: number;
  readonly authenticated_at: number;
  readonly expires_at: number;
  readonly created_by_issuer: string;
  readonly created_by_subject: string | null;
  readonly parent: string | null;
  readonly ancestors: string;
  readonly revoked_at: number | null;
  readonly revocation: number | null;
  readonly last_used_at: number | null;
}

/**
 * Whose tokens a caller may see and revoke; `null`: everybody's. If the caller's token is of this gateway, `elder` is the
 * other issuer from which it descends (`null`: none): two issuers may use the same subject for two people.
 */
export type Owner = { readonly issuer: string; readonly subject: string; readonly elder?: string | null } | null;

export interface TokenFilter {
  readonly subject?: string | undefined;
  /** A scope or wildcard exactly as the token names it. */
  readonly scope?: string | undefined;
  readonly status?: TokenStatus | undefined;
  /** What the name begins with, case-sensitively. */
  readonly name?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** A row as the API shows it; `nowSeconds` decides its status. */
export function recordOf(row: TokenRow, nowSeconds: number): TokenRecord {
  return {
    id: row.id,
    name: row.name,
    subject: row.subject,
    scopes: JSON.parse(row.scopes) as string[],
    allow_list: row.allow_list === null ? null : (JSON.parse(row.allow_list) as string[]),
    conditions: JSON.parse(row.conditions) as ConditionTable[],
    issued_at: formatInstant(row.issued_at),
    expires_at: formatInstant(row.expires_at),
    revoked_at: formatInstantOrNull(row.revoked_at),
    last_used_at: formatInstantOrNull(row.last_used_at),
    created_by: { issuer: row.created_by_issuer, subject: row.created_by_subject },
    parent: row.parent,
    status: statusOf(row, nowSeconds),
  };
}

function statusOf(row: Pick<TokenRow, "revoked_at" | "expires_at">, nowSeconds: number): TokenStatus {
  if (row.revoked_at !== null && row.revoked_at <= nowSeconds) return "revoked";
  return row.expires_at <= nowSeconds ? "expired" : "active";
}

/** Whose tokens a caller with only `scopegate:tokens` may see. A caller without a subject owns none. */
export function ownerOf(principal: Pick<Principal, "issuer" | "subject" | "own" | "elderIssuers">): NonNullable<Owner> {
  const { issuer, subject, own, elderIssuers } = principal;
  return { issuer, subject: subject ?? "", ...(own ? { elder: elderIssuers[0] ?? null } : {}) };
}

/** The row of one token; `null` if there is none that the owner may see. */
export async function findToken(db: D1Database, id: string, owner: Owner): Promise<TokenRow | null> {
  return await found(findStatement(db, id, owner).first<TokenRow>());
}

export function findStatement(db: D1Database, id: string, owner: Owner): D1PreparedStatement {
  return statement(
    db,
    sql("SELECT * FROM tokens WHERE id = ?", id),
    ...(owner === null ? [] : [sql("AND"), ownedBy(owner)]),
  );
}

function ownedBy(owner: NonNullable<Owner>): Sql {
  const line = sameLine(owner);
  return sql(
    `EXISTS (SELECT 1 FROM token_owners AS mine WHERE mine.issuer = ? AND mine.subject = ? AND mine.token = tokens.number) AND ${line.text}`,
    owner.issuer,
    owner.subject,
    ...line.values,
  );
}

/** The condition that a token descends from the same other issuer as the caller's token, or, like that, from none. */
function sameLine({ elder }: NonNullable<Owner>): Sql {
  if (elder === undefined) return sql("TRUE");
  if (elder === null) return sql("NOT EXISTS (SELECT 1 FROM json_each(tokens.ancestors) WHERE instr(value, ' ') > 0)");
  return sql(
    "EXISTS (SELECT 1 FROM json_each(tokens.ancestors) WHERE substr(value, 1, instr(value, ' ') - 1) = ?)",
    elder,
  );
}

/** The query for one page. It asks for one row more than the page holds, to know whether another page follows. */
export function pageStatement(
  db: D1Database,
  filter: TokenFilter,
  owner: Owner,
  page: { readonly after: Position | null; readonly limit: number; readonly nowSeconds: number },
): D1PreparedStatement {
  const { subject, scope, status, name } = filter;
  const before = page.after?.length === 1 ? page.after[0] : Number.MAX_SAFE_INTEGER;
  const conditions: Sql[] = [];
  let from = "tokens";
  let order = "tokens.number DESC";

  // The first filter present chooses the index; the others are checked for its rows.
  if (name !== undefined) {
    order = "tokens.name, tokens.number";
    conditions.push(sql("tokens.name < ?", `${name}\u{10ffff}`));
    conditions.push(
      page.after?.length === 2
        ? sql("(tokens.name, tokens.number) > (?, ?)", ...page.after)
        : sql("tokens.name >= ?", name),
    );
  } else if (scope !== undefined) {
    from = "token_scopes AS led CROSS JOIN tokens ON tokens.number = led.token";
    order = "led.token DESC";
    conditions.push(sql("led.scope = ? AND led.token < ?", scope, before));
  } else if (owner !== null) {
    from = "token_owners AS led CROSS JOIN tokens ON tokens.number = led.token";
    order = "led.token DESC";
    conditions.push(sql("led.issuer = ? AND led.subject = ? AND led.token < ?", owner.issuer, owner.subject, before));
    conditions.push(sameLine(owner));
  } else conditions.push(sql("tokens.number < ?", before));

  if (owner !== null && (name !== undefined || scope !== undefined)) conditions.push(ownedBy(owner));
  if (name !== undefined && scope !== undefined) {
    conditions.push(
      sql("EXISTS (SELECT 1 FROM token_scopes AS held WHERE held.scope = ? AND held.token = tokens.number)", scope),
    );
  }
  // The unary + keeps SQLite from using the index on `subject`, which would then have to sort by name.
  if (subject !== undefined) conditions.push(sql(`${name === undefined ? "" : "+"}tokens.subject = ?`, subject));
  if (status !== undefined) conditions.push(hasStatus(status, page.nowSeconds));

  return statement(
    db,
    sql(`SELECT tokens.* FROM ${from} WHERE`),
    ...conditions.flatMap((condition, index) => (index === 0 ? [condition] : [sql("AND"), condition])),
    sql(`ORDER BY ${order} LIMIT ?`, page.limit + 1),
  );
}

function hasStatus(status: TokenStatus, now: number): Sql {
  switch (status) {
    case "revoked":
      return sql("tokens.revoked_at <= ?", now);
    case "expired":
      return sql("(tokens.revoked_at IS NULL OR tokens.revoked_at > ?) AND tokens.expires_at <= ?", now, now);
    case "active":
      return sql("(tokens.revoked_at IS NULL OR tokens.revoked_at > ?) AND tokens.expires_at > ?", now, now);
  }
}

/** One page of records, with the cursor of the next if there is one. `list`: from `listName`. */
export async function listTokens(
  db: D1Database,
  filter: TokenFilter,
  owner: Owner,
  page: { readonly list: string; readonly after: Position | null; readonly limit: number; readonly nowSeconds: number },
): Promise<Page<TokenRecord>> {
  const { results } = await found(pageStatement(db, filter, owner, page).all<TokenRow>());
  const rows = results.slice(0, page.limit);
  const items = rows.map((row) => recordOf(row, page.nowSeconds));
  const last = rows.at(-1);
  if (results.length <= page.limit || last === undefined) return { items };
  const position: Position = filter.name === undefined ? [last.number] : [last.name, last.number];
  return { items, cursor: formatCursor(page.list, position) };
}

/** The list's name in its cursors. It includes the filter, so that a cursor is only valid with the same filter. */
export function listName(filter: TokenFilter): string {
  const { subject, scope, status, name } = filter;
  return JSON.stringify(["tokens", subject ?? null, scope ?? null, status ?? null, name ?? null]);
}
