/** What this gateway signs: JWS in compact form (RFC 7515) by its first key. The `typ` tells one kind from another. */
import { CompactSign } from "jose";
import type { Signer } from "./signing-keys.ts";

const encoder = new TextEncoder();

/** Signs a text. Does not look at it. */
export function sign({ algorithm, keyId, key }: Signer, typ: string, text: string): Promise<string> {
  return new CompactSign(encoder.encode(text)).setProtectedHeader({ alg: algorithm, typ, kid: keyId }).sign(key);
}
