/**
 * Workers in bare workerd, each in a process of its own. Miniflare makes the configuration (D1 and KV are its simulators)
 * and prepares the data; then workerd runs without Miniflare, so that none of Miniflare's code is in the path of a request:
 * its Worker before each outgoing `fetch` costs a quarter of a forwarded request by itself.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare, serializeConfig, type V4MiniflareOptions } from "miniflare";
import { parse } from "smol-toml";
import { unstable_splitSqlQuery as splitSql } from "wrangler";
import { generateSigningKeys } from "../src/token/signing-keys.ts";
import { CF_HEADER } from "./edge.ts";

export interface RunningWorker {
  readonly port: number;
  readonly pid: number;
  readonly child: ChildProcess;
  readonly directory: string;
  /** The inspector's port; 0 if no inspector was requested. */
  readonly inspectorPort: number;
}

/** Prepares a Worker's data before it serves. */
export type Prepare = (miniflare: Miniflare) => Promise<void>;

interface Module {
  readonly type: "ESModule" | "Text";
  readonly path: string;
  readonly contents: string;
}

const running = new Set<RunningWorker>();

export async function stopWorkers(): Promise<void> {
  await Promise.all([...running].map(stopWorker));
}

export async function stopWorker(worker: RunningWorker): Promise<void> {
  const ended = new Promise((resolve) => worker.child.once("exit", resolve));
  running.delete(worker);
  if (worker.child.exitCode === null && worker.child.kill("SIGKILL")) await ended;
  rmSync(worker.directory, { recursive: true, force: true });
}

/** Starts one of `bench/workers`. */
export async function startBenchWorker(
  name: string,
  bindings: Record<string, string>,
  options: Partial<V4MiniflareOptions> = {},
): Promise<RunningWorker> {
  const built = await build({
    entryPoints: [`bench/workers/${name}.ts`],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
  });
  const contents = built.outputFiles[0]?.text ?? "";
  return startWorker([{ type: "ESModule", path: "index.js", contents }], bindings, options);
}

/** Starts scopegate as deployed, but with another policy, and with empty D1 and KV. */
export async function startScopegate(
  policy: string,
  originUrl: string,
  options: { readonly signingKeys?: string; readonly prepare?: Prepare; readonly inspect?: boolean } = {},
): Promise<RunningWorker> {
  const { signingKeys, prepare, inspect = false } = options;
  const { script, policyModule } = deployed(inspect ? ["--minify", "false"] : []);
  return startWorker(
    [
      { type: "ESModule", path: "index.js", contents: script },
      { type: "Text", path: policyModule, contents: policy },
    ],
    { ORIGIN_URL: originUrl, SIGNING_KEYS: signingKeys ?? (await generateSigningKeys()) },
    { d1Databases: ["DB"], kvNamespaces: ["REVOCATIONS"] },
    async (miniflare) => {
      const db = await miniflare.getD1Database("DB");
      await db.batch(splitSql(readFileSync("schema.sql", "utf8")).map((sql) => db.prepare(sql)));
      await prepare?.(miniflare);
    },
    inspect,
  );
}

/** Starts scopegate without its bindings and their simulators: enough to run its modules, but not to serve a request. */
export function startScopegateAlone(policy: string): Promise<RunningWorker> {
  const { script, policyModule } = deployed();
  return startWorker(
    [
      { type: "ESModule", path: "index.js", contents: script },
      { type: "Text", path: policyModule, contents: policy },
    ],
    {},
    {},
  );
}

let bundle: { readonly script: string; readonly policyModule: string } | undefined;

/** What `wrangler deploy` would upload. Built once: `options` only count at the first call. */
export function deployed(options: readonly string[] = []): { readonly script: string; readonly policyModule: string } {
  if (bundle !== undefined) return bundle;
  const directory = mkdtempSync(join(tmpdir(), "scopegate-bench-"));
  try {
    const args = ["node_modules/wrangler/bin/wrangler.js", "deploy", "--dry-run", "--outdir", directory, ...options];
    execFileSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
    const policyModule = readdirSync(directory).find((name) => name.endsWith("scopegate.toml"));
    if (policyModule === undefined) throw new Error("wrangler wrote no policy");
    bundle = { script: readFileSync(join(directory, "index.js"), "utf8"), policyModule };
    return bundle;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function startWorker(
  modules: readonly Module[],
  bindings: Record<string, string>,
  options: Partial<V4MiniflareOptions>,
  prepare?: Prepare,
  inspect = false,
): Promise<RunningWorker> {
  const directory = mkdtempSync(join(tmpdir(), "scopegate-bench-"));
  const wrangler = parse(readFileSync("wrangler.toml", "utf8"));
  const settings = {
    host: "127.0.0.1",
    port: 0,
    cf: false,
    compatibilityDate: String(wrangler["compatibility_date"]),
    compatibilityFlags: (wrangler["compatibility_flags"] as string[] | undefined) ?? [],
    modules,
    bindings,
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    handleStructuredLogs: () => undefined,
    ...options,
  } as V4MiniflareOptions;
  const configuration = join(directory, "workerd.json");
  process.env["MINIFLARE_WORKERD_CONFIG_DEBUG"] = configuration;
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions(settings),
    resourcePersistencePath: join(directory, "data"),
  });
  await miniflare.ready;
  await prepare?.(miniflare);
  await miniflare.dispose();
  const worker = await serve(
    JSON.parse(readFileSync(configuration, "utf8"), revived) as Configuration,
    directory,
    inspect,
  );
  running.add(worker);
  return worker;
}

/** A reviver for `JSON.parse`: turns serialized buffers back into bytes. */
function revived(_: string, value: unknown): unknown {
  const isBytes = typeof value === "object" && value !== null && "type" in value && value.type === "Buffer";
  return isBytes && "data" in value && Array.isArray(value.data) ? Uint8Array.from(value.data) : value;
}

/** The part of workerd's configuration that is changed here. */
interface Configuration {
  services: {
    name: string;
    worker?: { globalOutbound?: { name: string } };
    external?: { address?: string };
    disk?: { path: string };
  }[];
  sockets: { name: string; http?: { cfBlobHeader?: string } }[];
}

const USER_WORKER = "core:user:";
const DIRECT_SOCKET = "direct:";

/** Runs workerd with Miniflare's configuration, changed so that the user's Worker receives and sends requests directly. */
async function serve(configuration: Configuration, directory: string, inspect: boolean): Promise<RunningWorker> {
  for (const { name, worker, external, disk } of configuration.services) {
    // Miniflare has deleted its temporary directories: replace them.
    if (disk !== undefined && !existsSync(disk.path)) {
      disk.path = join(directory, name.replaceAll(":", "-"));
      mkdirSync(disk.path);
    }
    if (name.startsWith(USER_WORKER) && worker !== undefined) worker.globalOutbound = { name: "internet" };
    // The address of Miniflare's own server, which has stopped; no measured request uses it.
    if (external !== undefined) external.address = "127.0.0.1:9";
  }
  // Removes Miniflare's own Worker in front of every request.
  configuration.services = configuration.services.filter(({ name }) => name !== "core:entry");
  configuration.sockets = configuration.sockets
    .filter(({ name }) => name.startsWith(DIRECT_SOCKET))
    .map((socket) => ({ ...socket, http: { ...socket.http, cfBlobHeader: CF_HEADER } }));
  const workerd = String(createRequire(import.meta.url)("workerd").default);
  const inspector = inspect ? ["--inspector-addr=127.0.0.1:0"] : [];
  const child = spawn(workerd, ["serve", "--binary", "--experimental", "--control-fd=3", ...inspector, "-"], {
    stdio: ["pipe", "ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => (errors = `${errors}${String(chunk)}`.slice(-4000)));
  child.stdin?.end(serializeConfig(configuration as never));
  const control = child.stdio[3] as Readable;
  let told = "";
  const port = await new Promise<number>((resolve, reject) => {
    control.on("data", (chunk: Buffer) => {
      told += String(chunk);
      const listening = /"event":"listen","socket":"direct:[^"]*","port":(\d+)/.exec(told)?.[1];
      if (listening !== undefined) resolve(Number(listening));
    });
    child.once("exit", () => reject(new Error(`workerd did not start:\n${errors}`)));
  });
  const inspectorPort = Number(/"event":"listen-inspector","port":(\d+)/.exec(told)?.[1] ?? 0);
  return { port, pid: child.pid ?? 0, child, directory, inspectorPort };
}
