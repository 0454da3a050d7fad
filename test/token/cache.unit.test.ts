import { expect, test } from "vitest";
import { readConditions } from "../../src/policy/conditions/conditions.ts";
import { readAllowList } from "../../src/policy/resources/allow-list.ts";
import { type CachedToken, tokenCache } from "../../src/token/cache.ts";
import { fixedKeys, type KeySource } from "../../src/token/key-source.ts";
import type { Principal } from "../../src/token/principal.ts";
import { NOW } from "./fixture.ts";

function principal(more: Partial<Principal>): Principal {
  return { scopes: [], allowList: { kind: "absent" }, conditions: [], ...more } as unknown as Principal;
}

function entry(goodUntilSeconds = NOW + 60, source: KeySource = fixedKeys([])): CachedToken {
  return { principal: principal({ goodUntilSeconds }), source, generation: source.generation };
}

test("hands out what was put in, by the whole text", () => {
  const cache = tokenCache();
  const one = entry();
  cache.set("token-a", one);
  expect(cache.get("token-a", NOW)?.principal).toBe(one.principal);
  expect(cache.get("token-b", NOW)).toBeUndefined();
  expect(cache.get("token-", NOW)).toBeUndefined();
});

test("hands out nothing from its end on", () => {
  const cache = tokenCache();
  cache.set("a", entry(NOW + 10));
  expect(cache.get("a", NOW + 9.9)).toBeDefined();
  expect(cache.get("a", NOW + 10)).toBeUndefined();
  expect(cache.get("a", NOW)).toBeUndefined();
});

test("hands out nothing that a withdrawn key has verified", () => {
  const cache = tokenCache();
  const source = { ...fixedKeys([]), generation: 0 };
  cache.set("a", entry(NOW + 60, source));
  cache.set("b", entry());
  source.generation = 1;
  expect(cache.get("a", NOW)).toBeUndefined();
  expect(cache.get("b", NOW)).toBeDefined();
});

test("keeps at most its entries, and of those what is used", () => {
  const cache = tokenCache(3);
  for (const token of ["a", "b", "c"]) cache.set(token, entry());
  cache.get("a", NOW);
  cache.set("d", entry());
  expect(["a", "b", "c", "d"].filter((token) => cache.get(token, NOW))).toEqual(["a", "c", "d"]);
});

test("makes room where everything is used, and keeps the newest", () => {
  const cache = tokenCache(3);
  for (const token of ["a", "b", "c"]) cache.set(token, entry());
  for (const token of ["a", "b", "c"]) cache.get(token, NOW);
  cache.set("d", entry());
  cache.set("e", entry());
  expect(["a", "b", "c", "d", "e"].filter((token) => cache.get(token, NOW))).toEqual(["c", "d", "e"]);
});

test("keeps at most its bytes, and counts an entry that is replaced once", () => {
  const cache = tokenCache(1000, 10_000);
  const tokens = Array.from({ length: 20 }, (_, index) => String(index).padStart(1100, "x"));
  for (const token of tokens) for (let times = 0; times < 3; times++) cache.set(token, entry());
  expect(tokens.filter((token) => cache.get(token, NOW))).toEqual(tokens.slice(-5));
});

test("counts what a token's conditions and list take in memory, not only its text", () => {
  const blocks = Array.from({ length: 900 }, (_, index) => `10.${index >> 8}.${index & 255}.1`);
  const heavy: Partial<Principal>[] = [
    { conditions: readConditions({ cidr: blocks }) },
    { conditions: readConditions([{ not_cidr: blocks }]) },
    { allowList: readAllowList(Array.from({ length: 128 }, (_, index) => `t:${index}`)) },
    { scopes: Array.from({ length: 4_000 }, (_, index) => `s${index}`) },
  ];
  for (const more of heavy) {
    const cache = tokenCache(1_000, 400_000);
    const tokens = Array.from({ length: 50 }, (_, index) => `token ${index}`);
    for (const token of tokens) {
      cache.set(token, { ...entry(), principal: principal({ goodUntilSeconds: NOW + 60, ...more }) });
    }
    const kept = tokens.filter((token) => cache.get(token, NOW)).length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(30);
  }
});

test("counts down what has ended", () => {
  const cache = tokenCache(1000, 4_000);
  const token = "x".repeat(1100);
  for (let time = 0; time < 50; time++) {
    cache.set(token, entry(NOW + 1));
    cache.get(token, NOW + 2);
  }
  cache.set("y", entry());
  cache.set(token, entry());
  expect(cache.get("y", NOW)).toBeDefined();
});
