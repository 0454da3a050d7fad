/**
 * Whose signature a token bears. jose does the cryptography; this chooses among the few keys that may have signed it.
 *
 * Leaves to the caller: that the token was read strictly (`jws.ts`), that its algorithm is one its issuer may use.
 */
import { compactVerify } from "jose";
import { canonicalAlgorithm, type ImportedKey, importKey, type VerificationKey } from "./keys.ts";

/** The first of the keys that verifies the signature; `null` where none does. */
export async function signerOf(
  token: string,
  alg: string,
  keys: readonly VerificationKey[],
): Promise<ImportedKey | null> {
  for (const key of keys) {
    const imported = key.imported.get(canonicalAlgorithm(alg)) ?? (await importKey(key, alg));
    if (imported === null) continue;
    try {
      await compactVerify(token, imported.key, { algorithms: [alg] });
      return imported;
    } catch {
      // The next key with the same id may be the one.
    }
  }
  return null;
}
