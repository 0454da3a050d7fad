/**
 * What the worker tests import as `cloudflare:workers` while mutants run: D1 on Node's SQLite, KV and the Cache API in
 * memory, as far as the tests of `test/token`, `test/revocation` and `test/admin` use them. They need not be exact: a test that
 * fails on them without a mutant is left out (`npm test` uses the real ones in workerd).
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";

interface Statement {
  readonly sql: string;
  readonly values: readonly unknown[];
}

const statements = new WeakMap<object, Statement>();

export function database() {
  const sqlite = new DatabaseSync(":memory:");
  sqlite.exec("PRAGMA foreign_keys = ON");

  function execute({ sql, values }: Statement) {
    const prepared = sqlite.prepare(sql);
    const names = [...sql.matchAll(/\?(\d+)/g)].map((found) => Number(found[1]));
    const most = names.length > 0 ? Math.max(...names) : values.length;
    if (most !== values.length) throw new Error(`D1_ERROR: ${most} parameters, ${values.length} values`);
    const bound = values.map(boundValue);
    const before = Number(sqlite.prepare("SELECT total_changes() AS n").get()?.["n"] ?? 0);
    const results = prepared.all(...bound);
    const after = Number(sqlite.prepare("SELECT total_changes() AS n").get()?.["n"] ?? 0);
    const plain = results.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]),
      ),
    );
    return { success: true, results: plain, meta: { changes: after - before, duration: 0, served_by_primary: true } };
  }

  function statement(sql: string, values: readonly unknown[]): object {
    const self = {
      // As in workerd, for tests that inspect them.
      statement: sql,
      params: values,
      bind: (...given: unknown[]) => statement(sql, given),
      all: async () => execute({ sql, values }),
      run: async () => execute({ sql, values }),
      raw: async () => execute({ sql, values }).results.map((row) => Object.values(row)),
      async first(column?: string) {
        const [row] = execute({ sql, values }).results;
        if (row === undefined) return null;
        return column === undefined ? row : (row[column] ?? null);
      },
    };
    statements.set(self, { sql, values });
    return self;
  }

  const self = {
    prepare: (sql: string) => statement(sql, []),
    async batch(given: readonly object[]) {
      sqlite.exec("BEGIN");
      try {
        const results = given.map((each) => {
          const found = statements.get(each);
          if (found === undefined) throw new Error("no statement of this database");
          return execute(found);
        });
        sqlite.exec("COMMIT");
        return results;
      } catch (error) {
        sqlite.exec("ROLLBACK");
        throw error;
      }
    },
    exec: async (sql: string) => sqlite.exec(sql),
    withSession: () => self,
  };
  return self;
}

function boundValue(value: unknown): SQLInputValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value === undefined) throw new Error("D1_TYPE_ERROR: undefined");
  return value as SQLInputValue;
}

export function namespace() {
  const entries = new Map<string, { bytes: Uint8Array; metadata: unknown }>();
  async function getWithMetadata(name: string, how?: string | { type?: string }) {
    const found = entries.get(name);
    if (found === undefined) return { value: null, metadata: null };
    const type = typeof how === "string" ? how : (how?.type ?? "text");
    const text = new TextDecoder().decode(found.bytes);
    const value = type === "arrayBuffer" ? found.bytes.slice().buffer : type === "json" ? JSON.parse(text) : text;
    return { value, metadata: found.metadata };
  }
  return {
    getWithMetadata,
    get: async (name: string, how?: string | { type?: string }) => (await getWithMetadata(name, how)).value,
    async put(name: string, value: unknown, options?: { metadata?: unknown; expirationTtl?: number }) {
      if (options?.expirationTtl !== undefined && options.expirationTtl < 60) throw new Error("KV PUT failed: 400");
      const bytes = new Uint8Array(await new Response(value as string).arrayBuffer());
      entries.set(name, { bytes, metadata: structuredClone(options?.metadata ?? null) });
    },
    async list({ prefix = "" }: { prefix?: string } = {}) {
      const found = [...entries].filter(([name]) => name.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
      const keys = found.map(([name, { metadata }]) => ({ name, ...(metadata === null ? {} : { metadata }) }));
      return { keys, list_complete: true };
    },
    async delete(name: string) {
      entries.delete(name);
    },
  };
}

function cache() {
  const entries = new Map<string, Response>();
  const keyOf = (request: string | Request) => (typeof request === "string" ? request : request.url);
  return {
    match: async (request: string | Request) => entries.get(keyOf(request))?.clone(),
    async put(request: string | Request, response: Response) {
      entries.set(keyOf(request), new Response(await response.arrayBuffer(), response));
    },
    delete: async (request: string | Request) => entries.delete(keyOf(request)),
  };
}

const opened = new Map<string, ReturnType<typeof cache>>();

async function open(name: string) {
  const found = opened.get(name) ?? cache();
  opened.set(name, found);
  return found;
}

export const env: Record<string, unknown> = {};
Object.assign(globalThis, { caches: { open, default: cache() } });

/** Replaces everything by empty stand-ins: each test file starts with its own. */
export function emptied(): void {
  opened.clear();
  Object.assign(env, { DB: database(), REVOCATIONS: namespace() });
}
emptied();
