/** An issuer on loopback with one ES256 and one RS256 key, which makes any number of different tokens. */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

type Algorithm = "ES256" | "RS256";

export const AUDIENCE = "https://bench.example.com";

export interface Issuer {
  readonly url: string;
  readonly jwks: string;
  /** The public ES256 key as PEM. */
  readonly publicKey: string;
  readonly tokens: (algorithm: Algorithm, count: number, scope?: string, typ?: string) => string[];
  readonly server: Server;
}

export async function startIssuer(): Promise<Issuer> {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwks = JSON.stringify({
    keys: [
      { ...ec.publicKey.export({ format: "jwk" }), kid: "ES256", alg: "ES256", use: "sig" },
      { ...rsa.publicKey.export({ format: "jwk" }), kid: "RS256", alg: "RS256", use: "sig" },
    ],
  });
  const server = createServer((_, response) => response.setHeader("Content-Type", "application/json").end(jwks));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    jwks,
    server,
    publicKey: String(ec.publicKey.export({ type: "spki", format: "pem" })),
    tokens: (alg, count, scope = "items:read", typ = "at+jwt") => {
      const key = alg === "ES256" ? ec.privateKey : rsa.privateKey;
      return Array.from({ length: count }, () => tokenOf(url, { alg, typ, kid: alg }, key, scope));
    },
  };
}

function tokenOf(issuer: string, header: object, key: KeyObject, scope: string): string {
  const now = Math.floor(Date.now() / 1000);
  const jti = randomUUID();
  const claims = {
    iss: issuer,
    aud: AUDIENCE,
    sub: "bench-subject",
    client_id: "bench-client",
    iat: now,
    exp: now + 7200,
    jti,
    scope,
  };
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode(header)}.${encode(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}
