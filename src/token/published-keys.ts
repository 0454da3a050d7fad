/**
 * One look: fetches the keys that an issuer publishes, from the `jwks_uri` of the policy or of the issuer's metadata (OpenID
 * Connect Discovery 1.0 §4, else RFC 8414 §3).
 *
 * Guarantees: ends within five seconds, response bodies included, even if the issuer never answers; reads at most 256 KiB of a
 * response; follows no redirect; accepts metadata only if its `issuer` is the configured one, and a discovered `jwks_uri`
 * only if it is https (plain http only on a loopback host, for an issuer that uses http itself).
 * Leaves to `remote-keys.ts` when to look and how to handle a failure.
 * Accepted: an issuer may publish its keys on any https host, private ones too. The operator already trusts it to sign tokens.
 */

import { within } from "../deadline.ts";
import { isSecureUrl } from "../policy/urls.ts";
import { type KeySet, readKeySet } from "./keys.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The result of a look: the keys and the document that contains them, or a word for the log. */
export type Published =
  | { readonly ok: true; readonly set: KeySet; readonly document: { readonly keys: unknown } }
  | { readonly ok: false; readonly cause: string };

export const LOOK_MILLISECONDS = 5_000;
const MAX_BYTES = 256 * 1024;

/** Asks the issuer for its keys. Never throws. */
export async function publishedKeys(issuer: string, jwksUri: string | null, fetch: Fetch): Promise<Published> {
  const controller = new AbortController();
  try {
    // An abort alone is not enough: a fetch or body that ignores the signal must not delay the request.
    return await within(look(issuer, jwksUri, fetch, controller.signal), LOOK_MILLISECONDS, () => {
      controller.abort();
      return { ok: false, cause: "timeout" };
    });
  } catch {
    return { ok: false, cause: "unreachable" };
  }
}

async function look(issuer: string, jwksUri: string | null, fetch: Fetch, signal: AbortSignal): Promise<Published> {
  const uri = jwksUri ?? (await discover(issuer, fetch, signal));
  if (uri === null) return { ok: false, cause: "discovery" };
  const document = await readJson(uri, fetch, signal);
  if (document === null) return { ok: false, cause: "jwks" };
  const set = readKeySet(document);
  if (set === null) return { ok: false, cause: "jwks_content" };
  return { ok: true, set, document: { keys: document["keys"] } };
}

async function discover(issuer: string, fetch: Fetch, signal: AbortSignal): Promise<string | null> {
  for (const address of metadataAddresses(issuer)) {
    const metadata = await readJson(address, fetch, signal).catch(() => null);
    if (metadata === null || metadata["issuer"] !== issuer) continue;
    const uri = metadata["jwks_uri"];
    if (typeof uri === "string" && isSecureUrl(uri) && (uri.startsWith("https:") || issuer.startsWith("http:")))
      return uri;
  }
  return null;
}

/** The URLs of an issuer's metadata: OpenID Connect Discovery 1.0 §4.1 appends to its path, RFC 8414 §3.1 inserts before it. */
export function metadataAddresses(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.endsWith("/") ? pathname.slice(0, -1) : pathname;
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

async function readJson(url: string, fetch: Fetch, signal: AbortSignal): Promise<Record<string, unknown> | null> {
  const response = await fetch(url, {
    headers: { Accept: "application/json, application/jwk-set+json" },
    redirect: "manual",
    cache: "no-store",
    signal,
  });
  const text = response.status === 200 ? await readText(response) : null;
  if (text === null) {
    await response.body?.cancel().catch(() => undefined);
    return null;
  }
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
}

/** The body as text, or `null` where it is over the limit. */
async function readText(response: Response): Promise<string | null> {
  if (response.body === null) return null;
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.byteLength;
      if (length > MAX_BYTES) {
        await reader.cancel().catch(() => undefined);
        return null;
      }
      chunks.push(value);
    }
  } finally {
    reader.releaseLock();
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
}
