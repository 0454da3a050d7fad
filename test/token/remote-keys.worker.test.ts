import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { FoundKeys, KeySource, KeyTrouble, Unavailable } from "../../src/token/key-source.ts";
import type { CopyStore } from "../../src/token/keys-copy.ts";
import { type Fetch, metadataAddresses } from "../../src/token/published-keys.ts";
import { remoteKeys } from "../../src/token/remote-keys.ts";
import { makeKey, NOW, type TestKey } from "./fixture.ts";

const ISSUER = "https://login.example.com/tenant";
const KEYS = "https://login.example.com/keys";
const OPENID = "https://login.example.com/tenant/.well-known/openid-configuration";
const OAUTH = "https://login.example.com/.well-known/oauth-authorization-server/tenant";
const DAY = 86_400;

let key: TestKey;
let next: TestKey;

beforeAll(async () => {
  [key, next] = await Promise.all([makeKey("ES256", "a"), makeKey("ES256", "b")]);
});

beforeEach(async () => {
  const { keys } = await env.REVOCATIONS.list();
  await Promise.all(keys.map(({ name }) => env.REVOCATIONS.delete(name)));
});

afterEach(() => {
  vi.useRealTimers();
});

interface Isolate {
  readonly source: KeySource;
  readonly fetched: string[];
  readonly inits: RequestInit[];
  readonly troubles: KeyTrouble[];
  clock: number;
  answer: Fetch;
  find(kid?: string | null): Promise<FoundKeys | Unavailable>;
  /** Waits for what goes on behind the requests. */
  settle(): Promise<void>;
}

/** One isolate before an issuer whose answers can be changed. */
function isolate(answer: Fetch, copies: CopyStore | null = null, jwksUri: string | null = KEYS): Isolate {
  const behind: Promise<unknown>[] = [];
  const self: Isolate = {
    clock: NOW,
    answer,
    fetched: [],
    inits: [],
    troubles: [],
    source: remoteKeys({
      issuer: ISSUER,
      jwksUri,
      fetch: (url, init) => {
        self.fetched.push(url);
        self.inits.push(init);
        return self.answer(url, init);
      },
      copies,
      now: () => self.clock,
      report: (trouble) => self.troubles.push(trouble),
    }),
    find: async (kid = "a") => self.source.find(kid, "ES256", self.clock, (work) => void behind.push(work)),
    async settle() {
      while (behind.length > 0) await behind.pop();
    },
  };
  return self;
}

function publishing(...keys: TestKey[]): Fetch {
  return async () => Response.json({ keys: keys.map(({ publicJwk }) => publicJwk) });
}

const down: Fetch = async () => {
  throw new TypeError("Network connection lost.");
};

function kids(found: FoundKeys | Unavailable): (string | null)[] | Unavailable {
  return "keys" in found ? found.keys.map(({ kid }) => kid) : found;
}

describe("keys that are held", () => {
  test("are fetched once for any number of requests at once, and then not again for ten minutes", async () => {
    const { find, fetched, ...rest } = isolate(publishing(key));
    const found = await Promise.all(Array.from({ length: 50 }, () => find()));
    expect(found.map(kids)).toEqual(found.map(() => ["a"]));
    expect(rest.source.isDue(NOW + 599)).toBe(false);
    expect(fetched).toEqual([KEYS]);
  });

  test("are given at once, with no promise, while they are held", async () => {
    const one = isolate(publishing(key));
    await one.find();
    for (const later of [1, 599, 600, 5000]) {
      const found = one.source.find("a", "ES256", NOW + later, () => undefined);
      expect(found).not.toBeInstanceOf(Promise);
    }
  });

  test("are refreshed behind one request once they are ten minutes old", async () => {
    const one = isolate(publishing(key));
    await one.find();
    one.clock += 600;
    expect(one.source.isDue(one.clock)).toBe(true);
    expect(kids(await one.find())).toEqual(["a"]);
    expect(one.source.isDue(one.clock)).toBe(false);
    await one.find();
    await one.settle();
    expect(one.fetched).toHaveLength(2);
    one.clock += 599;
    await one.find();
    expect(one.fetched).toHaveLength(2);
  });

  test("change their generation when one of them is withdrawn, not when one is added", async () => {
    const one = isolate(publishing(key));
    await one.find();
    const { generation } = one.source;
    one.answer = publishing(key, next);
    one.clock += 600;
    await one.find();
    await one.settle();
    expect(one.source.generation).toBe(generation);
    one.answer = publishing(next);
    one.clock += 600;
    await one.find();
    await one.settle();
    expect(one.source.generation).not.toBe(generation);
    expect(kids(await one.find("b"))).toEqual(["b"]);
  });

  test("serve on for a day while the issuer is down, which is asked every 30 s and not more", async () => {
    const one = isolate(publishing(key));
    const first = await one.find();
    expect(first).toMatchObject({ goodUntilSeconds: NOW + DAY });
    one.answer = down;
    one.clock += 600;
    for (let second = 0; second < 60; second++) {
      expect(kids(await one.find())).toEqual(["a"]);
      await one.settle();
      one.clock++;
    }
    expect(one.fetched).toHaveLength(3);
    one.clock = NOW + DAY - 1;
    expect(kids(await one.find())).toEqual(["a"]);
    await one.settle();
    one.clock = NOW + DAY + 5;
    expect(await one.find()).toEqual({ retryAfterSeconds: 5 });
    one.clock += 6;
    one.answer = publishing(key);
    expect(kids(await one.find())).toEqual(["a"]);
  });
});

describe("a kid that is not there", () => {
  test("has the issuer asked at once, and then not again for 30 s", async () => {
    const one = isolate(publishing(key));
    await one.find();
    one.answer = publishing(key, next);
    one.clock += 1;
    const rotated = await Promise.all(Array.from({ length: 20 }, () => one.find("b")));
    expect(rotated.map(kids)).toEqual(rotated.map(() => ["b"]));
    expect(one.fetched).toHaveLength(2);
    for (let second = 0; second < 29; second++) {
      one.clock++;
      expect(kids(await one.find(`unknown-${second}`))).toEqual([]);
    }
    expect(one.fetched).toHaveLength(2);
    one.clock++;
    expect(kids(await one.find("unknown"))).toEqual([]);
    expect(one.fetched).toHaveLength(3);
  });

  test("on a fresh isolate asks once, not twice", async () => {
    const one = isolate(publishing(key));
    expect(kids(await one.find("unknown"))).toEqual([]);
    expect(one.fetched).toHaveLength(1);
  });

  test("is an outage, not a verdict, while the issuer is down", async () => {
    const one = isolate(publishing(key));
    await one.find();
    one.answer = down;
    expect(await one.find("b")).toEqual({ retryAfterSeconds: 30 });
    one.clock += 10;
    expect(await one.find("b")).toEqual({ retryAfterSeconds: 20 });
    expect(kids(await one.find("a"))).toEqual(["a"]);
    expect(one.fetched).toHaveLength(2);
    one.answer = publishing(key, next);
    one.clock += 20;
    expect(kids(await one.find("b"))).toEqual(["b"]);
  });
});

describe("nothing to begin with", () => {
  const html: Fetch = async () => new Response("<html>", { headers: { "Content-Type": "text/html" } });

  test.each<[string, Fetch, string]>([
    ["down", down, "unreachable"],
    [
      "failing before it is asked",
      () => {
        throw new Error("no");
      },
      "unreachable",
    ],
    ["answering 500", async () => Response.json({ keys: [] }, { status: 500 }), "jwks"],
    ["answering 404", async () => new Response("no", { status: 404 }), "jwks"],
    ["answering 204", async () => new Response(null, { status: 204 }), "jwks"],
    ["redirecting", async () => Response.redirect("https://evil.example/keys"), "jwks"],
    ["answering HTML", html, "unreachable"],
    ["answering a list", async () => Response.json([]), "jwks"],
    ["answering null", async () => Response.json(null), "jwks"],
    ["answering no keys member", async () => Response.json({}), "jwks_content"],
    ["answering 10,000 keys", async () => Response.json({ keys: Array.from({ length: 10_000 }, () => ({})) }), "jwks"],
    [
      "answering 101 keys",
      async () => Response.json({ keys: Array.from({ length: 101 }, () => ({})) }),
      "jwks_content",
    ],
    ["answering bytes that are no UTF-8", async () => new Response(new Uint8Array([0x7b, 0xff, 0x7d])), "unreachable"],
    ["answering 10 MB", async () => new Response(`{"keys":[],"x":"${"x".repeat(1e7)}"}`), "jwks"],
    ["breaking off", async () => new Response(breaking()), "unreachable"],
  ])("is an outage with an issuer that is %s, ended without a restart", async (_what, answer, cause) => {
    const one = isolate(answer);
    // 10,000 empty keys are a small document; padded, they are also over the limit of bytes.
    if (cause === "jwks" && _what.includes("10,000")) {
      one.answer = async () => Response.json({ keys: Array.from({ length: 10_000 }, () => ({ kid: "x".repeat(30) })) });
    }
    expect(await one.find()).toEqual({ retryAfterSeconds: 5 });
    expect(one.troubles).toEqual([{ event: "keys_refresh_failed", issuer: ISSUER, cause }]);
    one.clock += 4;
    expect(await one.find()).toEqual({ retryAfterSeconds: 1 });
    expect(one.fetched).toHaveLength(1);
    one.clock += 1;
    one.answer = publishing(key);
    expect(kids(await one.find())).toEqual(["a"]);
  });

  test("reads no more of an endless answer than it may, and closes it", async () => {
    let sent = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x20));
      },
      cancel() {
        cancelled = true;
      },
    });
    const one = isolate(async () => new Response(endless));
    expect(await one.find()).toEqual({ retryAfterSeconds: 5 });
    expect(cancelled).toBe(true);
    expect(sent).toBeLessThan(10 * 65_536);
  });

  test.each<[string, Fetch]>([
    ["never answers", () => new Promise(() => undefined)],
    ["never ends its body", async () => new Response(new ReadableStream({ start: () => undefined }))],
  ])("ends within five seconds with an issuer that %s", async (_what, answer) => {
    vi.useFakeTimers();
    const one = isolate(answer);
    const finding = one.find();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await finding).toEqual({ retryAfterSeconds: 5 });
    expect(one.inits[0]?.signal?.aborted).toBe(true);
    expect(one.troubles).toMatchObject([{ cause: "timeout" }]);
  });

  test("follows no redirect, and asks past every cache", async () => {
    const one = isolate(publishing(key));
    await one.find();
    expect(one.inits[0]).toMatchObject({ redirect: "manual", cache: "no-store" });
  });
});

function breaking(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"keys":'));
      controller.error(new Error("broken off"));
    },
  });
}

describe("a look that never ends because its request was dropped", () => {
  test("holds those who share it for six seconds at most, and then another is begun", async () => {
    vi.useFakeTimers();
    // The runtime drops a request's timers and connections together: nothing of the look ever settles.
    const real = globalThis.setTimeout;
    const one = isolate(() => new Promise(() => undefined));
    vi.stubGlobal("setTimeout", () => 0);
    void one.find();
    vi.stubGlobal("setTimeout", real);
    const sharing = one.find();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await sharing).toEqual({ retryAfterSeconds: 1 });
    vi.unstubAllGlobals();
    vi.useRealTimers();
    one.clock += 6;
    one.answer = publishing(key);
    expect(kids(await one.find())).toEqual(["a"]);
    expect(one.fetched).toHaveLength(2);
  });
});

test("an answer that comes late never undoes a newer one", async () => {
  vi.useFakeTimers();
  const one = isolate(publishing(key));
  await one.find();
  let release: (response: Response) => void = () => undefined;
  const real = globalThis.setTimeout;
  vi.stubGlobal("setTimeout", () => 0);
  one.clock += 600;
  one.answer = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  await one.find();
  vi.stubGlobal("setTimeout", real);
  one.answer = publishing(next);
  one.clock += 60;
  expect(kids(await one.find("b"))).toEqual(["b"]);
  release(Response.json({ keys: [key.publicJwk] }));
  vi.unstubAllGlobals();
  await one.settle();
  expect(kids(await one.find("b"))).toEqual(["b"]);
  expect(one.fetched).toHaveLength(3);
});

describe("discovery", () => {
  test.each([
    [
      "https://a.example",
      [
        "https://a.example/.well-known/openid-configuration",
        "https://a.example/.well-known/oauth-authorization-server",
      ],
    ],
    [
      "https://a.example/",
      [
        "https://a.example/.well-known/openid-configuration",
        "https://a.example/.well-known/oauth-authorization-server",
      ],
    ],
    [ISSUER, [OPENID, OAUTH]],
    [`${ISSUER}/`, [OPENID, OAUTH]],
  ])("of %s looks where the standards say", (issuer, addresses) => {
    expect(metadataAddresses(issuer)).toEqual(addresses);
  });

  function discovering(documents: Record<string, unknown>): Fetch {
    return async (url) => {
      if (url.endsWith("/keys")) return Response.json({ keys: [key.publicJwk] });
      const document = documents[url];
      return document === undefined ? new Response("no", { status: 404 }) : Response.json(document);
    };
  }

  test("takes OpenID Connect's document", async () => {
    const one = isolate(discovering({ [OPENID]: { issuer: ISSUER, jwks_uri: KEYS } }), null, null);
    expect(kids(await one.find())).toEqual(["a"]);
    expect(one.fetched).toEqual([OPENID, KEYS]);
  });

  test("takes RFC 8414's where that is missing", async () => {
    const one = isolate(discovering({ [OAUTH]: { issuer: ISSUER, jwks_uri: KEYS } }), null, null);
    expect(kids(await one.find())).toEqual(["a"]);
    expect(one.fetched).toEqual([OPENID, OAUTH, KEYS]);
  });

  test("finds keys that have moved", async () => {
    const one = isolate(discovering({ [OPENID]: { issuer: ISSUER, jwks_uri: KEYS } }), null, null);
    await one.find();
    one.answer = discovering({ [OPENID]: { issuer: ISSUER, jwks_uri: "https://login.example.com/new/keys" } });
    one.clock += 600;
    await one.find();
    await one.settle();
    expect(one.fetched.at(-1)).toBe("https://login.example.com/new/keys");
  });

  test.each<[string, unknown]>([
    ["of another issuer", { issuer: "https://evil.example/", jwks_uri: KEYS }],
    ["of this issuer with a slash", { issuer: `${ISSUER}/`, jwks_uri: KEYS }],
    ["of no issuer", { jwks_uri: KEYS }],
    ["with no keys", { issuer: ISSUER }],
    ["with keys over plain http", { issuer: ISSUER, jwks_uri: "http://login.example.com/keys" }],
    ["with keys on this machine", { issuer: ISSUER, jwks_uri: "http://127.0.0.1/keys" }],
    ["with keys in a file", { issuer: ISSUER, jwks_uri: "file:///etc/keys" }],
    ["with keys in itself", { issuer: ISSUER, jwks_uri: 'data:application/json,{"keys":[]}' }],
    ["with credentials", { issuer: ISSUER, jwks_uri: "https://a:b@login.example.com/keys" }],
    ["with keys that are no address", { issuer: ISSUER, jwks_uri: ["x"] }],
    ["that is a list", [{ issuer: ISSUER, jwks_uri: KEYS }]],
  ])("believes no document %s, and asks nobody that it names", async (_what, document) => {
    const one = isolate(discovering({ [OPENID]: document, [OAUTH]: document }), null, null);
    expect(await one.find()).toEqual({ retryAfterSeconds: 5 });
    expect(one.fetched).toEqual([OPENID, OAUTH]);
    expect(one.troubles).toMatchObject([{ cause: "discovery" }]);
  });
});

describe("the copy in KV", () => {
  const kv = () => env.REVOCATIONS as CopyStore;

  async function copyName(): Promise<string> {
    const { keys } = await env.REVOCATIONS.list();
    expect(keys).toHaveLength(1);
    return keys[0]?.name ?? "";
  }

  async function leaveCopy(): Promise<string> {
    const first = isolate(publishing(key), kv());
    await first.find();
    await first.settle();
    return copyName();
  }

  test("lets a fresh isolate begin while the issuer is down, until it is a day old", async () => {
    expect(await leaveCopy()).toMatch(/^jwks:v1:[0-9a-f]{64}$/);
    const fresh = isolate(down, kv());
    fresh.clock += 3600;
    expect(await fresh.find()).toMatchObject({ goodUntilSeconds: NOW + DAY });
    expect(kids(await fresh.find())).toEqual(["a"]);
    const late = isolate(down, kv());
    late.clock += DAY;
    expect(await late.find()).toEqual({ retryAfterSeconds: 5 });
  });

  test("says nothing of a key that it does not have", async () => {
    await leaveCopy();
    const fresh = isolate(down, kv());
    expect(await fresh.find("b")).toEqual({ retryAfterSeconds: 30 });
  });

  test("is not asked before the issuer: what the issuer says now counts", async () => {
    await leaveCopy();
    const fresh = isolate(publishing(next), kv());
    expect(kids(await fresh.find("a"))).toEqual([]);
    expect(kids(await fresh.find("b"))).toEqual(["b"]);
  });

  test("is written again when the keys change or it is six hours old, and not else", async () => {
    let writes = 0;
    const counting: CopyStore = {
      get: (name) => env.REVOCATIONS.get(name),
      put: (name, value, options) => {
        writes++;
        return env.REVOCATIONS.put(name, value, options);
      },
    };
    const one = isolate(publishing(key), counting);
    for (let round = 0; round < 36; round++) {
      await one.find();
      await one.settle();
      one.clock += 600;
    }
    expect(writes).toBe(1);
    await one.find();
    await one.settle();
    expect(writes).toBe(2);
    one.answer = publishing(key, next);
    one.clock += 600;
    await one.find();
    await one.settle();
    expect(writes).toBe(3);
    expect(await env.REVOCATIONS.get(await copyName(), "json")).toMatchObject({
      issuer: ISSUER,
      fetched_at: one.clock,
      keys: [key.publicJwk, next.publicJwk],
    });
  });

  test("is not written by an isolate that finds the same in it", async () => {
    await leaveCopy();
    const writes: string[] = [];
    const watched: CopyStore = {
      get: (name) => env.REVOCATIONS.get(name),
      put: async (name) => void writes.push(name),
    };
    const fresh = isolate(publishing(key), watched);
    fresh.clock += 600;
    await fresh.find();
    await fresh.settle();
    expect(writes).toEqual([]);
    const changed = isolate(publishing(next), watched);
    await changed.find("b");
    await changed.settle();
    expect(writes).toHaveLength(1);
  });

  test.each<[string, (copy: Record<string, unknown>) => unknown]>([
    ["is no JSON", () => "{"],
    ["is null", () => null],
    ["is a list", (copy) => [copy]],
    ["is another issuer's", (copy) => ({ ...copy, issuer: "https://other.example.com/" })],
    ["has no time", ({ issuer, keys }) => ({ issuer, keys })],
    ["has a time that is text", (copy) => ({ ...copy, fetched_at: String(NOW) })],
    ["is of the far future", (copy) => ({ ...copy, fetched_at: NOW + 3600 })],
    ["has no keys", ({ issuer, fetched_at }) => ({ issuer, fetched_at })],
    ["has keys that are no list", (copy) => ({ ...copy, keys: {} })],
  ])("is not used where it %s", async (_what, damage) => {
    const name = await leaveCopy();
    const copy = await env.REVOCATIONS.get<Record<string, unknown>>(name, "json");
    const damaged = damage(copy ?? {});
    await env.REVOCATIONS.put(name, typeof damaged === "string" ? damaged : JSON.stringify(damaged));
    expect(await isolate(down, kv()).find()).toEqual({ retryAfterSeconds: 5 });
  });

  test("that cannot be read or written stops nobody", async () => {
    const broken: CopyStore = {
      get: () => Promise.reject(new Error("KV GET failed: 500")),
      put: () => Promise.reject(new Error("KV PUT failed: 429")),
    };
    const one = isolate(publishing(key), broken);
    expect(kids(await one.find())).toEqual(["a"]);
    await one.settle();
    expect(one.troubles.map(({ event, cause }) => [event, cause])).toEqual([
      ["keys_copy_failed", "read"],
      ["keys_copy_failed", "write"],
    ]);
  });

  test("that never comes holds nobody longer than the issuer would", async () => {
    vi.useFakeTimers();
    const one = isolate(down, { get: () => new Promise(() => undefined), put: async () => undefined });
    const finding = one.find();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await finding).toMatchObject({ retryAfterSeconds: 5 });
  });
});
