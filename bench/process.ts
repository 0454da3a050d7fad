/** Child processes of the benchmark, and their CPU time and memory, read from /proc, so only on Linux. */
import { type ChildProcess, fork } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Job, LoadResult } from "./load.ts";

const children: ChildProcess[] = [];

/** Starts a script of this folder. The scripts exit when this process does. */
export function start(script: string, args: readonly string[] = []): ChildProcess {
  const child = fork(join(import.meta.dirname, script), [...args]);
  children.push(child);
  return child;
}

export function stopAll(): void {
  for (const child of children) child.kill();
}

export function nextMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (code: number | null): void =>
      reject(new Error(`a process of the benchmark has ended (exit code ${code})`));
    child.once("exit", failed);
    child.once("message", (message) => {
      child.off("exit", failed);
      resolve(message as T);
    });
  });
}

/** Starts the origin; resolves with its URL. */
export async function startOrigin(kind: "plain" | "full" = "plain"): Promise<string> {
  const { port } = await nextMessage<{ port: number }>(start("./origin.ts", [kind]));
  return `http://127.0.0.1:${port}`;
}

let generator: ChildProcess | undefined;

/** Runs a job in the load generator. Rejects unless every answer has the expected status. */
export async function load(job: Job, expected = 200): Promise<LoadResult> {
  generator ??= start("./load.ts");
  generator.send(job);
  const result = await nextMessage<LoadResult>(generator);
  const wrong = Object.entries(result.statuses).filter(([status]) => Number(status) !== expected);
  if (wrong.length > 0 || result.requests === 0) {
    throw new Error(`answers other than ${expected} on ${job.path}: ${JSON.stringify(result.statuses)}`);
  }
  return result;
}

/** The CPU time of a process's current threads, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + threadSeconds(pid, task), 0);
}

/** The CPU time of its main thread alone, on which workerd runs its Workers, in seconds. */
export function mainThreadSeconds(pid: number): number {
  return threadSeconds(pid, String(pid));
}

function threadSeconds(pid: number, task: string): number {
  const [running = "0"] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ");
  return Number(running) / 1e9;
}

/** Resident memory, in bytes. */
export function memory(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

export function machine(): string {
  const [first] = cpus();
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores of ${first?.model ?? "unknown"}, ${memoryGiB} GiB, ${process.platform} ${release()}, Node ${process.version}`;
}
