/**
 * Where an issuer's keys come from, as `verify.ts` sees it: published (`remote-keys.ts`), this gateway's own
 * (`signing-keys.ts`), or a shared secret (`secret-key.ts`).
 */
import type { Behind } from "../deadline.ts";
import { candidates, type KeySet, type VerificationKey } from "./keys.ts";

/** A problem with keys for the operator's log: fixed words and names from the policy, never text from a token. */
export interface KeyTrouble {
  readonly event: "keys_refresh_failed" | "keys_copy_failed" | "secret_unusable" | "signing_keys_unusable";
  readonly issuer: string;
  readonly cause: string;
}

export interface FoundKeys {
  /** Empty: the issuer has no key that may have signed the token. */
  readonly keys: readonly VerificationKey[];
  /** The source's generation to which these keys belong. */
  readonly generation: number;
  /** A token that these keys verified must be verified again from then on. */
  readonly goodUntilSeconds: number;
}

/** The keys could not be obtained: the issuer did not answer, or a secret is missing or unusable. */
export interface Unavailable {
  readonly retryAfterSeconds: number;
}

export interface KeySource {
  /** Changes whenever a key that may have verified a token is removed. */
  readonly generation: number;
  /** Whether the keys should be fetched again. Until then tokens that they verified may be served from the cache. */
  isDue(nowSeconds: number): boolean;
  /** Starts to fetch the keys again, without delaying the request, if that is due. */
  refresh(nowSeconds: number, behind: Behind): void;
  /** The keys that may have signed a token; synchronously where they are in memory. */
  find(
    kid: string | null,
    algorithm: string,
    nowSeconds: number,
    behind: Behind,
  ): FoundKeys | Promise<FoundKeys | Unavailable>;
}

/** Keys that never change while the isolate lives. */
export function fixedKeys(set: KeySet): KeySource {
  return {
    generation: 0,
    isDue: () => false,
    refresh: () => undefined,
    find: (kid, algorithm) => ({
      keys: candidates(set, kid, algorithm),
      generation: 0,
      goodUntilSeconds: Number.POSITIVE_INFINITY,
    }),
  };
}

/** `Retry-After` where a binding is missing or unusable, which only a new deployment can fix. */
export const MISCONFIGURED_RETRY_SECONDS = 60;

/** A source that has no keys until a deployment supplies the missing secret; calls `complain` once, at the first token. */
export function noKeys(complain: () => void): KeySource {
  let complained = false;
  return {
    generation: 0,
    isDue: () => false,
    refresh: () => undefined,
    find: async () => {
      if (!complained) complain();
      complained = true;
      return { retryAfterSeconds: MISCONFIGURED_RETRY_SECONDS };
    },
  };
}
