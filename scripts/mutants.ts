/**
 * `npm run mutants`: mutation testing. Makes thousands of small changes to `src/`, one at a time, and shows those that no test
 * notices. Exit code 0: at least 90 % are noticed in every room (folder), and no accepted mutant is gone; 1: not; 2: wrong usage.
 *
 * A mutant that hangs a test counts as noticed, in a column of its own. The mutants in `test/mutants-accepted.json` behave like
 * the original, each for the reason given there, and are not counted.
 *
 * Trade-off: for speed all tests run in Node, those for workerd too (`mutants/stand-ins.ts`), and of the tests that use HTTP
 * only the admin API's run (`mutants/miniflare.ts`); so the figures are a lower bound. Random tests use a fixed seed here.
 */
import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { nameOf, readAccepted } from "./mutants/accepted.ts";
import { coveringTests } from "./mutants/covering.ts";
import { type Mutant, mutantsOf } from "./mutants/mutations.ts";
import { createPool, type Outcome, type Pool } from "./mutants/pool.ts";
import { privateCopy } from "./mutants/private-copy.ts";

const ROOMS = ["request", "policy", "token", "revocation", "admin", "cli"];
const NEEDED = 0.9;
const MOST_FILE_MILLISECONDS = 30_000;
const USAGE = `Usage: npm run mutants -- [options]
  --room NAME     ${ROOMS.join(", ")}; as often as needed; absent: all
  --file PATH     only mutants of this file, src/policy/scope.ts; as often as needed
  --line N        only mutants of this line
  --sample N      so many of each room, chosen by the seed; absent: all
  --seed N        of the choice and of the tests' own; absent: 1
  --processes N   absent: one for each core
  --patience MS   a test that takes longer hangs, and longer than three times its usual; absent: 5000
  --json          the result as JSON on stdout`;

interface Tried {
  readonly mutant: Mutant;
  readonly outcome: Outcome["kind"];
  readonly by: string | null;
}

interface RoomResult {
  readonly room: string;
  readonly mutants: number;
  readonly of: number;
  readonly killed: number;
  readonly timeouts: number;
  readonly accepted: number;
  readonly survived: number;
  readonly percent: number;
}

interface Baseline {
  /** Tests, as `file: name`, that fail even without a mutant. */
  readonly except: readonly string[];
  /** By test file: the time of all its tests, and of the longest. */
  readonly milliseconds: ReadonlyMap<string, number>;
  readonly longest: ReadonlyMap<string, number>;
}

async function main(): Promise<number> {
  const options = parseOptions();
  if (options === null) {
    console.error(USAGE);
    return 2;
  }
  const copy = privateCopy(process.cwd());
  const pool = createPool(options.processes, copy.root, options.seed);
  const cleanUp = (): void => {
    pool.close();
    copy.remove();
  };
  process.once("exit", cleanUp);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

  const chosen = chosenMutants(copy.root, options);
  const accepted = readAccepted(join(copy.root, "test/mutants-accepted.json"));
  const covering = coveringTests(copy.root);
  const files = new Set([...chosen.values()].flatMap(({ mutants }) => mutants.map(({ file }) => file)));
  const tests = [...new Set([...files].flatMap((file) => covering.get(file) ?? []))];
  const baseline = await runBaseline(pool, tests);

  const results: RoomResult[] = [];
  const survivors: Mutant[] = [];
  const timeouts: Tried[] = [];
  const needless: string[] = [];
  for (const [room, { mutants, all }] of chosen) {
    const tried = await tryAll(room, pool, mutants, covering, baseline, options.patience);
    const isAccepted = ({ mutant }: Tried): boolean => accepted.has(nameOf(mutant));
    const left = tried.filter(({ outcome }) => outcome === "survived");
    const unnoticed = left.filter((each) => !isAccepted(each)).map(({ mutant }) => mutant);
    const late = tried.filter(({ outcome }) => outcome === "timeout");
    const killed = tried.length - left.length - late.length;
    const counted = killed + late.length + unnoticed.length;
    survivors.push(...unnoticed);
    timeouts.push(...late);
    needless.push(
      ...tried.filter((each) => each.outcome !== "survived" && isAccepted(each)).map(({ mutant }) => nameOf(mutant)),
    );
    results.push({
      room,
      mutants: tried.length,
      of: all,
      killed,
      timeouts: late.length,
      accepted: left.length - unnoticed.length,
      survived: unnoticed.length,
      percent: counted === 0 ? 100 : Math.floor((1000 * (killed + late.length)) / counted) / 10,
    });
  }

  const known = new Set([...chosen.values()].flatMap(({ mutants }) => mutants.map(nameOf)));
  const isWhole = options.sample === null && options.files.length === 0 && options.line === null;
  const gone = isWhole
    ? [...accepted.values()].filter((entry) => options.rooms.includes(roomOf(entry.file)) && !known.has(nameOf(entry)))
    : [];
  if (options.json) console.log(JSON.stringify({ seed: options.seed, results, survivors, timeouts, needless, gone }));
  else print(results, survivors, timeouts, needless, gone.map(nameOf), options.seed);
  const enough = results.every(({ percent }) => percent >= NEEDED * 100);
  return enough && gone.length === 0 ? 0 : 1;
}

interface Options {
  readonly rooms: readonly string[];
  readonly files: readonly string[];
  readonly line: number | null;
  readonly sample: number | null;
  readonly seed: number;
  readonly processes: number;
  readonly patience: number;
  readonly json: boolean;
}

function parseOptions(): Options | null {
  try {
    const { values } = parseArgs({
      options: {
        room: { type: "string", multiple: true },
        file: { type: "string", multiple: true },
        line: { type: "string" },
        sample: { type: "string" },
        seed: { type: "string", default: "1" },
        processes: { type: "string", default: String(availableParallelism()) },
        patience: { type: "string", default: "5000" },
        json: { type: "boolean", default: false },
      },
    });
    const files = values.file ?? [];
    const rooms = values.room ?? (files.length > 0 ? [...new Set(files.map(roomOf))] : ROOMS);
    const [line, sample] = [values.line, values.sample].map((each) => (each === undefined ? null : Number(each)));
    const [seed = 0, processes = 0, patience = 0] = [values.seed, values.processes, values.patience].map(Number);
    const areNumbers = [line, sample, seed, processes, patience].every(
      (each) => each == null || Number.isInteger(each),
    );
    if (!areNumbers || processes < 1 || patience < 1 || rooms.some((room) => !ROOMS.includes(room))) return null;
    return { rooms, files, line: line ?? null, sample: sample ?? null, seed, processes, patience, json: values.json };
  } catch {
    return null;
  }
}

function roomOf(file: string): string {
  return file.split("/")[1] ?? "";
}

/** By room: the mutants to try, and how many there are in all. */
function chosenMutants(root: string, options: Options): Map<string, { mutants: Mutant[]; all: number }> {
  const chosen = new Map<string, { mutants: Mutant[]; all: number }>();
  for (const room of options.rooms) {
    const all = globSync(`src/${room}/**/*.ts`, { cwd: root })
      .sort()
      .filter((file) => !file.endsWith(".d.ts") && (options.files.length === 0 || options.files.includes(file)))
      .flatMap((file) => mutantsOf(file, readFileSync(join(root, file), "utf8")))
      .filter(({ line }) => options.line === null || line === options.line);
    const mutants = options.sample === null ? all : sampled(all, options.sample, options.seed);
    chosen.set(room, { mutants, all: all.length });
  }
  return chosen;
}

/** A seeded random sample (mulberry32), in the original order. */
function sampled(all: readonly Mutant[], count: number, seed: number): Mutant[] {
  let state = seed | 0;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const keyed = all.map((mutant, index) => ({ mutant, index, key: random() }));
  const taken = keyed.sort((a, b) => a.key - b.key).slice(0, count);
  return taken.sort((a, b) => a.index - b.index).map(({ mutant }) => mutant);
}

/** Runs every test file without a mutant, to exclude tests that fail for other reasons. */
async function runBaseline(pool: Pool, tests: readonly string[]): Promise<Baseline> {
  const except: string[] = [];
  const milliseconds = new Map<string, number>();
  const longest = new Map<string, number>();
  let count = 0;
  await Promise.all(
    tests.map(async (test) => {
      const outcome = await pool.run({ change: null, tests: [test], limits: [MOST_FILE_MILLISECONDS], except: [] });
      longest.set(test, outcome.longest);
      const time = outcome.kind === "timeout" ? Number.POSITIVE_INFINITY : (outcome.milliseconds[test] ?? 0);
      milliseconds.set(test, time);
      count += outcome.count;
      if (time > MOST_FILE_MILLISECONDS) console.error(`left out, too slow: ${test} at ${outcome.by}`);
      for (const failure of outcome.failed) {
        console.error(`left out, fails without a change: ${failure}`);
        except.push(failure.split("\n")[0] ?? failure);
      }
    }),
  );
  console.error(`${count} tests in ${tests.length} files pass without a change`);
  return { except, milliseconds, longest };
}

async function tryAll(
  room: string,
  pool: Pool,
  mutants: readonly Mutant[],
  covering: ReadonlyMap<string, readonly string[]>,
  baseline: Baseline,
  patience: number,
): Promise<Tried[]> {
  const tried: Tried[] = [];
  /** By source file and test file: how many mutants the tests noticed, so that the most effective run first. */
  const sharp = new Map<string, number>();
  const timeOf = (test: string): number => baseline.milliseconds.get(test) ?? 0;
  const began = performance.now();
  let survived = 0;
  await Promise.all(
    mutants.map(async (mutant) => {
      const { file, start, end, replacement } = mutant;
      const found = (covering.get(file) ?? []).filter((test) => timeOf(test) <= MOST_FILE_MILLISECONDS);
      const attempt = (factor: number): Promise<Outcome> =>
        pool.run(() => {
          // The sort is stable: while nothing is known yet, the tests named after the file stay first.
          const worth = (test: string): number => (sharp.get(`${file} ${test}`) ?? 0) / (50 + timeOf(test));
          const tests = [...found].sort((a, b) => worth(b) - worth(a));
          const limits = tests.map((test) => factor * Math.max(patience, 3 * (baseline.longest.get(test) ?? 0)));
          return { change: { file, start, end, replacement }, tests, limits, except: baseline.except };
        });
      const first = await attempt(1);
      // The machine may have been busy: try again with three times the time.
      const { kind, by } = first.kind === "timeout" ? await attempt(3) : first;
      if (kind === "survived") {
        survived++;
        if (!process.stderr.isTTY) console.error(`  ${mutant.file}:${mutant.line}  ${mutant.change}`);
      }
      const test = by?.split(": ")[0];
      if (test !== undefined) sharp.set(`${file} ${test}`, (sharp.get(`${file} ${test}`) ?? 0) + 1);
      tried.push({ mutant, outcome: kind, by });
      progress(room, tried.length, mutants.length, survived, performance.now() - began);
    }),
  );
  return tried.sort(
    (a, b) =>
      (a.mutant.file < b.mutant.file ? -1 : a.mutant.file > b.mutant.file ? 1 : 0) || a.mutant.start - b.mutant.start,
  );
}

function progress(room: string, done: number, all: number, survived: number, milliseconds: number): void {
  const isLast = done === all;
  const line = `${room}: ${done} of ${all}, ${survived} not noticed, ${(milliseconds / done / 1000).toFixed(2)} s each`;
  if (process.stderr.isTTY) process.stderr.write(`\r${line}${isLast ? "\n" : "   "}`);
  else if (isLast || done % 100 === 0) console.error(line);
}

function print(
  results: readonly RoomResult[],
  survivors: readonly Mutant[],
  timeouts: readonly Tried[],
  needless: readonly string[],
  gone: readonly string[],
  seed: number,
): void {
  for (const { file, line, change, code, nth } of survivors)
    console.log(`not noticed  ${file}:${line}  ${change}${nth > 0 ? ` (nth ${nth})` : ""}\n             ${code}`);
  for (const { mutant, by } of timeouts)
    console.log(`time limit   ${mutant.file}:${mutant.line}  ${mutant.change}  ${by ?? "while loading"}`);
  for (const name of needless) console.log(`is noticed, take it from test/mutants-accepted.json: ${name}`);
  for (const name of gone) console.log(`is gone, take it from test/mutants-accepted.json: ${name}`);
  console.log(`\nroom         mutants  killed  by time  equivalent  survived  percent   (seed ${seed})`);
  for (const { room, mutants, of, killed, timeouts, accepted, survived, percent } of results) {
    const cells = [mutants, killed, timeouts, accepted, survived].map(String);
    const widths = [7, 6, 7, 10, 8];
    const row = cells.map((cell, index) => cell.padStart(widths[index] ?? 0)).join("  ");
    const sample = mutants === of ? "" : `   a sample of ${of}`;
    console.log(`${room.padEnd(12)} ${row}  ${percent.toFixed(1).padStart(7)}${sample}`);
  }
}

process.exitCode = await main();
process.exit();
