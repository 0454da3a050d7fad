/** The corpora beside the project, where they are there, read by the bundler: the worker project has no file system. */
declare global {
  interface ImportMeta {
    glob(pattern: string, options: { eager: true; import: "default" }): Record<string, unknown>;
  }
}

const found = import.meta.glob("../../../shared/corpora/**/*.json", { eager: true, import: "default" });

/** One corpus, as the caller knows it to be; `null` where it is not there. */
export function corpus<T>(name: string): T | null {
  const path = `../../../shared/corpora/${name}`;
  return Object.hasOwn(found, path) ? (found[path] as T) : null;
}

/** For `test.skipIf`: a name that says why nothing was tested. */
export function named(what: string, corpus: unknown): string {
  return corpus === null ? `SKIPPED, no ../shared/corpora: ${what}` : what;
}
