import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { fingerprint } from "../../src/revocation/fingerprint.ts";
import { dropExpired, loadSnapshot, pack, packWhenDue } from "../../src/revocation/packing.ts";
import { addRevocations, type NewRevocation, sequencesOf, withdrawRevocation } from "../../src/revocation/records.ts";
import { breakable } from "../support/breakable.ts";
import { recreateSchema } from "../support/database.ts";

const issuer = "https://api.example.com";
const DAY = 86_400;
const now = (): number => Math.floor(Date.now() / 1000);

beforeEach(async () => {
  await recreateSchema(env.DB);
  const { keys } = await env.REVOCATIONS.list();
  for (const { name } of keys) await env.REVOCATIONS.delete(name);
});

async function revoke(values: string[], over: Partial<NewRevocation> = {}, at = now()): Promise<number> {
  const entries = values.map(
    (value): NewRevocation => ({
      kind: "token",
      issuer,
      value,
      issuedBefore: null,
      expiresAt: null,
      reason: "test",
      ...over,
    }),
  );
  return (
    sequencesOf(await env.DB.batch(addRevocations(env.DB, entries, { createdBy: "t", nowSeconds: at }))).at(-1) ?? 0
  );
}

async function loaded(db = env.DB, kv = env.REVOCATIONS) {
  const snapshot = await loadSnapshot(db, kv);
  if (snapshot === null) return null;
  const who = (id: string) => ({
    issuer,
    subject: "alice",
    client: null,
    keyId: "k",
    elderIssuers: [],
    issuedAtSeconds: 1,
    fingerprints: [fingerprint(issuer, id)],
  });
  return {
    sequence: snapshot.position.sequence,
    has: (...ids: string[]) => ids.map((id) => snapshot.index.isRevoked(who(id), now())),
  };
}

async function names(): Promise<string[]> {
  return (await env.REVOCATIONS.list()).keys.map((key) => key.name);
}

describe("packing", () => {
  test("puts the whole list in one value, named by its sequence and vouched for by D1", async () => {
    await revoke(["a", "b"]);
    await withdrawRevocation(env.DB, 1, "mistake", { createdBy: "t", nowSeconds: now() }).run();
    expect(await pack(env.DB, env.REVOCATIONS)).toBe(true);
    const snapshot = await loaded();
    expect(snapshot?.sequence).toBe(3);
    expect(snapshot?.has("a", "b", "c")).toEqual([false, true, false]);
    const row = await env.DB.prepare("SELECT * FROM snapshots").first();
    expect(await names()).toEqual([row?.["name"]]);
    expect(row).toMatchObject({ sequence: 3, entries: 1 });
  });

  test("goes on from the last snapshot", async () => {
    await revoke(["a"]);
    await pack(env.DB, env.REVOCATIONS);
    await revoke(["b"]);
    await revoke(["alice"], { kind: "subject", issuedBefore: 0 });
    await pack(env.DB, env.REVOCATIONS);
    expect((await loaded())?.has("a", "b", "c")).toEqual([true, true, false]);
  });

  test("is due after so many rows, and then not again", async () => {
    expect(await packWhenDue(env.DB, env.REVOCATIONS, 3)).toBe(false);
    await revoke(["a", "b"]);
    expect(await packWhenDue(env.DB, env.REVOCATIONS, 3)).toBe(false);
    await revoke(["c"]);
    expect(await packWhenDue(env.DB, env.REVOCATIONS, 3)).toBe(true);
    expect(await packWhenDue(env.DB, env.REVOCATIONS, 3)).toBe(false);
    await revoke(["d", "e", "f"]);
    expect(await packWhenDue(env.DB, env.REVOCATIONS, 3)).toBe(true);
  });

  test("is due after five thousand rows where nothing else is said", async () => {
    await revoke(Array.from({ length: 4_999 }, (_, at) => `t${at}`));
    expect(await packWhenDue(env.DB, env.REVOCATIONS)).toBe(false);
    await revoke(["one more"]);
    expect(await packWhenDue(env.DB, env.REVOCATIONS)).toBe(true);
  });

  test("twice at the same place changes nothing", async () => {
    await revoke(["a"]);
    await Promise.all([pack(env.DB, env.REVOCATIONS), pack(env.DB, env.REVOCATIONS)]);
    expect(await names()).toHaveLength(1);
    expect((await loaded())?.has("a")).toEqual([true]);
  });

  test.each(["put", "run"])("that dies at its %s leaves the last snapshot in force", async (fatal) => {
    await revoke(["a"]);
    await pack(env.DB, env.REVOCATIONS);
    await revoke(["b"]);
    const [db, kv] = [breakable(env.DB), breakable(env.REVOCATIONS)];
    for (const { tap } of [db, kv]) {
      tap.before = (call) => {
        if (call === fatal) throw new Error("died");
      };
    }
    await expect(pack(db.binding, kv.binding)).rejects.toThrow("died");
    const snapshot = await loaded();
    expect(snapshot?.sequence).toBe(1);
    expect(await pack(env.DB, env.REVOCATIONS)).toBe(true);
    expect((await loaded())?.has("a", "b")).toEqual([true, true]);
  });

  test("keeps two and deletes the others once an hour has passed", async () => {
    for (const id of ["a", "b", "c", "d"]) {
      await revoke([id]);
      await pack(env.DB, env.REVOCATIONS);
    }
    const { results } = await env.DB.prepare("SELECT sequence FROM snapshots ORDER BY sequence").all();
    expect(results.map((row) => row["sequence"])).toEqual([3, 4]);
    expect(await names()).toHaveLength(4);
    const old = "revocations/0/orphan";
    await env.REVOCATIONS.put(old, "left by a packing that died", { metadata: { at: now() - 3601 } });
    await pack(env.DB, env.REVOCATIONS);
    expect(await names()).not.toContain(old);
    expect(await names()).toHaveLength(4);
  });

  test("does not go on from a snapshot that the log does not continue", async () => {
    await revoke(["a", "gone"]);
    await pack(env.DB, env.REVOCATIONS);
    await env.DB.prepare("UPDATE snapshots SET history = 'x'").run();
    await env.DB.prepare("UPDATE revocation_history SET history = 'x'").run();
    await env.DB.prepare("DROP TRIGGER revocations_go_when_expired").run();
    await env.DB.prepare("DELETE FROM revocations WHERE value = 'gone'").run();
    await revoke(["b"]);
    await pack(env.DB, env.REVOCATIONS);
    expect((await loaded())?.has("a", "b", "gone")).toEqual([true, true, false]);
  });

  test("takes all of a log that is longer than a page", async () => {
    for (const page of ["x", "y"]) await revoke(Array.from({ length: 5_000 }, (_, at) => `${page}${at}`));
    await revoke(["last"]);
    await pack(env.DB, env.REVOCATIONS);
    const snapshot = await loaded();
    expect([snapshot?.sequence, snapshot?.has("x0", "last", "z")]).toEqual([10_001, [true, true, false]]);
  });

  test("of more than KV takes is left, and the last snapshot stays in force", async () => {
    await revoke(["a"]);
    await pack(env.DB, env.REVOCATIONS);
    for (let part = 0; part < 3; part++) {
      // Control characters: 1.5 MB in D1, nine in JSON.
      await env.DB.prepare(
        `INSERT INTO revocations (kind, issuer, value, effective_at, reason, created_at, created_by)
         VALUES ('subject', ?1, replace(hex(zeroblob(750000)), '0', char(1)), 0, 'test', 0, 'test')`,
      )
        .bind(issuer)
        .run();
    }
    expect(await pack(env.DB, env.REVOCATIONS)).toBe(false);
    expect(await names()).toHaveLength(1);
    const snapshot = await loaded();
    expect([snapshot?.sequence, snapshot?.has("a", "b")]).toEqual([1, [true, false]]);
  });

  test("settles delayed entries once they have counted for a day", async () => {
    await revoke(["due"], { effectiveAt: now() - 2 * DAY }, now() - 3 * DAY);
    await revoke(["soon"], { effectiveAt: now() - 10 }, now() - 3 * DAY);
    await revoke(["later"], { effectiveAt: now() + 1000 });
    await pack(env.DB, env.REVOCATIONS);
    const snapshot = await loadSnapshot(env.DB, env.REVOCATIONS);
    expect(snapshot?.index.content().tokens.count).toBe(1);
    expect((await loaded())?.has("due", "soon", "later")).toEqual([true, true, false]);
  });
});

describe("a snapshot in KV", () => {
  async function twoPacked(): Promise<string> {
    await revoke(["a"]);
    await pack(env.DB, env.REVOCATIONS);
    await revoke(["b"]);
    await pack(env.DB, env.REVOCATIONS);
    return (await env.DB.prepare("SELECT name FROM snapshots ORDER BY sequence DESC").first<string>("name")) ?? "";
  }

  test.each<[string, (name: string) => Promise<unknown>]>([
    ["missing", (name) => env.REVOCATIONS.delete(name)],
    ["damaged", (name) => env.REVOCATIONS.put(name, "damaged")],
    ["empty", (name) => env.REVOCATIONS.put(name, "")],
    [
      "exchanged for a valid one of another sequence",
      async (name) => {
        const other = await env.DB.prepare("SELECT name FROM snapshots ORDER BY sequence").first<string>("name");
        const bytes = await env.REVOCATIONS.get(other ?? "", "arrayBuffer");
        await env.REVOCATIONS.put(name, bytes ?? "");
      },
    ],
  ])("that is %s is passed over for the one before it", async (_, damage) => {
    await damage(await twoPacked());
    expect((await loaded())?.sequence).toBe(1);
  });

  test("is nothing where KV is empty, or fails, and packing begins anew", async () => {
    await twoPacked();
    const kv = breakable(env.REVOCATIONS);
    kv.tap.mode = "fail";
    expect(await loaded(env.DB, kv.binding)).toBeNull();
    for (const name of await names()) await env.REVOCATIONS.delete(name);
    expect(await loaded()).toBeNull();
    await revoke(["c"]);
    await pack(env.DB, env.REVOCATIONS);
    expect((await loaded())?.has("a", "b", "c")).toEqual([true, true, true]);
  });
});

describe("dropping what has expired", () => {
  test("takes what expired a day ago and leaves the rest, the newest row and the snapshots' places", async () => {
    await revoke(["never"]);
    await revoke(["long ago"], { expiresAt: now() - DAY - 10 });
    await revoke(["place"], { expiresAt: now() - DAY - 10 });
    await pack(env.DB, env.REVOCATIONS);
    await revoke(["today"], { expiresAt: now() - 100 });
    await revoke(["newest"], { expiresAt: now() - DAY - 10 });
    expect(await dropExpired(env.DB)).toBe(1);
    const { results } = await env.DB.prepare("SELECT value FROM revocations ORDER BY sequence").all();
    expect(results.map((row) => row["value"])).toEqual(["never", "place", "today", "newest"]);
    expect(await dropExpired(env.DB)).toBe(0);
  });

  test("is gone from the next snapshot as well", async () => {
    await revoke(["long ago"], { expiresAt: now() - DAY - 10 });
    await revoke(["alive"], { expiresAt: now() + DAY });
    await pack(env.DB, env.REVOCATIONS);
    const snapshot = await loadSnapshot(env.DB, env.REVOCATIONS);
    expect(snapshot?.index.content().tokens.count).toBe(1);
  });
});
