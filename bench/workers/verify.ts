/** The limit for tokens that were never seen before: the fair Worker, plus a plain verification of each token by jose. */
import { type CryptoKey, importJWK, type JWK, jwtVerify } from "jose";
import { fairRequest } from "./fair-headers.ts";

interface Env {
  readonly ORIGIN_URL: string;
  /** A JWK Set; the keys are selected by `kid`. */
  readonly JWKS: string;
  readonly ISSUER: string;
  readonly AUDIENCE: string;
}

let keys: Promise<Map<string, CryptoKey | Uint8Array>> | undefined;

async function importAll(jwks: string): Promise<Map<string, CryptoKey | Uint8Array>> {
  const { keys: list } = JSON.parse(jwks) as { keys: JWK[] };
  return new Map(await Promise.all(list.map(async (jwk) => [jwk.kid ?? "", await importJWK(jwk)] as const)));
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    keys ??= importAll(env.JWKS);
    const known = await keys;
    const token = request.headers.get("Authorization")?.slice(7) ?? "";
    await jwtVerify(token, ({ kid }) => known.get(kid ?? "") as CryptoKey, {
      issuer: env.ISSUER,
      audience: env.AUDIENCE,
    });
    return fetch(fairRequest(request, env.ORIGIN_URL));
  },
};
