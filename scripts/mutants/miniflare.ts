/**
 * What `test/support/gateway.ts` imports as `miniflare` and `esbuild` while mutants run: the Worker's own entry in this
 * process, with the mutant in it, behind an HTTP server, on the stand-ins for D1 and KV. Time runs five times as fast, for
 * tests that wait until a change has taken effect everywhere.
 *
 * Trade-off: this is not workerd: there is no `cf`, no workerd stream and no log. Tests that need them are left out.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { database, namespace } from "./stand-ins.ts";

const SPEED = 5;

interface Settings {
  readonly modules: readonly { readonly type: string; readonly path: string; readonly contents: string }[];
  readonly bindings: Record<string, string>;
  readonly d1Databases?: readonly string[];
}

interface Worker {
  fetch(request: Request, env: object, context: object): Promise<Response>;
}

// In workerd every response that is not a WebSocket handshake has this.
Object.assign(Response.prototype, { webSocket: null });

/** The policies that Workers import as `scopegate.toml`, by the number in the Worker's URL. */
const policies: string[] = [];
let isHurried = false;
let importWorker: (query: string) => Promise<{ readonly default: Worker }>;

/** Sets how a Worker is imported; call it before loading tests. `load` must pass `query` on to the import of `scopegate.toml`. */
export function workersAre(load: typeof importWorker): void {
  importWorker = load;
}

export function policyOf(query: string): string {
  const policy = policies[Number(query)];
  if (policy === undefined) throw new Error("there is no such policy");
  return policy;
}

export function convertV4MiniflareOptions(settings: Settings): Settings {
  return settings;
}

/** Replaces esbuild's `build`: bundles nothing. */
export async function build(): Promise<{ outputFiles: readonly { readonly text: string }[] }> {
  return { outputFiles: [{ text: "" }] };
}

export class Miniflare {
  readonly ready: Promise<URL>;
  readonly #db: object = database();
  readonly #server;

  constructor({ modules, bindings, d1Databases = [] }: Settings) {
    hurry();
    if (modules.some(({ path }) => path === "entry.js")) throw new Error("an entry of its own needs workerd");
    const policy = modules.find(({ type }) => type === "Text")?.contents ?? "";
    const env = { ...bindings, REVOCATIONS: namespace(), ...(d1Databases.length > 0 ? { DB: this.#db } : {}) };
    const worker = importWorker(String(policies.push(policy) - 1));
    this.#server = createServer((request, response) => {
      void answer(worker, env, request, response).catch(() => response.destroy());
    });
    this.ready = this.#start(worker);
  }

  async #start(worker: Promise<unknown>): Promise<URL> {
    await worker;
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`);
  }

  async getD1Database(): Promise<object> {
    return this.#db;
  }

  async dispose(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function answer(
  worker: Promise<{ readonly default: Worker }>,
  env: object,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers = new Headers({ "CF-Connecting-IP": "127.0.0.1" });
  for (const [name, values] of Object.entries(request.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  const body = await buffer(request);
  const asked = new Request(`http://${request.headers.host}${request.url}`, {
    method: request.method ?? "GET",
    headers,
    ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
  });
  const context = { waitUntil: (work: Promise<unknown>) => void work.catch(() => undefined) };
  const answered = await (await worker).default.fetch(asked, env, context);
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  response.end(Buffer.from(await answered.arrayBuffer()));
}

/** From the first Worker on: makes `Date` and `setTimeout` run faster by the same factor. */
function hurry(): void {
  if (isHurried) return;
  isHurried = true;
  const began = Date.now();
  const [RealDate, realTimeout] = [Date, setTimeout];
  const now = (): number => began + (RealDate.now() - began) * SPEED;
  globalThis.Date = class extends RealDate {
    constructor(...given: []) {
      super(...((given.length === 0 ? [now()] : given) as []));
    }
    static override now = now;
  } as DateConstructor;
  const faster = (work: () => void, milliseconds = 0, ...given: unknown[]): unknown =>
    realTimeout(work, milliseconds / SPEED, ...(given as []));
  globalThis.setTimeout = Object.assign(faster, realTimeout) as unknown as typeof setTimeout;
}
