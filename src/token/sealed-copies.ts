/**
 * Copies of issuers' keys under this gateway's own signature (RFC 7515), so that who can write KV and nothing else cannot
 * hand a fresh isolate keys of his own.
 *
 * Guarantees: what is read was written by a Worker with these `SIGNING_KEYS`; anything else is as if it were not there. Such
 * a signature is no token: its `typ` says so, and it has no claims of one.
 * Leaves to `keys-copy.ts` whose keys they are and how old. Accepted: an older copy can be put back, for the day that it is
 * good for; without usable `SIGNING_KEYS` no copies are kept.
 */
import { compactVerify, importJWK } from "jose";
import type { CopyStore } from "./keys-copy.ts";
import { sign } from "./sign.ts";
import type { SigningKeys } from "./signing-keys.ts";

type Keys = Pick<SigningKeys, "signer" | "publicJwks">;

const TYP = "scopegate-keys";
const MAX_LENGTH = 1024 * 1024;

/** A store whose values are signed. Throws where the other one does. */
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
