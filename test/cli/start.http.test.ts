/** `npm start`, as a person runs it: in a checkout of its own, on a free port, ended by Ctrl-C. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const MARK = `SCOPEGATE_START_TEST=${crypto.randomUUID()}`;
const FILES = ["package.json", "scopegate.toml", "wrangler.toml", "schema.sql", "src", "scripts", "demo"];

let checkout: string;

beforeAll(() => {
  checkout = mkdtempSync(join(tmpdir(), "scopegate-start-"));
  for (const name of FILES) cpSync(name, join(checkout, name), { recursive: true });
  symlinkSync(resolve("node_modules"), join(checkout, "node_modules"));
});
afterAll(() => {
  for (const pid of marked()) process.kill(pid, "SIGKILL");
  rmSync(checkout, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exit: Promise<number | null>;
}

function npmStart(port: number, env: Record<string, string> = {}): Started {
  const [name = "", value = ""] = MARK.split("=");
  const child = spawn("npm", ["start"], {
    cwd: checkout,
    // A process group of its own, as a terminal gives it one: Ctrl-C is a signal to all of it.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      PORT: String(port),
      [name]: value,
      npm_config_cache: join(checkout, ".npm"),
      FORCE_COLOR: "0",
      ...env,
    },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
  return { child, output: () => text, exit: new Promise((done) => child.once("close", done)) };
}

async function until(started: Started, words: string): Promise<void> {
  let ended = false;
  void started.exit.then(() => (ended = true));
  for (let tries = 0; tries < 600; tries++) {
    if (started.output().includes(words)) return;
    if (ended) break;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`npm start never said "${words}":\n${started.output()}`);
}

/** The processes that inherited the mark of this test. */
function marked(): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/environ`, "utf8").split("\0").includes(MARK) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

async function noneLeft(): Promise<number[]> {
  for (let tries = 0; tries < 50 && marked().length > 0; tries++) await new Promise((done) => setTimeout(done, 100));
  return marked();
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

const isLinux = process.platform === "linux";

describe.skipIf(!isLinux)("npm start (needs Linux: what is left over is read from /proc)", () => {
  test("serves, prints four calls that do what they say, tells of a taken port, and ends whole on Ctrl-C", async () => {
    const port = await freePort();
    const first = npmStart(port);
    await until(first, "More tokens:");
    const output = first.output();
    expect(output).toContain(`scopegate is at http://127.0.0.1:${port}`);
    expect(statSync(join(checkout, ".dev.vars")).mode & 0o777).toBe(0o600);

    const tokens = new Map(
      [...output.matchAll(/^ {2}(TOKEN|REVOKED)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
    );
    const calls = [
      ...output.matchAll(
        /# (.+): (\d+)\n {2}curl -i(?: -X (\w+))? "([^"]+)"(?: -H "Authorization: Bearer \$(\w+)")?\n/g,
      ),
    ];
    expect(calls.map(([, title, status]) => `${title} ${status}`)).toEqual([
      "allowed 200",
      "wrong scope 403",
      "no token 401",
      "revoked 401",
    ]);
    for (const [, title, status, method, url, name] of calls) {
      const headers: Record<string, string> = name === undefined ? {} : { Authorization: `Bearer ${tokens.get(name)}` };
      const response = await fetch(url ?? "", { method: method ?? "GET", headers });
      expect(`${title} ${response.status}`).toBe(`${title} ${status}`);
      if (title === "allowed") expect(await response.text()).toContain("demo origin");
      if (title === "revoked") expect(await response.json()).toMatchObject({ reason: "token_revoked" });
    }

    const second = npmStart(port);
    expect(await second.exit).toBe(1);
    expect(second.output()).toContain(`Port ${port} is taken`);

    process.kill(-(first.child.pid ?? 0), "SIGINT");
    await first.exit;
    expect(await noneLeft()).toEqual([]);
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
  }, 120_000);

  test("in report mode sends an API of the user's own one read, says what enforcing would refuse, and serves on", async () => {
    const received: string[] = [];
    const api = createHttpServer((request, response) => {
      received.push(`${request.method} ${request.url}`);
      response.end("an API");
    });
    await new Promise<void>((done) => api.listen(0, "127.0.0.1", done));
    const address = api.address();
    const apiPort = typeof address === "object" && address !== null ? address.port : 0;
    const policy = readFileSync("scopegate.toml", "utf8");
    writeFileSync(join(checkout, "scopegate.toml"), policy.replace(/^mode += "enforce"/m, 'mode = "report"'));
    const port = await freePort();
    const started = npmStart(port, { ORIGIN_URL: `http://127.0.0.1:${apiPort}` });
    try {
      await until(started, "More tokens:");
      expect(started.output()).toContain("# allowed: 200");
      expect(started.output()).toContain(
        "# wrong scope: 403 once you enforce; now logged as would_refuse and forwarded",
      );
      expect(received).toEqual(["GET /v1/charges"]);
      expect((await fetch(`http://127.0.0.1:${port}/v1/charges`)).status).toBe(200);
    } finally {
      process.kill(-(started.child.pid ?? 0), "SIGINT");
      await started.exit;
      api.close();
      writeFileSync(join(checkout, "scopegate.toml"), policy);
    }
  }, 120_000);

  test("ends whole when it is terminated before it has begun to serve, and keeps its keys", async () => {
    const before = readFileSync(join(checkout, ".dev.vars"), "utf8");
    const started = npmStart(await freePort());
    await until(started, "preparing local D1");
    process.kill(started.child.pid ?? 0, "SIGTERM");
    await started.exit;
    expect(await noneLeft()).toEqual([]);
    expect(readFileSync(join(checkout, ".dev.vars"), "utf8")).toBe(before);
  }, 60_000);
});
