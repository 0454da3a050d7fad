/**
 * D1 and KV that fail on demand and count what they are asked: a module before the Worker that hands it proxies of its real
 * bindings. What does not fail goes to the real ones.
 */
import type { Gateway } from "./gateway.ts";

export type Fault = "none" | "fail" | "locked" | "hang" | "slow" | "corrupt" | "empty";

export interface Counts {
  readonly db: number;
  readonly kv: number;
}

const CONTROL = "/__bindings";

/** Sets what D1 and KV do from now on, and gives how often each was asked so far. */
export async function setFaults(gateway: Gateway, faults: { db?: Fault; kv?: Fault } = {}): Promise<Counts> {
  const query = new URLSearchParams(Object.entries(faults));
  return (await (await gateway.fetch(`${CONTROL}?${query}`)).json()) as Counts;
}

export const FAULTY_ENTRY = `
import worker from "./index.js";

const faults = { db: "none", kv: "none" };
const counts = { db: 0, kv: 0 };
const statements = new WeakMap();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function asked(which, work, broken) {
  counts[which]++;
  switch (faults[which]) {
    case "fail": throw new Error("D1_ERROR: internal error of the test");
    case "locked": throw new Error("D1_ERROR: database is locked: SQLITE_BUSY");
    case "hang": return new Promise(() => setTimeout(() => undefined, 600_000));
    case "slow": await wait(300); return work();
    case "corrupt": return broken("not what was written");
    case "empty": return broken(null);
    default: return work();
  }
}

function statementOf(real) {
  const proxy = { bind: (...values) => statementOf(real.bind(...values)) };
  for (const name of ["all", "first", "run", "raw"])
    proxy[name] = (...values) => asked("db", () => real[name](...values), () => real[name](...values));
  statements.set(proxy, real);
  return proxy;
}

function databaseOf(real) {
  return {
    prepare: (sql) => statementOf(real.prepare(sql)),
    batch: (list) => asked("db", () => real.batch(list.map((one) => statements.get(one) ?? one)), () => real.batch(list)),
    exec: (sql) => asked("db", () => real.exec(sql), () => real.exec(sql)),
    withSession: (constraint) => databaseOf(real.withSession(constraint)),
    getBookmark: () => real.getBookmark?.() ?? null,
  };
}

function namespaceOf(real) {
  const proxy = {};
  for (const name of ["get", "getWithMetadata", "put", "delete", "list"])
    proxy[name] = (...values) => asked("kv", () => real[name](...values), (broken) => broken);
  return proxy;
}

let wrapped = null;
export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (url.pathname === "${CONTROL}") {
      for (const [which, fault] of url.searchParams) faults[which] = fault;
      return Response.json(counts);
    }
    wrapped ??= { ...env, DB: databaseOf(env.DB), REVOCATIONS: namespaceOf(env.REVOCATIONS) };
    return worker.fetch(request, wrapped, context);
  },
};
`;
