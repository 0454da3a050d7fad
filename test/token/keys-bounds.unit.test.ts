/** Limits of keys and of where they come from, each at the limit and one beyond. Without network: answers are made here. */
import type { JWK } from "jose";
import { describe, expect, test } from "vitest";
import type { KeyTrouble } from "../../src/token/key-source.ts";
import { readKeySet } from "../../src/token/keys.ts";
import type { CopyStore } from "../../src/token/keys-copy.ts";
import { type Fetch, publishedKeys } from "../../src/token/published-keys.ts";
import { remoteKeys } from "../../src/token/remote-keys.ts";
import { isStrongRsa } from "../../src/token/rsa-strength.ts";
import { ISSUER, makeKey, NOW } from "./fixture.ts";

const KEYS = "https://login.example.com/keys";
const DAY = 86_400;

describe("an RSA key", () => {
  const E = new Uint8Array([1, 0, 1]);
  const modulus = (bits: number): Uint8Array => {
    const bytes = new Uint8Array(Math.ceil(bits / 8)).fill(0xa7);
    bytes[0] = 1 << ((bits - 1) % 8);
    return bytes;
  };

  test.each([
    [2047, false],
    [2048, true],
    [8192, true],
    [8193, false],
    [8200, false],
  ])("of %i bits: %s", (bits, strong) => {
    expect(isStrongRsa(modulus(bits), E)).toBe(strong);
  });

  test("with no modulus, or one that begins with zero, is none", () => {
    expect(isStrongRsa(new Uint8Array(), E)).toBe(false);
    expect(isStrongRsa(new Uint8Array([0, ...modulus(2048)]), E)).toBe(false);
    expect(isStrongRsa(new Uint8Array([1, ...modulus(2048)]), E)).toBe(true);
  });

  test.each<[number[], boolean]>([
    [[], false],
    [[3], false],
    [[1, 0, 0], false],
    [[0xff, 0xff], false],
    [[1, 0, 2], false],
    [[0xff, 0xff, 0xff, 0xff], true],
    [[1, 0, 0, 0, 1], false],
  ])("with the exponent %j: %s", (exponent, strong) => {
    expect(isStrongRsa(modulus(2048), new Uint8Array(exponent))).toBe(strong);
  });
});

describe("a set leaves out a key", () => {
  const kept = (key: unknown): number => readKeySet({ keys: [key] })?.length ?? -1;
  const without = (jwk: JWK, name: keyof JWK): JWK => ({ ...jwk, [name]: undefined });

  test("of a curve that is not known, or that lacks a part of its point", async () => {
    const { publicJwk } = await makeKey("ES256");
    const bare = without(publicJwk, "alg");
    expect(kept(bare)).toBe(1);
    expect(kept({ ...bare, crv: "P-192" })).toBe(0);
    expect(kept({ ...bare, crv: 256 })).toBe(0);
    for (const name of ["crv", "x", "y"] as const) expect(kept(without(bare, name))).toBe(0);
    expect(kept({ ...publicJwk, alg: "ES384" })).toBe(0);
    expect(kept({ ...publicJwk, alg: 256 })).toBe(0);
  });

  test("whose numbers are not in strict base64url", async () => {
    const { publicJwk } = await makeKey("RS256");
    const { n = "", e = "" } = publicJwk;
    expect(kept(publicJwk)).toBe(1);
    for (const other of [n.replace(/.$/, "+"), `${n}=`, ` ${n}`, "", 5, null])
      expect(kept({ ...publicJwk, n: other })).toBe(0);
    expect(kept({ ...publicJwk, e: `${e}=` })).toBe(0);
    expect(kept({ ...publicJwk, n: `AAAA${n}` })).toBe(1);
  });
});

describe("an issuer's answer", () => {
  const cause = async (response: Response): Promise<string> => {
    const published = await publishedKeys(ISSUER, KEYS, async () => response);
    return published.ok ? "keys" : published.cause;
  };

  test("has at most 256 KiB", async () => {
    const text = '{"keys":[]}';
    const answer = (length: number) => new Response(text + " ".repeat(length - text.length));
    expect(await cause(answer(256 * 1024))).toBe("keys");
    expect(await cause(answer(256 * 1024 + 1))).toBe("jwks");
  });

  test("without a body is no set of keys, and no outage of the network", async () => {
    expect(await cause(new Response(null))).toBe("jwks");
  });

  test("that is not wanted is closed", async () => {
    let cancelled = false;
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(16)),
      cancel: () => {
        cancelled = true;
      },
    });
    expect(await cause(new Response(body, { status: 404 }))).toBe("jwks");
    expect(cancelled).toBe(true);
  });
});

describe("an issuer's keys", () => {
  async function source(answer: Fetch, copies: CopyStore | null = null) {
    const behind: Promise<unknown>[] = [];
    const self = {
      clock: NOW,
      answer,
      looks: 0,
      troubles: [] as KeyTrouble[],
      find: async (kid = "a") => keys.find(kid, "ES256", self.clock, (work) => void behind.push(work)),
      refresh: () => keys.refresh(self.clock, (work) => void behind.push(work)),
      settle: async () => {
        while (behind.length > 0) await behind.pop();
      },
    };
    const keys = remoteKeys({
      issuer: ISSUER,
      jwksUri: KEYS,
      fetch: (...given) => {
        self.looks++;
        return self.answer(...given);
      },
      copies,
      now: () => self.clock,
      report: (trouble) => self.troubles.push(trouble),
    });
    return self;
  }
  async function publishing(...kids: string[]): Promise<Fetch> {
    const keys = await Promise.all(kids.map(async (kid) => (await makeKey("ES256", kid)).publicJwk));
    return async () => Response.json({ keys });
  }
  const down: Fetch = async () => {
    throw new TypeError("down");
  };

  test("serve on for a day, to the second", async () => {
    const one = await source(await publishing("a"));
    await one.find();
    one.answer = down;
    one.clock = NOW + DAY - 1;
    expect(await one.find()).toHaveProperty("keys");
    await one.settle();
    one.clock = NOW + DAY;
    expect(await one.find()).not.toHaveProperty("keys");
  });

  test("that are published again stay the same objects, with what was imported into them", async () => {
    const one = await source(await publishing("a"));
    const before = await one.find();
    one.clock += 600;
    await one.find();
    await one.settle();
    expect(one.looks).toBe(2);
    const after = await one.find();
    if (!("keys" in before) || !("keys" in after)) throw new Error("no keys");
    expect(after.keys[0]).toBe(before.keys[0]);
  });

  test("are not asked for before they are due", async () => {
    const one = await source(await publishing("a"));
    await one.find();
    one.clock += 599;
    one.refresh();
    expect(one.looks).toBe(1);
    one.clock += 1;
    one.refresh();
    await one.settle();
    expect(one.looks).toBe(2);
  });

  test("are not looked for in KV while they are held, and without KV nothing is complained of", async () => {
    let reads = 0;
    const copies: CopyStore = {
      get: async () => {
        reads++;
        return null;
      },
      put: async () => undefined,
    };
    const one = await source(await publishing("a"), copies);
    await one.find();
    await one.settle();
    expect(reads).toBe(1);
    one.clock += 600;
    await one.find();
    await one.settle();
    expect([one.looks, reads]).toEqual([2, 1]);

    const two = await source(await publishing("a"));
    await two.find();
    await two.settle();
    expect(two.troubles).toEqual([]);
  });

  test("are asked for once more where a look is overdue, and its end does not end the next one", async () => {
    const first = Promise.withResolvers<Response>();
    const second = Promise.withResolvers<Response>();
    const good = await publishing("a");
    const one = await source(() => first.promise);
    const asked = one.find();
    one.answer = () => second.promise;
    one.clock += 7;
    const again = one.find();
    expect(one.looks).toBe(2);
    first.resolve(new Response(null, { status: 500 }));
    await asked;
    const third = one.find();
    expect(one.looks).toBe(2);
    second.resolve(await good(KEYS, {}));
    expect(await again).toHaveProperty("keys");
    expect(await third).toHaveProperty("keys");
    await one.settle();
  });
});
