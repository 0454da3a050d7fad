/**
 * Packed states: how a fresh isolate begins at a million revocations without reading a million rows.
 *
 * Guarantees: a snapshot is an immutable value in KV, named by a row in D1 that is written after it and holds its SHA-256;
 * so a packing that dies half-way leaves nothing that anybody reads, and KV is never trusted. What is missing, not yet
 * propagated or damaged is passed over for the one before it, and that for the log itself: never fatal. Two are kept.
 *
 * Leaves to the caller: when to call (the scheduled handler, and behind the admin write that crosses the line).
 *
 * Accepts that a list of more than two million plain tokens is not packed (a KV value ends at 25 MiB): it is then read from
 * the last snapshot that fitted and the log, which is slower and as right.
 */

import { withDeadline } from "../deadline.ts";
import { createRevocationIndex, type RevocationIndex, settledContent } from "./revocation-index.ts";
import { D1_MILLISECONDS, endOf, type LogPosition, readLog, samePosition } from "./revocation-log.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";

export interface LoadedIndex {
  readonly index: RevocationIndex;
  readonly position: LogPosition;
}

/** Packed when so many rows have come since the last time. */
const PACK_AFTER_ROWS = 5_000;

const MOST_BYTES = 25 * 1024 * 1024;
/** A request may be waiting for it; the log is always there. */
const KV_READ_MILLISECONDS = 2_500;
const KV_WRITE_MILLISECONDS = 30_000;
const PREFIX = "revocations/";
const KEPT = 2;
/** Long enough for every clock and every token's skew: who is behind by a day decides nothing. */
const DAY_SECONDS = 86_400;

interface Pointer {
  name: string;
  checksum: string;
}

/** The newest packed state that can be had, else `null`. Throws only where D1 does not say which there are. */
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
      // KV is down or hangs, and would for the next one.
      return null;
    }
  }
  return null;
}

/** Packs where `PACK_AFTER_ROWS` have come since the last time, and drops what has expired. Says whether it packed. */
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

/** Packs the list as it is now into KV and names it in D1. False: it is too large. Throws where D1 or KV fail; nothing is lost then. */
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
  await tidy(db, kv, databaseSeconds);
  return true;
}

/**
 * Deletes from D1 what expired more than a day ago: by then no token that it could meet is alive. The newest row
 * and the last of each snapshot stay: they are readers' places. */
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

/** The packed state and what came after it; or, where the log does not continue it, the log from the start. */
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

/** Keeps the newest two; forgets first, deletes afterwards, and sweeps up what an earlier packing left behind an hour ago. */
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
