/**
 * Snapshots of the index: they let a fresh isolate start at a million revocations without reading a million rows.
 *
 * Guarantees: a snapshot is an immutable value in KV, named by a row in D1 that is written after it and holds its SHA-256;
 * so a packing that fails half-way leaves nothing that is ever read, and KV is never trusted. A snapshot that is missing, not
 * yet propagated or damaged is skipped for the one before it, then for the log itself: never fatal. Two are kept.
 *
 * Leaves to the caller: when to call (the scheduled handler, and after an admin write that may pass `PACK_AFTER_ROWS`).
 *
 * Accepted: a list of more than two million plain tokens is not packed (a KV value has at most 25 MiB); isolates then read
 * the last snapshot that fitted and the rows since, which is slower but as correct.
 */

import { withDeadline } from "../deadline.ts";
import { createRevocationIndex, type RevocationIndex, settledContent } from "./revocation-index.ts";
import { D1_MILLISECONDS, endOf, type LogPosition, readLog, samePosition } from "./revocation-log.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";

export interface LoadedIndex {
  readonly index: RevocationIndex;
  readonly position: LogPosition;
}

/** A snapshot is due after so many new rows. */
const PACK_AFTER_ROWS = 5_000;

const MOST_BYTES = 25 * 1024 * 1024;
/** Short, because a request may be waiting, and the log can always be read instead. */
const KV_READ_MILLISECONDS = 2_500;
const KV_WRITE_MILLISECONDS = 30_000;
const TIDY_MILLISECONDS = 20_000;
const PREFIX = "revocations/";
const KEPT = 2;
/** Longer than any difference of clocks plus any token's skew: no isolate decides with a clock that is a day behind. */
const DAY_SECONDS = 86_400;

interface Pointer {
  name: string;
  checksum: string;
}

/** The newest snapshot that can be read and verified, else `null`. Throws only if D1 does not list the snapshots. */
export async function loadSnapshot(db: D1Database, kv: KVNamespace): Promise<LoadedIndex | null> {
  const pointers = await withDeadline(
    db
      .withSession("first-primary")
      .prepare(
        `SELECT name, checksum FROM snapshots WHERE history = (SELECT history FROM revocation_history)
         ORDER BY sequence DESC, created_at DESC LIMIT ?1`,
      )
      .bind(KEPT)
      .all<Pointer>(),
    D1_MILLISECONDS,
    "D1",
  );
  for (const { name, checksum } of pointers.results) {
    try {
      const buffer = await withDeadline(
        kv.get(name, { type: "arrayBuffer", cacheTtl: 3600 }),
        KV_READ_MILLISECONDS,
        "KV",
      );
      const snapshot = buffer === null ? null : await decodeSnapshot(buffer, checksum);
      if (snapshot !== null) {
        return { index: createRevocationIndex(snapshot.content), position: snapshot.position };
      }
    } catch {
      // KV fails or hangs, and probably would for the next snapshot too.
      return null;
    }
  }
  return null;
}

/** Packs, without expired entries, if `afterRows` rows were added since the last snapshot. Returns whether it packed. */
export async function packWhenDue(db: D1Database, kv: KVNamespace, afterRows = PACK_AFTER_ROWS): Promise<boolean> {
  const waiting = await withDeadline(
    db
      .withSession("first-primary")
      .prepare(
        `SELECT coalesce((SELECT max(sequence) FROM revocations), 0) - coalesce(
           (SELECT max(sequence) FROM snapshots WHERE history = (SELECT history FROM revocation_history)), 0) AS rows`,
      )
      .first<number>("rows"),
    D1_MILLISECONDS,
    "D1",
  );
  return (waiting ?? 0) >= afterRows && (await pack(db, kv));
}

/** Writes a snapshot of the list to KV and names it in D1. `false`: too large. Throws if D1 or KV fails; nothing is lost then. */
export async function pack(db: D1Database, kv: KVNamespace): Promise<boolean> {
  const { index, position, databaseSeconds } = await current(db, await loadSnapshot(db, kv));
  const horizon = Math.min(databaseSeconds, Math.floor(Date.now() / 1000)) - DAY_SECONDS;
  const content = settledContent(index.content(), horizon);
  const { bytes, checksum } = await encodeSnapshot({ position, content });
  if (bytes.length > MOST_BYTES) return false;

  const name = `${PREFIX}${position.history}/${position.sequence}-${checksum.slice(0, 16)}`;
  await withDeadline(kv.put(name, bytes, { metadata: { at: databaseSeconds } }), KV_WRITE_MILLISECONDS, "KV");
  const entries = content.tokens.count + content.timedTokens.length + content.cutOffs.length;
  await withDeadline(
    db
      .prepare(
        `INSERT INTO snapshots (name, history, sequence, checksum, bytes, entries, created_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, unixepoch() WHERE ?2 = (SELECT history FROM revocation_history)
         ON CONFLICT DO NOTHING`,
      )
      .bind(name, position.history, position.sequence, checksum, bytes.length, entries)
      .run(),
    D1_MILLISECONDS,
    "D1",
  );
  await withDeadline(tidy(db, kv, databaseSeconds), TIDY_MILLISECONDS, "tidying");
  return true;
}

/**
 * Deletes up to 10,000 entries that expired more than a day ago and so revoke nothing by any clock; returns how many. Keeps
 * the newest row and the last row of each snapshot, because readers identify their log position by them.
 */
export async function dropExpired(db: D1Database): Promise<number> {
  const result = await withDeadline(
    db
      .prepare(
        `DELETE FROM revocations WHERE sequence IN (
           SELECT sequence FROM revocations WHERE expires_at < unixepoch() - ?1 - 1
             AND sequence < (SELECT max(sequence) FROM revocations)
             AND sequence NOT IN (SELECT sequence FROM snapshots) ORDER BY expires_at LIMIT ?2)`,
      )
      .bind(DAY_SECONDS, 10_000)
      .run(),
    D1_MILLISECONDS * 3,
    "D1",
  );
  return result.meta.changes;
}

/** The snapshot with the rows since applied; or, if the log does not continue it, the whole log from the start. */
async function current(
  db: D1Database,
  packed: LoadedIndex | null,
): Promise<LoadedIndex & { readonly databaseSeconds: number }> {
  const index = packed?.index ?? createRevocationIndex();
  let position = packed?.position ?? null;
  while (true) {
    const page = await readLog(db, position?.sequence ?? 0);
    if (position !== null && !samePosition(position, page.from)) return await current(db, null);
    index.apply(page.rows);
    position = endOf(page);
    if (page.complete) return { index, position, databaseSeconds: page.databaseSeconds };
  }
}

/** Keeps the newest two snapshots: deletes the other rows first, then every value over an hour old that no row names. */
async function tidy(db: D1Database, kv: KVNamespace, databaseSeconds: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM snapshots WHERE name NOT IN (
         SELECT name FROM snapshots WHERE history = (SELECT history FROM revocation_history)
         ORDER BY sequence DESC, created_at DESC LIMIT ?1)`,
    )
    .bind(KEPT)
    .run();
  const named = await db.prepare("SELECT name FROM snapshots").all<{ name: string }>();
  const keep = new Set(named.results.map((row) => row.name));
  const stored = await kv.list<{ at: number }>({ prefix: PREFIX });
  for (const key of stored.keys) {
    if (!keep.has(key.name) && (key.metadata?.at ?? 0) < databaseSeconds - 3600) await kv.delete(key.name);
  }
}
