/**
 * The copy of an issuer's keys in KV, which a fresh isolate uses while the issuer is down.
 *
 * Guarantees: a copy is validated as strictly as the issuer's own answer, and is used only if it names this issuer and is not
 * older than a day. Leaves to `remote-keys.ts` when to write it, to `sealed-copies.ts` whether the value can be trusted.
 * Accepted: KV may return a copy that was overwritten a minute ago.
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

/** How long the last good keys stay in use after they were fetched, in seconds. */
export const LAST_GOOD_SECONDS = 24 * 60 * 60;
const MAX_LENGTH = 512 * 1024;

/** Reads the copy; `null` where there is no usable one. Throws where KV does. */
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

/** Writes the copy; KV deletes it after a day, when it is no longer usable. Throws where KV does. */
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

/** The KV key: contains a digest of the issuer, whose own length may exceed the 512 bytes of a KV key. */
async function copyName(issuer: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(issuer));
  return `jwks:v1:${Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
