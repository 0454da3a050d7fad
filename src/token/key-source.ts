/**
 * Where an issuer's keys come from, as `verify.ts` sees it: published (`remote-keys.ts`), this gateway's own
 * (`signing-keys.ts`), or a shared secret (`secret-key.ts`).
 */
import { candidates, type KeySet, type VerificationKey } from "./keys.ts";

/** Has work done behind the response: `ctx.waitUntil`. */
export type Behind = (work: Promise<unknown>) => void;

/** Something about keys that an operator should see in the log: fixed words and names from the policy, never a token's. */
export interface KeyTrouble {
  readonly event: "keys_refresh_failed" | "keys_copy_failed" | "secret_unusable" | "signing_keys_unusable";
  readonly issuer: string;
  readonly cause: string;
}

export interface FoundKeys {
  /** None: the issuer has no key that may have signed the token. */
  readonly keys: readonly VerificationKey[];
  /** The source's generation when these were its keys. */
  readonly generation: number;
  /** What these keys verify may be believed until then. */
  readonly goodUntilSeconds: number;
}

/** The issuer could not be asked. */
export interface Unavailable {
  readonly retryAfterSeconds: number;
}

export interface KeySource {
  /** Another number than before once a key that may have verified a token is gone. */
  readonly generation: number;
  /** Whether the keys should be looked at again. Until then what they have verified stands. */
  isDue(nowSeconds: number): boolean;
  /** Begins to look at them again, behind the request, if it is due. */
  refresh(nowSeconds: number, behind: Behind): void;
  /** The keys that may have signed a token; at once where they are in memory. */
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

/** Where a binding is missing or useless: nothing changes until the gateway is deployed anew. */
export const MISCONFIGURED_RETRY_SECONDS = 60;

/** Keys that cannot be had until the gateway is deployed with what is missing; `complain` is called once, at the first token. */
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
