/**
 * What the tests import as `vitest` while mutants run: a `describe` and `test` that only collect, and vitest's real `expect`
 * and `vi`. Supports only what this project's tests use; anything else fails.
 *
 * Trade-off: vitest itself takes about a second to run a file again, so thousands of mutants would take hours.
 */

export interface Test {
  readonly name: string;
  readonly run: () => unknown;
  readonly suites: readonly Suite[];
}

export interface Suite {
  readonly name: string;
  readonly skipped: boolean;
  readonly hooks: Record<Hook, (() => unknown)[]>;
}

type Hook = "beforeAll" | "afterAll" | "beforeEach" | "afterEach";
type Body = (...given: never[]) => unknown;

/** The part of vitest's worker state that `vi` reads. It must exist before vitest is loaded. */
Object.assign(globalThis, { __vitest_worker__: { config: { fakeTimers: {} }, environment: { name: "node" } } });
const real = await import(new URL("../../node_modules/vitest/dist/index.js", import.meta.url).href);

export const expect: unknown = real.expect;
export const vi: unknown = real.vi;

let suites: Suite[] = [];
let tests: Test[] = [];

/** The tests that `load` declares, which are those of one file. */
export async function collected(load: () => Promise<unknown>): Promise<readonly Test[]> {
  suites = [suite("", false)];
  tests = [];
  await load();
  return tests;
}

function suite(name: string, skipped: boolean): Suite {
  return { name, skipped, hooks: { beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] } };
}

function declare(skipped: boolean, name: string, given: readonly unknown[]): void {
  const body = given.find((each) => typeof each === "function") as (() => unknown) | undefined;
  if (body === undefined) throw new Error(`a test without a body: ${name}`);
  if (skipped || suites.some((each) => each.skipped)) return;
  tests.push({ name: [...suites.map((each) => each.name), name].filter(Boolean).join(" > "), run: body, suites });
}

function group(skipped: boolean, name: string, given: readonly unknown[]): void {
  const body = given.find((each) => typeof each === "function") as (() => unknown) | undefined;
  if (body === undefined) throw new Error(`a suite without a body: ${name}`);
  const outer = suites;
  suites = [...outer, suite(name, skipped)];
  body();
  suites = outer;
}

/** One row of a table is one test; its name has the row's number. */
function table(act: typeof declare, rows: readonly unknown[]) {
  return (name: string, ...given: unknown[]): void => {
    const body = given.find((each) => typeof each === "function") as Body;
    rows.forEach((row, index) => {
      const values = (Array.isArray(row) ? row : [row]) as never[];
      act(false, `${name} #${index}`, [() => body(...values)]);
    });
  };
}

function declarer(act: typeof declare) {
  const plain = (name: unknown, ...given: unknown[]): void =>
    act(false, typeof name === "function" ? name.name : String(name), given);
  return Object.assign(plain, {
    each: (rows: readonly unknown[]) => table(act, rows),
    skip: (name: string, ...given: unknown[]): void => act(true, name, given),
    skipIf:
      (condition: unknown) =>
      (name: string, ...given: unknown[]): void =>
        act(Boolean(condition), name, given),
    runIf:
      (condition: unknown) =>
      (name: string, ...given: unknown[]): void =>
        act(!condition, name, given),
    concurrent: plain,
    sequential: plain,
  });
}

export const test = declarer(declare);
export const it = test;
export const describe = declarer(group);

function hook(kind: Hook) {
  return (body: () => unknown): void => {
    suites.at(-1)?.hooks[kind].push(body);
  };
}

export const beforeAll = hook("beforeAll");
export const afterAll = hook("afterAll");
export const beforeEach = hook("beforeEach");
export const afterEach = hook("afterEach");
