/**
 * `Idempotency-Key` on `POST /tokens`: a key issues one token within a day, however often the call is repeated.
 *
 * Guarantees: stores only the caller, the key, a hash of the request and the id of the issued token, never the token. So a
 * retry learns that the first call succeeded, but cannot get the token again.
 */
import { formatAllowList } from "../../policy/resources/allow-list.ts";
import type { Principal } from "../../token/principal.ts";
import { done, invalid, type Outcome } from "../refusal.ts";
import { type Sql, sql, statement, type Write, written } from "../write.ts";
import type { IssueRequest } from "./request.ts";

export interface IdempotencyKey {
  /** Whose key it is: equal keys of different callers are independent. */
  readonly caller: string;
  readonly key: string;
  /** SHA-256 of the request. */
  readonly fingerprint: string;
}

export interface EarlierCall {
  readonly fingerprint: string;
  readonly token: string;
}

const KEPT_SECONDS = 86_400;

/** 1 to 255 visible ASCII characters. draft-ietf-httpapi-idempotency-key-header requires quotes; most clients send none. */
const KEY = /^[\x21-\x7e]{1,255}$/;

/** Reads the header of a call; `null` where it has none. */
export async function readIdempotencyKey(
  key: string | undefined,
  { issuer, subject, tokenId, elderIssuers }: Principal,
  request: IssueRequest,
): Promise<Outcome<IdempotencyKey | null>> {
  if (key === undefined) return done(null);
  if (!KEY.test(key)) return invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters");
  const allowList = request.allowList === undefined ? null : formatAllowList(request.allowList);
  const fingerprint = await fingerprintOf({ ...request, allowList });
  // A token without a subject is a caller of its own; the `null` keeps its id from being taken for a subject.
  const named = subject === null ? [null, tokenId] : [subject];
  return done({ caller: JSON.stringify([issuer, ...named, ...elderIssuers]), key, fingerprint });
}

async function fingerprintOf(request: unknown): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(request)));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** For the batch, before the audit row: deletes keys older than a day, and claims this key unless it is taken. */
export function claimStatements(db: D1Database, use: IdempotencyKey, token: string, nowSeconds: number) {
  return [
    statement(db, sql("DELETE FROM idempotency WHERE created_at <= ?", nowSeconds - KEPT_SECONDS)),
    statement(
      db,
      sql(
        "INSERT OR IGNORE INTO idempotency (caller, key, fingerprint, token, created_at) VALUES (?, ?, ?, ?, ?)",
        use.caller,
        use.key,
        use.fingerprint,
        token,
        nowSeconds,
      ),
    ),
  ];
}

/** The condition that this call has claimed the key. */
export function isClaimed(use: IdempotencyKey, token: string): Sql {
  return sql(
    "EXISTS (SELECT 1 FROM idempotency WHERE caller = ? AND key = ? AND token = ?)",
    use.caller,
    use.key,
    token,
  );
}

/** For the batch, after the audit row: releases the key if the write had no effect. */
export function releaseStatement(db: D1Database, write: Write, token: string): D1PreparedStatement {
  return statement(db, sql("DELETE FROM idempotency WHERE token = ? AND NOT", token), written(write));
}

export function earlierStatement(db: D1Database, use: IdempotencyKey): D1PreparedStatement {
  return statement(
    db,
    sql("SELECT fingerprint, token FROM idempotency WHERE caller = ? AND key = ?", use.caller, use.key),
  );
}
