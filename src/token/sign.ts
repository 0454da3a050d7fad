/** Signs with this gateway's first key: JWS in compact form (RFC 7515). The `typ` tells tokens from other signed values. */
import { CompactSign } from "jose";
import type { Signer } from "./signing-keys.ts";

const encoder = new TextEncoder();

/** Signs a text. Does not inspect it. */
export function sign({ algorithm, keyId, key }: Signer, typ: string, text: string): Promise<string> {
  return new CompactSign(encoder.encode(text)).setProtectedHeader({ alg: algorithm, typ, kid: keyId }).sign(key);
}
