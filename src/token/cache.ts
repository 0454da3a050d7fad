/**
 * The cache of the tokens that this isolate has verified, keyed by their whole text.
 *
 * Guarantees: bounded in entries and in (estimated) bytes; an entry is returned only before its `goodUntilSeconds` and only
 * while its issuer's keys have the generation that verified it, so withdrawing a key also drops the tokens it verified.
 * Only verified tokens are cached: a refused token is verified again each time, so nobody can fill the cache without a key.
 * The policy never changes within an isolate; everything else that a principal depends on is in the token and in the keys.
 *
 * Eviction is second chance (CLOCK): close to least recently used, but a use only sets a flag instead of re-inserting the
 * entry.
 */
import type { KeySource } from "./key-source.ts";
import type { Principal } from "./principal.ts";

export interface CachedToken {
  readonly principal: Principal;
  readonly source: KeySource;
  readonly generation: number;
}

export interface TokenCache {
  get(token: string, nowSeconds: number): CachedToken | undefined;
  set(token: string, entry: CachedToken): void;
}

const MAX_ENTRIES = 25_000;
const MAX_BYTES = 40 * 1024 * 1024;
/** A principal without its token's text: objects, claims and a slot in the map (measured: 0.3 to 0.7 KiB). */
const ENTRY_BYTES = 900;
/** Some parts take more memory than their text (measured): 900 CIDR blocks in a token of 16 KiB take 230 KiB. */
const BLOCK_BYTES = 280;
const TABLE_BYTES = 400;
const TARGET_BYTES = 120;
const SCOPE_BYTES = 40;

interface Slot extends CachedToken {
  readonly bytes: number;
  used: boolean;
}

export function tokenCache(maxEntries: number = MAX_ENTRIES, maxBytes: number = MAX_BYTES): TokenCache {
  const slots = new Map<string, Slot>();
  let bytes = 0;

  function remove(token: string, slot: Slot): void {
    slots.delete(token);
    bytes -= slot.bytes;
  }

  function makeRoom(size: number): void {
    if (slots.size < maxEntries && bytes + size <= maxBytes) return;
    for (const [token, slot] of slots) {
      if (slots.size < maxEntries && bytes + size <= maxBytes) return;
      slots.delete(token);
      if (slot.used) {
        // Moved to the end: this loop reaches it again if evicting the others does not free enough.
        slot.used = false;
        slots.set(token, slot);
      } else {
        bytes -= slot.bytes;
      }
    }
  }

  return {
    get(token, nowSeconds) {
      const slot = slots.get(token);
      if (slot === undefined) return undefined;
      if (nowSeconds >= slot.principal.goodUntilSeconds || slot.generation !== slot.source.generation) {
        remove(token, slot);
        return undefined;
      }
      slot.used = true;
      return slot;
    },
    set(token, { principal, source, generation }) {
      const before = slots.get(token);
      if (before !== undefined) remove(token, before);
      const size = token.length + bytesOf(principal);
      makeRoom(size);
      slots.set(token, { principal, source, generation, bytes: size, used: false });
      bytes += size;
    },
  };
}

/** Estimated memory of a principal, so that an issuer cannot exhaust the isolate's memory with a few large tokens. */
function bytesOf({ scopes, allowList, conditions }: Principal): number {
  let bytes = ENTRY_BYTES + scopes.length * SCOPE_BYTES;
  if (allowList.kind === "listed") bytes += (allowList.types.size + allowList.targets.size) * TARGET_BYTES;
  if (conditions === "unreadable") return bytes;
  for (const { cidr, notCidr, countries } of conditions) {
    bytes += TABLE_BYTES + ((cidr?.length ?? 0) + (notCidr?.length ?? 0)) * BLOCK_BYTES;
    bytes += (countries?.size ?? 0) * SCOPE_BYTES;
  }
  return bytes;
}
