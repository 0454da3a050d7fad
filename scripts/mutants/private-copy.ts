/**
 * A copy of the project in which mutants are tried, so that edits to the original do not affect the running tests. The mutants
 * themselves are written to neither. `node_modules` and `../shared` are links to the original's.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Downloaded, generated, or not needed by the tests. */
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
