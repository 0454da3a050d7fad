/**
 * The whole gateway for black-box tests: `src/index.ts` bundled as it is deployed, in workerd (Miniflare), with real D1
 * (the schema applied), real KV, fresh signing keys, the test's policy and an origin on loopback.
 *
 * Runs in Node (projects `unit` and `conformance`), not in workerd. Whoever starts one disposes of it.
 */
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { convertV4MiniflareOptions, Miniflare, type V4MiniflareOptions } from "miniflare";
import { parse } from "smol-toml";
import { statementsOf } from "./statements.ts";

export interface GatewayOptions {
  /** The text of `scopegate.toml`. */
  readonly policy: string;
  /** The origin; absent: it answers 200 with what it received, as an `Echo`. `null`: none is started. */
  readonly origin?: RequestListener | null;
  /** Further variables and secrets of the Worker; they win over the ones that are made here. */
  readonly bindings?: Record<string, string>;
  /** Private JWKs, the first signs; absent: one fresh ES256 key. */
  readonly signingKeys?: readonly JWK[];
  /** Whether D1 is bound, and its schema applied. Absent: yes. */
  readonly database?: boolean;
  /** The source of a module that stands before the Worker as its entry and imports it from `./index.js`. */
  readonly entry?: string;
  /** What Miniflare takes besides, for one Worker: service bindings, `cf`, … */
  readonly miniflare?: Partial<V4MiniflareOptions>;
}

/** What the default origin answers. */
export interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

interface TokenOptions {
  readonly subject?: string;
  /** Seconds from now; negative for one that has expired. Absent: 3600. */
  readonly lifetimeSeconds?: number;
  /** Claims to add or to replace; `undefined` takes one away. */
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
}

export interface Gateway {
  /** Without a trailing slash. */
  readonly url: string;
  readonly originUrl: string | null;
  /** The policy's `public_url`: the issuer of own tokens. */
  readonly issuer: string;
  readonly signingKeys: readonly JWK[];
  readonly miniflare: Miniflare;
  /** The lines that the Worker wrote to its console. */
  readonly logs: string[];
  /** Sends a request to a path of the gateway. Redirects are handed back. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The same with `Authorization: Bearer` and, for a body that is no string, JSON. */
  call(
    token: string,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Response>;
  /** A token that the gateway itself could have issued, with these scopes. It has no record. */
  token(scopes: readonly string[] | string, options?: TokenOptions): Promise<string>;
  db(): Promise<D1Database>;
  dispose(): Promise<void>;
}

let bundle: Promise<string> | undefined;

/** Starts a gateway on a free port of 127.0.0.1. Rejects where the Worker does not start, as with a bad policy. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  bundle ??= bundleWorker();
  const script = await bundle;
  const wrangler = parse(await readFile("wrangler.toml", "utf8"));
  const signingKeys = options.signingKeys ?? [await makeSigningKey()];
  const origin = options.origin === null ? null : await listen(options.origin ?? echo);
  const logs: string[] = [];

  const settings = {
    host: "127.0.0.1",
    port: 0,
    cf: false,
    compatibilityDate: String(wrangler["compatibility_date"]),
    compatibilityFlags: (wrangler["compatibility_flags"] as string[] | undefined) ?? [],
    modules: [
      ...(options.entry === undefined ? [] : [{ type: "ESModule", path: "entry.js", contents: options.entry }]),
      { type: "ESModule", path: "index.js", contents: script },
      { type: "Text", path: "scopegate.toml", contents: options.policy },
    ],
    kvNamespaces: ["REVOCATIONS"],
    ...(options.database === false ? {} : { d1Databases: ["DB"] }),
    bindings: {
      SIGNING_KEYS: JSON.stringify({ keys: signingKeys }),
      ...(origin === null ? {} : { ORIGIN_URL: origin.url }),
      ...options.bindings,
    },
    handleStructuredLogs: ({ message }: { message: string }) => logs.push(...message.split("\n").filter(Boolean)),
    ...options.miniflare,
  } as V4MiniflareOptions;
  const miniflare = new Miniflare(convertV4MiniflareOptions(settings));

  try {
    const url = (await miniflare.ready).href.replace(/\/$/, "");
    if (options.database !== false) await applySchema(await miniflare.getD1Database("DB"));
    const { issuer, audience } = readIssuer(options.policy);
    return {
      url,
      originUrl: origin?.url ?? null,
      issuer,
      signingKeys,
      miniflare,
      logs,
      fetch: (path, init) => fetch(url + path, { redirect: "manual", ...init }),
      call: (token, method, path, body, headers) =>
        fetch(url + path, {
          method,
          redirect: "manual",
          headers: {
            Authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { "Content-Type": "application/json" }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        }),
      token: (scopes, tokenOptions) => signToken(signingKeys[0], issuer, audience, scopes, tokenOptions ?? {}),
      db: () => miniflare.getD1Database("DB") as Promise<unknown> as Promise<D1Database>,
      async dispose() {
        await miniflare.dispose();
        await origin?.close();
      },
    };
  } catch (error) {
    await miniflare.dispose().catch(() => undefined);
    await origin?.close();
    throw error;
  }
}

/** A fresh private JWK with a `kid`. */
export async function makeSigningKey(algorithm: "ES256" | "EdDSA" = "ES256"): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: algorithm, use: "sig", kid: crypto.randomUUID() };
}

async function bundleWorker(): Promise<string> {
  const built = await build({
    entryPoints: ["src/index.ts"],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    loader: { ".sql": "text" },
    plugins: [
      {
        name: "policy",
        setup(plugin) {
          plugin.onResolve({ filter: /scopegate\.toml$/ }, () => ({ path: "./scopegate.toml", external: true }));
        },
      },
    ],
    logLevel: "silent",
  });
  const text = built.outputFiles[0]?.text;
  if (text === undefined) throw new Error("esbuild wrote nothing");
  return text;
}

async function applySchema(db: { prepare(sql: string): unknown; batch(statements: never): Promise<unknown> }) {
  const statements = statementsOf(await readFile("schema.sql", "utf8"));
  await db.batch(statements.map((sql) => db.prepare(sql)) as never);
}

function readIssuer(policy: string): { issuer: string; audience: string } {
  const parsed = parse(policy) as { gateway?: { public_url?: string }; tokens?: { audience?: string } };
  const issuer = parsed.gateway?.public_url ?? "";
  return { issuer, audience: parsed.tokens?.audience ?? issuer };
}

async function signToken(
  jwk: JWK | undefined,
  issuer: string,
  audience: string,
  scopes: readonly string[] | string,
  options: TokenOptions,
): Promise<string> {
  if (jwk === undefined) throw new Error("there is no signing key");
  const now = Math.floor(Date.now() / 1000);
  const key = (await importJWK(jwk)) as CryptoKey;
  const claims = {
    iss: issuer,
    aud: audience,
    sub: options.subject ?? "tester",
    client_id: "tests",
    iat: now,
    exp: now + (options.lifetimeSeconds ?? 3600),
    jti: crypto.randomUUID(),
    scope: typeof scopes === "string" ? scopes : scopes.join(" "),
    ...options.claims,
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: jwk.alg ?? "ES256", typ: "at+jwt", kid: jwk.kid ?? "", ...options.header })
    .sign(key);
}

const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body: Echo = {
      method: request.method ?? "",
      url: request.url ?? "",
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      body: Buffer.concat(chunks).toString("utf8"),
    };
    response.setHeader("Content-Type", "application/json").end(JSON.stringify(body));
  });
};

/** Starts an HTTP server on a free port of 127.0.0.1. */
export async function listen(handler: RequestListener): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
