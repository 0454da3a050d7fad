/**
 * One look at an issuer, shared by requests that have contexts of their own, as only a whole workerd has them: in the worker
 * project all of a file's code is one request.
 */
import type { ServerResponse } from "node:http";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { listen } from "../support/gateway.ts";
import { makeKey, type TestKey } from "./fixture.ts";

const WORKER = `
import { remoteKeys } from "./src/token/remote-keys.ts";
const sources = new Map();
export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    // Each path is an issuer of its own.
    if (!sources.has(pathname)) sources.set(pathname, remoteKeys({
      issuer: env.ISSUER + pathname, jwksUri: env.ISSUER + pathname, copies: env.COPIES, fetch: (url, init) => fetch(url, init),
      now: () => Date.now() / 1000, report: (trouble) => console.log(JSON.stringify(trouble)),
    }));
    const found = await sources.get(pathname).find(searchParams.get("kid"), "ES256", Date.now() / 1000, (work) => ctx.waitUntil(work));
    return Response.json("keys" in found ? found.keys.map(({ kid }) => kid) : found);
  },
};`;

let key: TestKey;
let issuer: Awaited<ReturnType<typeof listen>>;
let miniflare: Miniflare;
let url: string;
let asked: string[] = [];
let waiting: ServerResponse[] = [];

beforeAll(async () => {
  key = await makeKey("ES256", "a");
  issuer = await listen((request, response) => {
    asked.push(request.url ?? "");
    if (request.url?.startsWith("/slow")) waiting.push(response);
    else answer(response);
  });
  const built = await build({
    stdin: { contents: WORKER, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
  });
  const script = built.outputFiles[0]?.text ?? "";
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      compatibilityDate: "2026-10-01",
      modules: [{ type: "ESModule", path: "index.js", contents: script }],
      kvNamespaces: ["COPIES"],
      bindings: { ISSUER: issuer.url },
    }),
  );
  url = (await miniflare.ready).href;
});

afterAll(async () => {
  await miniflare?.dispose();
  await issuer?.close();
});

beforeEach(() => {
  asked = [];
  waiting = [];
});

function answer(response: ServerResponse): void {
  response.setHeader("Content-Type", "application/json").end(JSON.stringify({ keys: [key.publicJwk] }));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function find(path: string, init: RequestInit = {}): Promise<unknown> {
  return (await fetch(`${url}${path}?kid=a`, init)).json();
}

test("many requests at once share one look, and all are answered", async () => {
  const answers = Promise.all(Array.from({ length: 30 }, () => find("slow-many")));
  await until(() => waiting.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const response of waiting) answer(response);
  expect(new Set((await answers).map((found) => JSON.stringify(found)))).toEqual(new Set(['["a"]']));
  expect(asked).toEqual(["/slow-many"]);
});

test("a look goes on for the others when the client that began it has gone", async () => {
  const first = new AbortController();
  const gone = find("slow-gone", { signal: first.signal }).catch(() => "gone");
  await until(() => waiting.length > 0);
  const others = Promise.all([find("slow-gone"), find("slow-gone")]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  first.abort();
  expect(await gone).toBe("gone");
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const response of waiting) answer(response);
  expect(await others).toEqual([["a"], ["a"]]);
  expect(asked).toEqual(["/slow-gone"]);
});

test("requests after it use what another request has fetched and imported", async () => {
  expect(await find("quick")).toEqual(["a"]);
  expect(await Promise.all(Array.from({ length: 10 }, () => find("quick")))).toEqual(
    Array.from({ length: 10 }, () => ["a"]),
  );
  expect(asked).toEqual(["/quick"]);
});

test("an issuer that never answers is an outage for all, within the time of one look", async () => {
  const answers = await Promise.all([find("slow-never"), find("slow-never"), find("slow-never")]);
  expect(answers).toEqual(answers.map(() => ({ retryAfterSeconds: 5 })));
  expect(asked).toEqual(["/slow-never"]);
});
