/**
 * Which test files can notice a change in a file of `src/`: those that import it, directly or through others. Type imports do
 * not count, because they do not exist at run time. Excludes tests that start processes, and tests that use HTTP except the
 * admin API's.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseAst } from "vitest/node";

/** Run only for mutants of `src/admin/`, because each takes seconds. */
const HTTP = "test/admin/*.http.test.ts";
/** Starts the bundled Worker, so it depends on `WORKER` without importing it (`miniflare.ts` has the stand-in). */
const GATEWAY = "test/support/gateway.ts";
const WORKER = "src/index.ts";

/** By path of the source file: the test files, those named after it first, then those of its room. */
export function coveringTests(root: string): ReadonlyMap<string, readonly string[]> {
  const covering = new Map<string, string[]>();
  const imports = new Map<string, readonly string[]>();
  const tests = globSync(["test/**/*.unit.test.ts", "test/**/*.worker.test.ts", HTTP], { cwd: root }).sort();
  for (const test of tests) {
    const seen = new Set<string>();
    const pending = [test];
    for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      const found = file === GATEWAY ? [WORKER] : (imports.get(file) ?? importsOf(root, file));
      imports.set(file, found);
      pending.push(...found);
    }
    if ([...seen].some((file) => startsProcesses(root, file))) continue;
    for (const file of seen) {
      if (file.startsWith(test.endsWith(".http.test.ts") ? "src/admin/" : "src/"))
        covering.set(file, [...(covering.get(file) ?? []), test]);
    }
  }
  for (const [file, found] of covering) found.sort((a, b) => distance(file, a) - distance(file, b));
  return covering;
}

/** Whether a file starts processes or threads: these would load the code without the mutant. */
function startsProcesses(root: string, file: string): boolean {
  return /from "(?:node:child_process|node:worker_threads)"/.test(readFileSync(join(root, file), "utf8"));
}

/** 0: named after the file; 1: in its room; 2: in another. */
function distance(file: string, test: string): number {
  const [, room, name = ""] = /^src\/([^/]+)\/(.*)\.ts$/.exec(file) ?? [];
  if (test.startsWith(`test/${room}/${name}.`) || test.startsWith(`test/${room}/${name}-`)) return 0;
  return test.startsWith(`test/${room}/`) ? 1 : 2;
}

function importsOf(root: string, file: string): string[] {
  const program = parseAst(readFileSync(join(root, file), "utf8"), { lang: "ts" });
  return program.body.flatMap((statement) => {
    if (!("source" in statement) || statement.source === null) return [];
    const kind =
      "importKind" in statement ? statement.importKind : "exportKind" in statement ? statement.exportKind : "";
    const specifier = String(statement.source.value);
    if (kind === "type" || !specifier.startsWith(".") || !specifier.endsWith(".ts")) return [];
    const path = relative(root, resolve(root, dirname(file), specifier));
    return existsSync(join(root, path)) ? [path] : [];
  });
}
