/**
 * A real issuer: the npm package `oidc-provider` on a loopback port. Issues JWT access tokens, RS256 or ES256, through the
 * client-credentials grant with resource indicators (RFC 6749 §4.4, RFC 8707), and publishes its keys by OpenID Connect
 * Discovery.
 *
 * Its keys can be exchanged, and it can go down and come back, at the same address. Whoever starts one closes it.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { Provider } from "oidc-provider";

type IssuerAlgorithm = "RS256" | "ES256";

export interface Issuer {
  /** Its identifier, which is its address. */
  readonly issuer: string;
  /** The paths that were asked for, in order. */
  readonly asked: string[];
  /** An access token with these scopes, signed with the newest key of the algorithm. */
  token(scopes: string, algorithm?: IssuerAlgorithm): Promise<string>;
  /** Replaces every key. Tokens that were issued before are signed by keys that it no longer publishes. */
  rotate(): Promise<void>;
  /** No longer listens; open connections are cut. */
  down(): Promise<void>;
  /** Listens again, at the same port. */
  up(): Promise<void>;
  /** Answers in its place until it is called with `null`. */
  answerInstead(listener: RequestListener | null): void;
  close(): Promise<void>;
}

export interface IssuerOptions {
  readonly audience: string;
  /** Every scope that a client may ask for. */
  readonly scopes: readonly string[];
  /** Whether it listens from the beginning. Absent: yes. */
  readonly listening?: boolean;
}

const TOKEN_SECONDS = 3600;
const CLIENT = { id: "machine", secret: "a secret of the tests alone" };

export async function startIssuer(options: IssuerOptions): Promise<Issuer> {
  const asked: string[] = [];
  let instead: RequestListener | null = null;
  let handle: (request: IncomingMessage, response: ServerResponse) => void;
  const listener: RequestListener = (request, response) => {
    asked.push(request.url ?? "");
    // A connection that outlives an outage would fail the first request after it.
    response.shouldKeepAlive = false;
    if (instead !== null) instead(request, response);
    else handle(request, response);
  };
  let server = createServer(listener);
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
    });
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });

  const port = await listen(0);
  const issuer = `http://127.0.0.1:${port}`;
  const rotate = async (): Promise<void> => {
    handle = createProvider(issuer, options, [await makeKey("RS256"), await makeKey("ES256")]).callback();
  };
  await rotate();
  if (options.listening === false) await stop();

  return {
    issuer,
    asked,
    rotate,
    down: stop,
    async up() {
      server = createServer(listener);
      await listen(port);
    },
    answerInstead(listener) {
      instead = listener;
    },
    close: stop,
    token: (scopes, algorithm = "ES256") => requestToken(issuer, scopes, algorithm),
  };
}

/** RFC 6749 §4.4.2, with RFC 8707 §2.2. */
async function requestToken(issuer: string, scope: string, algorithm: IssuerAlgorithm): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: {
      Authorization: `Basic ${btoa(`${encodeURIComponent(CLIENT.id)}:${encodeURIComponent(CLIENT.secret)}`)}`,
      "Content-Type": "application/x-www-form-urlencoded",
    },
    body: new URLSearchParams({ grant_type: "client_credentials", scope, resource: resourceOf(algorithm) }),
  });
  const answer = (await response.json()) as { access_token?: string };
  if (answer.access_token === undefined) throw new Error(`no token: ${response.status} ${JSON.stringify(answer)}`);
  return answer.access_token;
}

function resourceOf(algorithm: IssuerAlgorithm): string {
  return `https://resource.example.com/${algorithm}`;
}

function createProvider(issuer: string, options: IssuerOptions, keys: JWK[]): Provider {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    jwks: { keys },
    scopes: [...options.scopes],
    ttl: { ClientCredentials: TOKEN_SECONDS },
    adapter: () => FORGETFUL,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          audience: options.audience,
          scope: options.scopes.join(" "),
          accessTokenFormat: "jwt",
          accessTokenTTL: TOKEN_SECONDS,
          jwt: { sign: { alg: resource.endsWith("RS256") ? "RS256" : "ES256" } },
        }),
      },
    },
  });
  provider.on("server_error", (_context, error) => console.error(error));
  return provider;
}

/** JWT access tokens are not kept, and nothing else is issued. */
const FORGETFUL = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};

async function makeKey(algorithm: IssuerAlgorithm): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: algorithm, use: "sig", kid: crypto.randomUUID() };
}
