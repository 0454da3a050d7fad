/**
 * One isolate's copy of the keys that one issuer publishes (contract §3).
 *
 * Guarantees: keys are fresh for ten minutes, then refreshed without delaying requests; unknown `kid`s cause at most one
 * look in 30 s; while the issuer is down, the last good keys stay in use for a day, and a fresh isolate starts from the copy in
 * KV; a failing issuer is not asked again at every request. No request waits longer than six seconds (a look ends within five).
 * Leaves to `published-keys.ts` the look: fetching the keys once.
 *
 * All requests that need a look share one. It belongs to the request that started it: the runtime may cancel it together with
 * that request (`behind` keeps it alive if only the client disconnects), and then its promise never settles. So each request
 * that shares a look waits with its own timer, and an overdue look counts as dead: the next request starts another.
 */
import { type Behind, within } from "../deadline.ts";
import type { FoundKeys, KeySource, KeyTrouble, Unavailable } from "./key-source.ts";
import { candidates, type KeySet, keepImported, keepsAll } from "./keys.ts";
import { type CopyStore, type KeysCopy, LAST_GOOD_SECONDS, readCopy, writeCopy } from "./keys-copy.ts";
import { type Fetch, LOOK_MILLISECONDS, type Published, publishedKeys } from "./published-keys.ts";

export interface RemoteKeysOptions {
  readonly issuer: string;
  /** `null`: take it from the issuer's metadata. */
  readonly jwksUri: string | null;
  readonly fetch: Fetch;
  readonly copies: CopyStore | null;
  /** The clock, in seconds; may have fractions. */
  readonly now: () => number;
  readonly report: (trouble: KeyTrouble) => void;
}

const FRESH_SECONDS = 600;
/** Between two looks for an unknown `kid`, and between a failed refresh and the next. */
const SEEK_SECONDS = 30;
/** Between two looks while no keys are held, when every request is refused with 503. */
const EMPTY_HANDED_SECONDS = 5;
const REWRITE_COPY_SECONDS = 6 * 60 * 60;
/** A look that has not ended after this long never will. */
const OVERDUE_SECONDS = LOOK_MILLISECONDS / 1000 + 1;

interface Look {
  readonly startedAtSeconds: number;
  readonly end: Promise<void>;
}

export function remoteKeys(options: RemoteKeysOptions): KeySource {
  const { issuer, jwksUri, fetch, copies, now, report } = options;
  let set: KeySet | null = null;
  let fetchedAtSeconds = Number.NEGATIVE_INFINITY;
  let generation = 0;
  let dueAtSeconds = Number.NEGATIVE_INFINITY;
  let seekAtSeconds = Number.NEGATIVE_INFINITY;
  let retryAtSeconds = Number.NEGATIVE_INFINITY;
  let failed = false;
  let adoptedLookSeconds = Number.NEGATIVE_INFINITY;
  let looking: Look | null = null;
  let copied: { readonly set: KeySet; readonly atSeconds: number } | null = null;

  /** The keys in memory, or `null` where there are none that may still be used. */
  function held(nowSeconds: number): KeySet | null {
    return fetchedAtSeconds + LAST_GOOD_SECONDS <= nowSeconds ? null : set;
  }

  function adopt(next: KeySet, atSeconds: number): void {
    if (set !== null && !keepsAll(set, next)) generation++;
    set = set === null ? next : keepImported(set, next);
    fetchedAtSeconds = atSeconds;
  }

  async function look(nowSeconds: number, behind: Behind): Promise<void> {
    // Read concurrently with the look, so that the copy is available when the look fails after five seconds.
    const copy = held(nowSeconds) === null ? readOwnCopy(nowSeconds) : null;
    const published = await publishedKeys(issuer, jwksUri, fetch);
    const endSeconds = now();
    // A late answer, to a look that already counted as dead, must not overwrite a newer one.
    if (nowSeconds < adoptedLookSeconds) return;
    failed = !published.ok;
    if (published.ok) {
      adoptedLookSeconds = nowSeconds;
      adopt(published.set, endSeconds);
      dueAtSeconds = endSeconds + FRESH_SECONDS;
      if (copies !== null) behind(renewCopy(copies, copy, published, endSeconds));
      return;
    }
    report({ event: "keys_refresh_failed", issuer, cause: published.cause });
    retryAtSeconds = endSeconds + EMPTY_HANDED_SECONDS;
    dueAtSeconds = endSeconds + SEEK_SECONDS;
    const kept = copy === null ? null : await copy;
    if (kept !== null && kept.fetchedAtSeconds > fetchedAtSeconds) {
      adopt(kept.set, kept.fetchedAtSeconds);
      copied = { set: kept.set, atSeconds: kept.fetchedAtSeconds };
    }
  }

  async function readOwnCopy(nowSeconds: number): Promise<KeysCopy | null> {
    if (copies === null) return null;
    try {
      return await within(readCopy(copies, issuer, nowSeconds), LOOK_MILLISECONDS, () => null);
    } catch {
      report({ event: "keys_copy_failed", issuer, cause: "read" });
      return null;
    }
  }

  /** Writes the copy if it differs or is old: there are many isolates, and KV takes one write per second and key. */
  async function renewCopy(
    store: CopyStore,
    found: Promise<KeysCopy | null> | null,
    published: Extract<Published, { ok: true }>,
    atSeconds: number,
  ): Promise<void> {
    const kept = found === null ? null : await found;
    if (kept !== null) copied = { set: kept.set, atSeconds: kept.fetchedAtSeconds };
    const isCurrent = copied !== null && copied.atSeconds + REWRITE_COPY_SECONDS > atSeconds;
    if (isCurrent && copied !== null && isSame(copied.set, published.set)) return;
    const before = copied;
    copied = { set: published.set, atSeconds };
    try {
      await writeCopy(store, issuer, published.document.keys, atSeconds);
    } catch {
      copied = before;
      report({ event: "keys_copy_failed", issuer, cause: "write" });
    }
  }

  /** Starts a look, or joins the one that is in progress. */
  function join(nowSeconds: number, behind: Behind): Look {
    if (looking !== null && nowSeconds < looking.startedAtSeconds + OVERDUE_SECONDS) return looking;
    // Set at the start: if this look dies with its request, not every other request must start one at once.
    dueAtSeconds = nowSeconds + SEEK_SECONDS;
    const end = look(nowSeconds, behind)
      .catch(() => {
        failed = true;
      })
      .finally(() => {
        if (looking === started) looking = null;
      });
    const started: Look = { startedAtSeconds: nowSeconds, end };
    looking = started;
    behind(end);
    return started;
  }

  /** Waits for a look that may belong to another request, until it ends or is overdue. */
  async function wait(shared: Look, nowSeconds: number): Promise<void> {
    const seconds = Math.max(0, shared.startedAtSeconds + OVERDUE_SECONDS - nowSeconds);
    await within(shared.end, seconds * 1000, () => undefined);
  }

  function unavailable(untilSeconds: number): Unavailable {
    return { retryAfterSeconds: Math.max(1, Math.ceil(untilSeconds - now())) };
  }

  function found(from: KeySet, kid: string | null, algorithm: string): FoundKeys {
    return {
      keys: candidates(from, kid, algorithm),
      generation,
      goodUntilSeconds: fetchedAtSeconds + LAST_GOOD_SECONDS,
    };
  }

  /** No keys are held: every request waits for a look, unless the last one failed a moment ago. */
  async function obtain(kid: string | null, algorithm: string, nowSeconds: number, behind: Behind) {
    if (looking === null && nowSeconds < retryAtSeconds) return unavailable(retryAtSeconds);
    await wait(join(nowSeconds, behind), nowSeconds);
    const obtained = held(now());
    if (obtained === null) return unavailable(retryAtSeconds);
    // The look failed and these keys are the copy from KV: they cannot prove that the issuer has no such key.
    if (failed && !hasKid(obtained, kid)) return unavailable(dueAtSeconds);
    return found(obtained, kid, algorithm);
  }

  /** The `kid` is unknown: the issuer may have published a new key. */
  async function seek(current: KeySet, kid: string | null, algorithm: string, nowSeconds: number, behind: Behind) {
    const early = nowSeconds < seekAtSeconds;
    if (!early) seekAtSeconds = nowSeconds + SEEK_SECONDS;
    if (!early || looking !== null) await wait(join(nowSeconds, behind), nowSeconds);
    const sought = held(now()) ?? current;
    if (failed && !hasKid(sought, kid)) return unavailable(seekAtSeconds);
    return found(sought, kid, algorithm);
  }

  return {
    get generation() {
      return generation;
    },
    isDue: (nowSeconds) => nowSeconds >= dueAtSeconds,
    refresh(nowSeconds, behind) {
      if (nowSeconds >= dueAtSeconds) join(nowSeconds, behind);
    },
    find(kid, algorithm, nowSeconds, behind) {
      const current = held(nowSeconds);
      if (current === null) return obtain(kid, algorithm, nowSeconds, behind);
      if (!hasKid(current, kid)) return seek(current, kid, algorithm, nowSeconds, behind);
      if (nowSeconds >= dueAtSeconds) join(nowSeconds, behind);
      return found(current, kid, algorithm);
    },
  };
}

function hasKid(set: KeySet, kid: string | null): boolean {
  return kid === null || set.some((key) => key.kid === kid);
}

function isSame(one: KeySet, other: KeySet): boolean {
  return keepsAll(one, other) && keepsAll(other, one);
}
