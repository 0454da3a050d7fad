/**
 * The callers of the soak: families of good tokens that share a subject and a client, and one of each kind of bad. Each knows
 * what the gateway must say of it before it looks at the route's needs.
 */
import { createHmac } from "node:crypto";
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import type { OracleToken } from "./oracle-policy.ts";
import { FOREIGN_ISSUER, PUBLIC_URL } from "./soak-policy.ts";

export interface Caller {
  readonly kind: string;
  /** The Authorization header; `null`: none is sent. */
  readonly authorization: string | null;
  /** Why the route's needs are not looked at; `null`: they are. */
  readonly refusal: "token_missing" | "credentials_malformed" | "token_invalid" | "token_expired" | null;
  readonly token: OracleToken;
  readonly issuer: string;
  readonly id: string;
  readonly subject: string;
  readonly client: string;
  state: "live" | "revoked";
  /** In milliseconds of `performance.now`: until then a revocation or its end may or may not be known. */
  unsureUntil: number;
}

export interface Keys {
  readonly own: JWK;
  readonly foreign: JWK;
}

/** A private JWK for the second issuer. */
export async function foreignKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: "ES256", use: "sig", kid: "foreign-1" };
}

/** Without what is private. */
export function publicPart({ d: _, ...rest }: JWK): JWK {
  return rest;
}

type Random = () => number;

const SCOPES = [
  "charges:read",
  "charges:write",
  "charges:delete",
  "charges:gone",
  "customers:read",
  "payouts:write",
  "files:write",
  "teams:manage",
  "charges:*",
  "*",
  "unknown",
  "scopegate:admin",
];
const TARGETS = [
  "*:*",
  "charge:*",
  "charge:a1",
  "charge:my%20file",
  "project:a1",
  "project:*",
  "file:a1/b2",
  "file:*",
  "ref:a1",
  "ref:*",
  "package:@acme%2Fhello",
  "package:*",
  "tenant:a1",
  "team:*",
  "team:caf%C3%A9",
];
const LISTS_REFUSED: unknown[] = [[], null, "charge:a1", ["charge"], ["charge:a1", 7]];
const CONDITIONS: unknown[] = [
  { cidr: ["192.0.2.0/24"] },
  [{ not_cidr: ["10.0.0.0/8"] }, { cidr: ["0.0.0.0/0", "::/0"] }],
  { max_token_age: "12h" },
  { countries: ["DE"] },
  { unknown: true },
  {},
];
const HOUR = 3600;
const FAMILY = 3;

/** Tokens of one subject and client: of this gateway, or of the other issuer. */
export async function family(keys: Keys, random: Random): Promise<Caller[]> {
  const isForeign = random() < 0.3;
  const subject = `subject-${crypto.randomUUID()}`;
  const client = `client-${crypto.randomUUID()}`;
  return Promise.all(Array.from({ length: FAMILY }, () => good(keys, random, isForeign, subject, client)));
}

async function good(keys: Keys, random: Random, isForeign: boolean, subject: string, client: string) {
  const some = <T>(from: readonly T[], most: number): T[] =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(from, random));
  const scopes = some(SCOPES, 4);
  const drawn = random();
  const allowList =
    drawn < 0.4 ? undefined : drawn < 0.9 ? [pick(TARGETS, random), ...some(TARGETS, 4)] : pick(LISTS_REFUSED, random);
  const conditions = random() < 0.8 ? undefined : pick(CONDITIONS, random);
  const now = Math.floor(Date.now() / 1000);
  const iat = random() < 0.8 ? now : now - 20 * HOUR;
  const claims = {
    ...claimsOf(subject, client, scopes),
    iss: isForeign ? FOREIGN_ISSUER : PUBLIC_URL,
    iat,
    ...(allowList === undefined ? {} : { allow_list: allowList }),
    ...(conditions === undefined ? {} : { conditions }),
  };
  const text = await signed(claims, isForeign ? keys.foreign : keys.own);
  // Another issuer's tokens carry no conditions, and its stars are characters like any other.
  const token: OracleToken = {
    scopes: scopes.filter((scope) => scope !== "scopegate:admin"),
    wildcards: !isForeign,
    iat,
    ...(allowList === undefined ? {} : { allowList }),
    ...(conditions === undefined || isForeign ? {} : { conditions }),
  };
  return caller(isForeign ? "foreign" : "own", `Bearer ${text}`, null, claims, token);
}

/** One of each kind that must be refused, whatever it asks for. */
export async function bad(keys: Keys): Promise<Caller[]> {
  const claims = claimsOf("nobody", "nothing", ["*"]);
  const now = claims.iat;
  const foreign = { ...claims, iss: FOREIGN_ISSUER };
  const [text, { privateKey: stranger }] = await Promise.all([
    signed(claims, keys.own),
    generateKeyPair("ES256", { extractable: true }),
  ]);
  const strangers = { ...(await exportJWK(stranger)), alg: "ES256" };
  const [header = "", payload = "", signature = ""] = text.split(".");
  const put = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const confused = `${put({ alg: "HS256", typ: "at+jwt", kid: keys.own.kid })}.${payload}`;
  const mac = createHmac("sha256", JSON.stringify(publicPart(keys.own)))
    .update(confused)
    .digest("base64url");
  const without = (name: string) => ({ ...claims, [name]: undefined });

  const invalid: Record<string, string> = {
    "not yet": await signed({ ...claims, nbf: now + HOUR }, keys.own),
    "of the future": await signed({ ...claims, iat: now + HOUR }, keys.own),
    "another audience": await signed({ ...claims, aud: "https://other.example.com" }, keys.own),
    "another issuer": await signed({ ...claims, iss: "https://evil.example.com/" }, keys.own),
    "another type": await signed(claims, keys.own, { typ: "JWT" }),
    "another's key": await signed(foreign, keys.own),
    "a stranger's key under our kid": await signed(claims, { ...strangers, kid: keys.own.kid ?? "" }),
    "a stranger's key under their kid": await signed(foreign, { ...strangers, kid: keys.foreign.kid ?? "" }),
    "an unknown key": await signed(claims, { ...strangers, kid: "nobody's" }),
    "an unknown key of theirs": await signed(foreign, { ...strangers, kid: "nobody's" }),
    "no subject": await signed(without("sub"), keys.own),
    "no client": await signed(without("client_id"), keys.own),
    "no id": await signed(without("jti"), keys.own),
    "no end": await signed(without("exp"), keys.own),
    "an end that is a string": await signed({ ...claims, exp: String(now + HOUR) as unknown as number }, keys.own),
    "bound to a key": await signed({ ...claims, cnf: { jkt: "x" } }, keys.own),
    "critical header": await signed(claims, keys.own, { crit: ["exp"], exp: now + HOUR }),
    none: `${put({ alg: "none", typ: "at+jwt" })}.${payload}.`,
    confused: `${confused}.${mac}`,
    "another payload": `${header}.${put({ ...claims, sub: "root" })}.${signature}`,
    "no signature": `${header}.${payload}.`,
    "half a signature": `${header}.${payload}.${signature.slice(0, 43)}`,
    padded: `${text}==`,
    "two parts": `${header}.${payload}`,
    garbage: "abc",
  };
  const malformed: Record<string, string> = {
    "Bearer alone": "Bearer",
    "no scheme": text,
    "two words": `Bearer ${text} ${text}`,
    "two tokens": `Bearer ${text}, Bearer ${text}`,
    "behind another scheme": `Basic dTpw, Bearer ${text}`,
  };
  const expired = {
    expired: await signed({ ...claims, iat: now - 2 * HOUR, exp: now - HOUR }, keys.own),
    "expired, theirs": await signed({ ...foreign, iat: now - 2 * HOUR, exp: now - HOUR }, keys.foreign),
  };
  return [
    caller("none", null, "token_missing", claims),
    caller("another scheme", "Basic dTpw", "token_missing", claims),
    ...Object.entries(invalid).map(([kind, token]) => caller(kind, `Bearer ${token}`, "token_invalid", claims)),
    ...Object.entries(expired).map(([kind, token]) => caller(kind, `Bearer ${token}`, "token_expired", claims)),
    ...Object.entries(malformed).map(([kind, value]) => caller(kind, value, "credentials_malformed", claims)),
  ];
}

export function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)] as T;
}

const NO_TOKEN: OracleToken = { scopes: [], wildcards: false };

function caller(
  kind: string,
  authorization: string | null,
  refusal: Caller["refusal"],
  { iss, jti, sub, client_id }: Claims,
  token = NO_TOKEN,
): Caller {
  const names = { issuer: iss, id: jti, subject: sub, client: client_id };
  return { kind, authorization, refusal, token, ...names, state: "live", unsureUntil: 0 };
}

type Claims = Pick<ReturnType<typeof claimsOf>, "iss" | "jti" | "sub" | "client_id">;

function claimsOf(subject: string, client: string, scopes: readonly string[]) {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: PUBLIC_URL,
    aud: PUBLIC_URL,
    sub: subject,
    client_id: client,
    iat: now,
    exp: now + 24 * HOUR,
    jti: crypto.randomUUID() as string,
    scope: scopes.join(" "),
  };
}

const imported = new Map<string, Promise<CryptoKey>>();

async function signed(claims: object, jwk: JWK, header: object = {}): Promise<string> {
  const name = jwk.d ?? "";
  const key = imported.get(name) ?? (importJWK(jwk, "ES256") as Promise<CryptoKey>);
  imported.set(name, key);
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: jwk.kid ?? "", ...header })
    .sign(await key, { crit: { exp: true } });
}
