/**
 * The process in which mutants are tried, one after the other: for each it loads the tests of the private copy again, with one
 * file's text changed in memory, and stops at the first test that fails. Writes nothing.
 *
 * Leaves to its parent (`pool.ts`): killing it when a mutant hangs it or uses up its memory.
 */
import { globSync, readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transformSync } from "esbuild";
import fc from "fast-check";
import { collected, type Test } from "./collector.ts";
import { policyOf, workersAre } from "./miniflare.ts";
import { emptied } from "./stand-ins.ts";

export interface Task {
  readonly id: number;
  /** `null`: nothing is changed, all tests run, and all failures are reported. */
  readonly change: {
    readonly file: string;
    readonly start: number;
    readonly end: number;
    readonly replacement: string;
  } | null;
  /** Paths from the copy's root, in the order in which to run them. */
  readonly tests: readonly string[];
  /** For each of them: how long one test may take, in milliseconds. */
  readonly limits: readonly number[];
  /** Tests that fail without a change, as `file: name`. */
  readonly except: readonly string[];
}

export type Message =
  | { readonly kind: "alive"; readonly test: string }
  | {
      readonly kind: "done";
      readonly id: number;
      readonly failed: readonly string[];
      readonly by: string | null;
      readonly milliseconds: Readonly<Record<string, number>>;
      readonly longest: number;
      readonly count: number;
    };

const [root = "", seed = "1"] = process.argv.slice(2);
const rootUrl = pathToFileURL(`${root}/`).href;
const TSCONFIG = { compilerOptions: { verbatimModuleSyntax: true } };
const later = setTimeout;
const never = clearTimeout;

let generation = 0;
let change: Task["change"] = null;
let limit = 0;
const stripped = new Map<string, string>();

function textOf(path: string): string {
  if (change !== null && path === join(root, change.file)) {
    const text = readFileSync(path, "utf8");
    return withoutTypes(text.slice(0, change.start) + change.replacement + text.slice(change.end));
  }
  const known = stripped.get(path);
  if (known !== undefined) return known;
  const text = readFileSync(path, "utf8").replaceAll("import.meta.glob(", "globalThis.glob(import.meta.url, ");
  const plain = path.endsWith(".ts") ? withoutTypes(text) : text;
  stripped.set(path, plain);
  return plain;
}

/** By esbuild, because Node's own type stripping refuses the escape of a lone surrogate. */
function withoutTypes(text: string): string {
  return transformSync(text, { loader: "ts", target: "esnext", tsconfigRaw: TSCONFIG }).code;
}

/** Vite's `import.meta.glob` with `eager`. */
function glob(from: string, pattern: string): Record<string, unknown> {
  const base = dirname(fileURLToPath(from));
  const found = globSync(pattern, { cwd: base });
  return Object.fromEntries(found.map((path) => [path, JSON.parse(readFileSync(resolve(base, path), "utf8"))]));
}

Object.assign(globalThis, { glob });
workersAre((query) => import(`${rootUrl}src/index.ts?worker=${query}`));
const own = (name: string): string => new URL(name, import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "vitest") return { url: own("./collector.ts"), shortCircuit: true };
    if (specifier === "miniflare" || (specifier === "esbuild" && context.parentURL?.startsWith(rootUrl))) {
      return { url: own("./miniflare.ts"), shortCircuit: true };
    }
    const policy = /\?worker=(\d+)/.exec(context.parentURL ?? "")?.[1];
    if (policy !== undefined && specifier.endsWith("/scopegate.toml")) {
      return { url: `${rootUrl}scopegate.toml?${policy}`, shortCircuit: true };
    }
    if (specifier === "cloudflare:workers") return { url: own("./stand-ins.ts"), shortCircuit: true };
    const found = next(specifier, context);
    if (!found.url.startsWith(rootUrl) || found.url.includes("?")) return found;
    return { ...found, url: `${found.url}?${generation}`, shortCircuit: true };
  },
  load(url, context, next) {
    if (!url.startsWith(rootUrl)) return next(url, context);
    const path = fileURLToPath(url.split("?")[0] ?? url);
    if (url.endsWith("?raw")) {
      const source = `export default ${JSON.stringify(readFileSync(path, "utf8"))}`;
      return { format: "module", source, shortCircuit: true };
    }
    if (path.endsWith(".toml")) {
      const source = `export default ${JSON.stringify(policyOf(url.split("?")[1] ?? ""))}`;
      return { format: "module", source, shortCircuit: true };
    }
    if (path.endsWith(".json")) {
      const text = readFileSync(path, "utf8");
      return context.importAttributes["type"] === "json"
        ? { format: "json", source: text, shortCircuit: true }
        : { format: "module", source: `export default ${text}`, shortCircuit: true };
    }
    return { format: "module", source: textOf(path), shortCircuit: true };
  },
});

/** The failures of one file's tests: with a mutant only the first; without, all of them with their messages. */
async function failuresOf(file: string, task: Task, told: { longest: number; count: number }): Promise<string[]> {
  const failures: string[] = [];
  const failed = (name: string, error: unknown): boolean => {
    const test = `${file}: ${name}`;
    if (!task.except.includes(test)) failures.push(task.change === null ? `${test}\n  ${reason(error)}` : test);
    return task.change !== null && failures.length > 0;
  };
  emptied();
  let tests: readonly Test[];
  try {
    tests = await collected(() => import(pathToFileURL(join(root, file)).href));
  } catch (error) {
    failed("cannot be loaded", error);
    return failures;
  }
  const begun = new Set<object>();
  for (const { name, run, suites } of tests) {
    if (task.except.includes(`${file}: ${name}`)) continue;
    tell({ kind: "alive", test: `${file}: ${name}` });
    const began = performance.now();
    try {
      for (const suite of suites) {
        if (begun.has(suite)) continue;
        begun.add(suite);
        for (const hook of suite.hooks.beforeAll) await bounded(hook);
      }
      for (const suite of suites) for (const hook of suite.hooks.beforeEach) await bounded(hook);
      await bounded(run);
    } catch (error) {
      if (failed(name, error)) return failures;
    } finally {
      for (const suite of suites) for (const hook of suite.hooks.afterEach) await bounded(hook).catch(() => undefined);
    }
    told.longest = Math.max(told.longest, performance.now() - began);
    told.count++;
  }
  for (const suite of begun as Set<Test["suites"][number]>) {
    for (const hook of suite.hooks.afterAll) await bounded(hook).catch(() => undefined);
  }
  return failures;
}

/** Rejects if the work has not settled in time. Cannot stop a synchronous endless loop: the parent notices that. */
async function bounded(work: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise((_, reject) => {
    timer = later(() => reject(new Error(`took its time`)), limit);
  });
  try {
    await Promise.race([work(), tooLong]);
  } finally {
    never(timer);
  }
}

async function perform(task: Task): Promise<void> {
  generation++;
  // A test that never settled may have left a different working directory.
  process.chdir(root);
  change = task.change;
  fc.configureGlobal({ seed: Number(seed), endOnFailure: task.change !== null });
  const told = { longest: 0, count: 0 };
  const milliseconds: Record<string, number> = {};
  const all: string[] = [];
  for (const [index, file] of task.tests.entries()) {
    limit = task.limits[index] ?? 0;
    const began = performance.now();
    const failures = await failuresOf(file, task, told);
    milliseconds[file] = performance.now() - began;
    all.push(...failures);
    if (failures.length > 0 && task.change !== null) break;
  }
  tell({ kind: "done", id: task.id, failed: all, by: all[0] ?? null, milliseconds, ...told });
}

function tell(message: Message): void {
  process.send?.(message);
}

function reason(error: unknown): string {
  return (error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error)).slice(0, 600);
}

// Work that a mutant left behind may fail while the next one runs: do not count that against the next.
process.on("unhandledRejection", () => {});
process.on("uncaughtException", () => {});
process.on("message", (task: Task) => void perform(task));
process.on("disconnect", () => process.exit());
