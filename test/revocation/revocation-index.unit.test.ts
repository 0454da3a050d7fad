import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fingerprint } from "../../src/revocation/fingerprint.ts";
import { EMPTY_SET, NEVER, sortedSet } from "../../src/revocation/fingerprint-set.ts";
import type { RevocationRow } from "../../src/revocation/revocation.ts";
import { createRevocationIndex, settledContent } from "../../src/revocation/revocation-index.ts";
import type { RevocationSubject } from "../../src/revocation/subject.ts";

const issuer = "https://login.example.com/";
const NOW = 1_000_000;

function row(over: Partial<RevocationRow> = {}): RevocationRow {
  return {
    sequence: 1,
    kind: "token",
    issuer,
    value: "id",
    issuedBefore: null,
    effectiveAt: NOW,
    expiresAt: null,
    createdAt: NOW,
    withdraws: false,
    ...over,
  };
}

function subject(over: Partial<RevocationSubject> & { ids?: string[] } = {}): RevocationSubject {
  const { ids = ["id"], ...rest } = over;
  return {
    issuer,
    subject: "alice",
    client: "app",
    keyId: "key-1",
    elderIssuers: [],
    issuedAtSeconds: NOW - 100,
    fingerprints: ids.map((id) => fingerprint(over.issuer ?? issuer, id)),
    ...rest,
  };
}

/** Applies the rows and asks; then asks an index that was made of the content of the first. Both say the same. */
function revoked(rows: readonly RevocationRow[], who: RevocationSubject = subject(), nowSeconds = NOW): boolean {
  const index = createRevocationIndex();
  for (const one of rows) index.apply([one]);
  const answer = index.isRevoked(who, nowSeconds);
  expect(createRevocationIndex(index.content()).isRevoked(who, nowSeconds)).toBe(answer);
  const atOnce = createRevocationIndex();
  atOnce.apply(rows);
  expect(atOnce.isRevoked(who, nowSeconds)).toBe(answer);
  return answer;
}

const other = "https://other.example.com/";

describe("a token that was issued under one of another issuer", () => {
  const child = subject({ issuer: other, elderIssuers: [issuer], ids: ["child"] });

  test.each<[string, RevocationRow, boolean]>([
    ["its subject there", row({ kind: "subject", value: "alice" }), true],
    ["another subject there", row({ kind: "subject", value: "bob" }), false],
    ["its client there", row({ kind: "client", value: "app" }), true],
    ["all of that issuer", row({ kind: "issuer", value: issuer }), true],
    ["what was issued before its eldest", row({ kind: "subject", value: "alice", issuedBefore: NOW - 200 }), false],
    ["what was issued before now", row({ kind: "subject", value: "alice", issuedBefore: NOW }), true],
    ["a key of its own key's name there", row({ kind: "key", value: "key-1" }), false],
  ])("does not outlive a cut-off of %s", (_, entry, expected) => {
    expect(revoked([entry], child)).toBe(expected);
    expect(revoked([entry], { ...child, elderIssuers: [] })).toBe(false);
  });
});

describe("the revocation index", () => {
  test.each<[string, RevocationRow, boolean]>([
    ["the token by its id", row(), true],
    ["another id", row({ value: "id2" }), false],
    ["the same id of another issuer", row({ issuer: other }), false],
    ["its subject", row({ kind: "subject", value: "alice" }), true],
    ["another subject", row({ kind: "subject", value: "bob" }), false],
    ["the same subject of another issuer", row({ kind: "subject", value: "alice", issuer: other }), false],
    ["its client", row({ kind: "client", value: "app" }), true],
    ["a client of its subject's name", row({ kind: "client", value: "alice" }), false],
    ["a subject of its client's name", row({ kind: "subject", value: "app" }), false],
    ["its key", row({ kind: "key", value: "key-1" }), true],
    ["another key", row({ kind: "key", value: "key-2" }), false],
    ["the key of the same name of another issuer", row({ kind: "key", value: "key-1", issuer: other }), false],
    ["its issuer", row({ kind: "issuer", value: issuer }), true],
    ["another issuer", row({ kind: "issuer", value: other, issuer: other }), false],
    ["a subject called __proto__", row({ kind: "subject", value: "__proto__" }), false],
  ])("asked with a revocation of %s", (_, entry, met) => {
    expect(revoked([entry])).toBe(met);
  });

  test("meets a token by any of its ancestors", () => {
    expect(revoked([row({ value: "root" })], subject({ ids: ["leaf", "parent", "root"] }))).toBe(true);
    expect(revoked([row({ value: "leaf" })], subject({ ids: ["parent", "root"] }))).toBe(false);
  });

  test("meets nobody without a subject or client by a revocation of one", () => {
    const rows = [row({ kind: "subject", value: "null" }), row({ kind: "client", value: "null" })];
    expect(revoked(rows, subject({ subject: null, client: null }))).toBe(false);
  });

  const kinds = [
    row(),
    row({ kind: "subject", value: "alice" }),
    row({ kind: "client", value: "app" }),
    row({ kind: "key", value: "key-1" }),
    row({ kind: "issuer", value: issuer }),
  ];

  describe.each(kinds)("of the kind $kind", (kind) => {
    test("with issued_before meets what was issued before, and what does not say when", () => {
      const rows = [{ ...kind, issuedBefore: NOW }];
      expect(revoked(rows, subject({ issuedAtSeconds: NOW - 1 }))).toBe(true);
      expect(revoked(rows, subject({ issuedAtSeconds: NOW }))).toBe(false);
      expect(revoked(rows, subject({ issuedAtSeconds: NOW + 1 }))).toBe(false);
      expect(revoked(rows, subject({ issuedAtSeconds: null }))).toBe(true);
    });

    test("without issued_before meets what is issued later, too", () => {
      expect(revoked([kind], subject({ issuedAtSeconds: NOW + 9999 }))).toBe(true);
    });

    test("counts from effective_at, and no longer from expires_at on", () => {
      const rows = [{ ...kind, effectiveAt: NOW + 10, expiresAt: NOW + 20 }];
      const at = (second: number): boolean => revoked(rows, subject(), second);
      expect([at(NOW), at(NOW + 9), at(NOW + 10), at(NOW + 19), at(NOW + 20)]).toEqual([
        false,
        false,
        true,
        true,
        false,
      ]);
    });

    test("counts at once even where this clock is behind the writer's", () => {
      expect(revoked([kind], subject(), NOW - 3600)).toBe(true);
      expect(revoked([{ ...kind, expiresAt: NOW + 20 }], subject(), NOW - 3600)).toBe(true);
    });

    test("counts again when the clock jumps past its end and back", () => {
      const index = createRevocationIndex();
      index.apply([{ ...kind, expiresAt: NOW + 20 }]);
      expect(index.isRevoked(subject(), NOW + 1e9)).toBe(false);
      index.apply([row({ sequence: 2, value: "another" })]);
      expect(index.isRevoked(subject(), NOW)).toBe(true);
    });

    test("without an end counts at any time at all", () => {
      expect(revoked([kind], subject(), 2 ** 40)).toBe(true);
    });

    test("is gone when withdrawn, and back when revoked again", () => {
      const gone = { ...kind, sequence: 2, createdAt: NOW + 5, withdraws: true };
      expect(revoked([kind, gone])).toBe(false);
      expect(revoked([kind, gone, { ...kind, sequence: 3 }])).toBe(true);
      expect(revoked([kind, { ...kind, sequence: 2 }, { ...gone, sequence: 3 }])).toBe(true);
    });

    test.each<[string, Partial<RevocationRow>]>([
      ["delayed", { effectiveAt: NOW + 10 }],
      ["ending", { expiresAt: NOW + 100 }],
      ["of earlier tokens", { issuedBefore: NOW }],
      ["of all these", { effectiveAt: NOW + 10, expiresAt: NOW + 100, issuedBefore: NOW }],
    ])("and %s is withdrawn by itself, not with its neighbour", (_, over) => {
      const special = { ...kind, ...over, sequence: 2 };
      const gone = { ...special, sequence: 3, createdAt: NOW + 50, withdraws: true };
      expect(revoked([special, gone], subject(), NOW + 50)).toBe(false);
      expect(revoked([kind, special, gone], subject({ issuedAtSeconds: NOW + 1 }), NOW + 200)).toBe(true);
      const kindGone = { ...kind, sequence: 3, createdAt: NOW + 50, withdraws: true };
      expect(revoked([kind, special, kindGone], subject(), NOW + 50)).toBe(true);
    });

    test.each<[string, Partial<RevocationRow>, Partial<RevocationRow>]>([
      ["at once is not withdrawn with one that begins later", {}, { effectiveAt: NOW + 10 }],
      ["later is not withdrawn with one that begins later still", { effectiveAt: NOW + 2 }, { effectiveAt: NOW + 10 }],
    ])("that begins %s, nor stays in its place", (_, sooner, later) => {
      const [one, other_] = [
        { ...kind, ...sooner },
        { ...kind, ...later },
      ];
      for (const both of [
        [one, other_],
        [other_, one],
      ]) {
        expect(revoked([...both, { ...other_, createdAt: NOW + 1, withdraws: true }], subject(), NOW + 5)).toBe(true);
        const left = [...both, { ...one, createdAt: NOW + 1, withdraws: true }];
        expect([NOW + 5, NOW + 10].map((second) => revoked(left, subject(), second))).toEqual([false, true]);
      }
    });

    test("counts in the last second before expires_at, and not in that second", () => {
      const rows = [{ ...kind, expiresAt: NOW + 20 }];
      expect([NOW + 19, NOW + 20].map((second) => revoked(rows, subject(), second))).toEqual([true, false]);
    });
  });

  test("withdraws no other token whose fingerprint is the same by half", () => {
    const { high, low } = fingerprint(issuer, "id");
    const times = { issuedBefore: NOW, effectiveAt: 0, expiresAt: null };
    const stranger = { high: (high ^ 1) >>> 0, low };
    for (const timedTokens of [
      [
        { ...stranger, ...times },
        { high, low, ...times },
      ],
      [
        { high, low, ...times },
        { ...stranger, ...times },
      ],
    ]) {
      const index = createRevocationIndex({ tokens: EMPTY_SET, timedTokens, cutOffs: [] });
      index.apply([row({ issuedBefore: NOW, withdraws: true })]);
      expect(index.isRevoked(subject(), NOW)).toBe(false);
      expect(index.isRevoked(subject({ fingerprints: [stranger] }), NOW)).toBe(true);
    }
  });

  test("passes over a withdrawal of what it does not hold", () => {
    expect(
      revoked([row({ withdraws: true }), row({ sequence: 2, kind: "subject", value: "alice", withdraws: true })]),
    ).toBe(false);
  });

  test("settles what counts by now and drops what has expired, and decides as before", () => {
    const rows = fc.array(
      fc.record({
        kind: fc.constantFrom("token", "subject", "key"),
        value: fc.constantFrom("id", "alice", "key-1"),
        issuedBefore: fc.constantFrom(null, NOW - 100, NOW),
        effectiveAt: fc.constantFrom(NOW, NOW + 10, NOW + 30),
        expiresAt: fc.constantFrom(null, NOW + 15, NOW + 40),
        pick: fc.nat(),
        withdraws: fc.boolean(),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(rows, fc.constantFrom(NOW + 5, NOW + 20, NOW + 35), (made, horizon) => {
        const live: RevocationRow[] = [];
        const log = made.map(({ pick, withdraws, ...over }, at): RevocationRow => {
          const [taken] = withdraws ? live.splice(live.length === 0 ? 0 : pick % live.length, 1) : [];
          if (taken !== undefined) return { ...taken, sequence: at + 1, createdAt: NOW + at, withdraws: true };
          const added = row({ ...(over as Partial<RevocationRow>), sequence: at + 1 });
          live.push(added);
          return added;
        });
        const half = Math.floor(log.length / 2);
        const whole = createRevocationIndex();
        whole.apply(log);
        const packed = createRevocationIndex();
        packed.apply(log.slice(0, half));
        const settled = createRevocationIndex(settledContent(packed.content(), horizon));
        settled.apply(log.slice(half));
        const expected = createRevocationIndex();
        expected.apply(live);
        for (const second of [horizon, horizon + 1, NOW + 12, NOW + 33, NOW + 41].filter((one) => one >= horizon)) {
          for (const issuedAtSeconds of [null, NOW - 101, NOW - 100, NOW]) {
            const who = subject({ issuedAtSeconds });
            expect(whole.isRevoked(who, second)).toBe(expected.isRevoked(who, second));
            expect(settled.isRevoked(who, second)).toBe(expected.isRevoked(who, second));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("agrees with a plain Set on a million tokens, written in pages, with withdrawals", () => {
    const index = createRevocationIndex();
    const revokedIds = new Set<string>();
    let sequence = 0;
    for (let page = 0; page < 100; page++) {
      const rows: RevocationRow[] = [];
      for (let at = 0; at < 10_100; at++) {
        sequence++;
        if (at % 101 === 100) {
          const value = `token-${sequence - 50}`;
          revokedIds.delete(value);
          rows.push(row({ sequence, value, withdraws: true }));
        } else {
          const value = `token-${sequence}`;
          revokedIds.add(value);
          rows.push(row({ sequence, value }));
        }
      }
      index.apply(rows);
    }
    const who = { ...subject(), fingerprints: [] as { high: number; low: number }[] };
    let wrong = 0;
    for (let at = 0; at <= sequence + 200_000; at++) {
      who.fingerprints[0] = fingerprint(issuer, `token-${at}`);
      if (index.isRevoked(who, NOW) !== revokedIds.has(`token-${at}`)) wrong++;
    }
    expect(wrong).toBe(0);
    const { tokens } = index.content();
    expect(tokens.count).toBe(revokedIds.size);
    const bytes = tokens.high.byteLength + tokens.low.byteLength + tokens.until.byteLength + tokens.starts.byteLength;
    expect(bytes).toBeLessThan(24 * 1024 * 1024);
  }, 180_000);

  test("shares the arrays that it was made of", () => {
    const high = Uint32Array.of(1);
    const index = createRevocationIndex({
      tokens: sortedSet(high, Uint32Array.of(2), Uint32Array.of(NEVER)),
      timedTokens: [],
      cutOffs: [],
    });
    expect(index.content().tokens.high).toBe(high);
  });
});
