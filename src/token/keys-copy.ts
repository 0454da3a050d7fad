/**
 * The copy of an issuer's keys in KV, with which a fresh isolate begins while the issuer is down.
 *
 * Guarantees: a copy is read as strictly as the issuer's own answer, and only if it names this issuer and is not older than a
 * day. Leaves to `remote-keys.ts` when to write it.
 * Accepted: KV may show a copy that was overwritten a minute ago. Whether KV can be believed is `sealed-copies.ts`'s affair.
 */
import { type KeySet, readKeySet } from "./keys.ts";

/** The part of a KV namespace that is used here. */
export interface CopyStore {
  get(key: string): Promise<string | null>;
  put(key: string, value: string, options: { expirationTtl: number }): Promise<void>;
}

export interface KeysCopy {
  readonly set: KeySet;
  readonly fetchedAtSeconds: number;
}

/** For how long the last good keys serve on, in seconds. */
export const LAST_GOOD_SECONDS = 24 * 60 * 60;
const MAX_LENGTH = 512 * 1024;

/** Reads the copy; `null` where there is none that may be used. Throws where KV does. */
export async function readCopy(store: CopyStore, issuer: string, nowSeconds: number): Promise<KeysCopy | null> {
  const text = await store.get(await copyName(issuer));
  if (text === null || text.length > MAX_LENGTH) return null;
  let copy: unknown;
  try {
    copy = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof copy !== "object" || copy === null || Array.isArray(copy)) return null;
  const { issuer: named, fetched_at: fetchedAt, keys } = { ...copy } as Record<string, unknown>;
  if (named !== issuer || typeof fetchedAt !== "number" || !Number.isFinite(fetchedAt)) return null;
  if (fetchedAt > nowSeconds + CLOCK_TOLERANCE_SECONDS || fetchedAt + LAST_GOOD_SECONDS <= nowSeconds) return null;
  const set = readKeySet({ keys });
  return set === null ? null : { set, fetchedAtSeconds: Math.min(fetchedAt, nowSeconds) };
}

/** Writes the copy, to be forgotten when it is of no more use. Throws where KV does. */
export async function writeCopy(
  store: CopyStore,
  issuer: string,
  keys: unknown,
  fetchedAtSeconds: number,
): Promise<void> {
  const text = JSON.stringify({ issuer, fetched_at: fetchedAtSeconds, keys });
  await store.put(await copyName(issuer), text, { expirationTtl: LAST_GOOD_SECONDS });
}

/** Another machine's clock may be ahead of this one's. */
const CLOCK_TOLERANCE_SECONDS = 300;

/** An issuer may be longer than a KV key; its digest never is. */
async function copyName(issuer: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(issuer));
  return `jwks:v1:${Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
