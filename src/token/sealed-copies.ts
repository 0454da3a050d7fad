/**
 * Copies of issuers' keys, signed by this gateway (RFC 7515), so that an attacker who can only write to KV cannot supply
 * their own keys to a fresh isolate.
 *
 * Guarantees: a value that is returned was written by a Worker with these `SIGNING_KEYS`; any other value counts as absent.
 * A signed copy cannot be used as a token: its `typ` differs, and it has no token claims.
 * Leaves to `keys-copy.ts` which issuer's keys they are and how old. Accepted: an attacker can restore an older copy until it
 * expires after a day; without usable `SIGNING_KEYS` no copies are kept.
 */
import { compactVerify, importJWK } from "jose";
import type { CopyStore } from "./keys-copy.ts";
import { sign } from "./sign.ts";
import type { SigningKeys } from "./signing-keys.ts";

type Keys = Pick<SigningKeys, "signer" | "publicJwks">;

const TYP = "scopegate-keys";
const MAX_LENGTH = 1024 * 1024;

/** `store`, with its values signed and verified. Throws where `store` does. */
export function sealedCopies(store: CopyStore, load: () => Promise<Keys>): CopyStore {
  const keysOrNull = (): Promise<Keys | null> => load().catch(() => null);
  return {
    get: async (name) => {
      const [text, keys] = await Promise.all([store.get(name), keysOrNull()]);
      if (text === null || keys === null || text.length > MAX_LENGTH) return null;
      try {
        const { payload, protectedHeader } = await compactVerify(text, ({ kid }) => {
          const jwk = keys.publicJwks.keys.find((each) => each.kid === kid);
          if (jwk === undefined) throw new Error("signed by another key");
          return importJWK(jwk);
        });
        return protectedHeader.typ === TYP ? new TextDecoder().decode(payload) : null;
      } catch {
        return null;
      }
    },
    put: async (name, value, options) => {
      const keys = await keysOrNull();
      if (keys === null) return;
      await store.put(name, await sign(keys.signer, TYP, value), options);
    },
  };
}
