/**
 * A copy of the project in which mutants are tried while others work on the original: nothing is written there either, but
 * nothing changes under the tests while they run. Its `node_modules` and `../shared` are the original's.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is fetched, built, or another's business. */
const LEFT_OUT = new Set(["node_modules", ".git", ".wrangler", "dist", "coverage"]);

export interface PrivateCopy {
  readonly root: string;
  remove(): void;
}

export function privateCopy(project: string): PrivateCopy {
  const above = realpathSync(mkdtempSync(join(tmpdir(), "scopegate-mutants-")));
  const root = join(above, "main");
  mkdirSync(root);
  for (const name of readdirSync(project)) {
    if (LEFT_OUT.has(name) || name.startsWith(".dev.vars")) continue;
    cpSync(join(project, name), join(root, name), { recursive: true });
  }
  symlinkSync(join(project, "node_modules"), join(root, "node_modules"));
  const shared = join(project, "..", "shared");
  if (existsSync(shared)) symlinkSync(shared, join(above, "shared"));
  return { root, remove: () => rmSync(above, { recursive: true, force: true }) };
}
