/**
 * The processes in which mutants run. Each is reused until a mutant hangs it or uses up its memory; then it is killed, with
 * its child processes, and the mutant counts as noticed by the time limit.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Message, Task } from "./runner.ts";

export interface Outcome {
  readonly kind: "killed" | "survived" | "timeout";
  /** The test that failed or hung, or `null`. */
  readonly by: string | null;
  /** The tests that failed; in a run without a mutant, with the reasons. */
  readonly failed: readonly string[];
  readonly milliseconds: Readonly<Record<string, number>>;
  readonly longest: number;
  readonly count: number;
}

type Untold = Omit<Task, "id">;

export interface Pool {
  /** Runs a task when a process is free; a function that makes the task is called only then. */
  run(task: Untold | (() => Untold)): Promise<Outcome>;
  close(): void;
}

/** After so many tasks a process is replaced, because it keeps every module that it has loaded. */
const MOST_TASKS = 120;
const MEMORY_MEGABYTES = 1024;
const RUNNER = fileURLToPath(import.meta.resolve("./runner.ts"));
/** The process itself reports a test that never settles, and this leaves it time to, so that it need not be killed. */
const GRACE_MILLISECONDS = 2000;
const START_MILLISECONDS = 20_000;

interface Lane {
  child: ChildProcess | null;
  tasks: number;
  last: Promise<unknown>;
}

export function createPool(width: number, root: string, seed: number): Pool {
  const lanes: Lane[] = Array.from({ length: width }, () => ({ child: null, tasks: 0, last: Promise.resolve() }));
  const free: Lane[] = [...lanes];
  const waiting: ((lane: Lane) => void)[] = [];
  let nextId = 1;

  function start(): ChildProcess {
    return fork(RUNNER, [root, String(seed)], {
      cwd: root,
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--disable-warning=ExperimentalWarning", `--max-old-space-size=${MEMORY_MEGABYTES}`],
      env: { ...process.env, CI: undefined, SCOPEGATE_ORACLE_RUNS: "2000" },
    });
  }

  function end(lane: Lane): void {
    const pid = lane.child?.pid;
    lane.child = null;
    lane.tasks = 0;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has already ended.
    }
  }

  function perform(lane: Lane, task: Task): Promise<Outcome> {
    const patience = Math.max(...task.limits) + GRACE_MILLISECONDS;
    if (lane.tasks >= MOST_TASKS) end(lane);
    lane.child ??= start();
    lane.tasks++;
    const { child } = lane;
    return new Promise((resolve) => {
      let at: string | null = null;
      const finish = (outcome: Outcome): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        if (outcome.kind === "timeout") end(lane);
        resolve(outcome);
      };
      const hung = (): void => finish({ kind: "timeout", by: at, failed: [], milliseconds: {}, longest: 0, count: 0 });
      let timer: NodeJS.Timeout | undefined;
      const arm = (milliseconds: number): void => {
        clearTimeout(timer);
        timer = setTimeout(hung, milliseconds);
      };
      // A new process sends its first message only after it has loaded everything that the tests need.
      arm(lane.tasks === 1 ? patience + START_MILLISECONDS : patience);
      child.on("message", (message: Message) => {
        if (message.kind === "done") {
          const kind = message.failed.length > 0 ? "killed" : "survived";
          finish({ ...message, kind });
          return;
        }
        at = message.test;
        arm(patience);
      });
      child.on("exit", hung);
      child.send(task);
    });
  }

  return {
    async run(task) {
      const lane = free.pop() ?? (await new Promise<Lane>((resolve) => waiting.push(resolve)));
      try {
        return await perform(lane, { ...(typeof task === "function" ? task() : task), id: nextId++ });
      } finally {
        const next = waiting.shift();
        if (next === undefined) free.push(lane);
        else next(lane);
      }
    },
    close() {
      for (const lane of lanes) end(lane);
    },
  };
}
