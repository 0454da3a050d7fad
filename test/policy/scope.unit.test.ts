import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Catalogue,
  catalogueOf,
  grantOf,
  has,
  isReserved,
  isScopeToken,
  isWildcard,
  namesIn,
  type Scope,
} from "../../src/policy/scope.ts";
import { scopesOf } from "../../src/token/scopes.ts";

const NOW = 1_800_000_000;
const ALL = { wildcards: true, admin: true };

function scope(name: string, members: Partial<Scope> = {}): Omit<Scope, "index"> {
  return {
    name,
    description: name,
    owner: "tests",
    implies: [],
    maxLifetimeSeconds: null,
    deprecatedAtSeconds: null,
    sunsetAtSeconds: null,
    replacedBy: [],
    conditions: null,
    ...members,
  };
}

const catalogue = catalogueOf([
  scope("charges:read"),
  scope("charges:write", { implies: ["charges:read"] }),
  scope("charges:admin", { implies: ["charges:write", "refunds.make"] }),
  scope("charges:old", { deprecatedAtSeconds: NOW - 100, sunsetAtSeconds: NOW + 100, implies: ["customers:read"] }),
  scope("refunds.make"),
  scope("refunds.see"),
  scope("customers:read"),
]);

function granted(names: readonly string[], options = ALL, now = NOW, of: Catalogue = catalogue): string[] {
  return namesIn(of, grantOf(of, names, options, now).granted);
}

function current(names: readonly string[], now = NOW): string[] {
  return namesIn(catalogue, grantOf(catalogue, names, ALL, now).grantedByCurrent);
}

describe("a grant", () => {
  test.each<[string, string[], string[]]>([
    ["nothing", [], []],
    ["one scope", ["charges:read"], ["charges:read"]],
    ["what a scope implies", ["charges:write"], ["charges:read", "charges:write"]],
    ["what that implies", ["charges:admin"], ["charges:read", "charges:write", "charges:admin", "refunds.make"]],
    ["unknown names", ["x", "", "constructor", "__proto__", "charges", "charges:", "CHARGES:READ"], []],
    ["a wildcard of colons", ["customers:*"], ["customers:read"]],
    ["a wildcard of dots", ["refunds.*"], ["refunds.make", "refunds.see"]],
    [
      "a wildcard and what it covers implies",
      ["charges:*"],
      catalogue.scopes
        .slice(3)
        .map(({ name }) => name)
        .filter((name) => name !== "refunds.see"),
    ],
    ["a star in the middle", ["charges:*:x", "*:read", "char*"], []],
    ["a reserved scope", ["scopegate:read"], ["scopegate:read"]],
    [
      "a reserved scope and what it implies",
      ["scopegate:admin"],
      ["scopegate:admin", "scopegate:read", "scopegate:tokens"],
    ],
    ["a wildcard over reserved scopes", ["scopegate:*"], []],
  ])("of %s", (_what, names, expected) => {
    expect(granted(names)).toEqual(expected);
  });

  test("of everything has all but the reserved scopes", () => {
    expect(granted(["*"])).toEqual(catalogue.scopes.map(({ name }) => name).filter((name) => !isReserved(name)));
  });

  test("takes a wildcard for a name where wildcards are off, and no reserved scope where those are", () => {
    expect(granted(["*", "charges:*", "charges:read"], { wildcards: false, admin: true })).toEqual(["charges:read"]);
    expect(granted(["scopegate:admin", "charges:read"], { wildcards: true, admin: false })).toEqual(["charges:read"]);
  });

  test("past a sunset has neither the scope nor what it implied, by no wildcard either", () => {
    expect(granted(["charges:old"], ALL, NOW + 99)).toEqual(["charges:old", "customers:read"]);
    expect(granted(["charges:old"], ALL, NOW + 100)).toEqual([]);
    expect(granted(["charges:*", "*"], ALL, NOW + 100)).not.toContain("charges:old");
  });

  test("is good until the next sunset", () => {
    expect(catalogue.sunsets).toEqual([NOW + 100]);
    expect(grantOf(catalogue, [], ALL, NOW).goodUntilSeconds).toBe(NOW + 100);
    expect(grantOf(catalogue, [], ALL, NOW + 100).goodUntilSeconds).toBe(Number.POSITIVE_INFINITY);
  });

  test("knows what is granted by scopes that are not deprecated", () => {
    expect(current(["charges:old"])).toEqual([]);
    expect(current(["charges:old", "customers:read"])).toEqual(["customers:read"]);
    expect(current(["*"])).not.toContain("charges:old");
  });

  test("knows that a scope on its way out stays so, whoever implies it", () => {
    const of = catalogueOf([scope("new", { implies: ["old"] }), scope("old", { deprecatedAtSeconds: NOW - 100 })]);
    const grant = grantOf(of, ["new"], ALL, NOW);
    expect(namesIn(of, grant.granted)).toEqual(["new", "old"]);
    expect(namesIn(of, grant.grantedByCurrent)).toEqual(["new"]);
  });

  test("tells scopes apart beyond one word of bits", () => {
    const many = catalogueOf(Array.from({ length: 200 }, (_, index) => scope(`s:${index}`)));
    for (const index of [0, 28, 29, 60, 61, 62, 93, 199]) {
      const { granted: set } = grantOf(many, [`s:${index}`], ALL, NOW);
      expect(many.scopes.filter((one) => has(set, one)).map(({ name }) => name)).toEqual([`s:${index}`]);
    }
  });
});

describe("a property", () => {
  const name = fc.constantFrom("charges:read", "charges:write", "charges:admin", "charges:old", "refunds.*", "*", "x");
  const names = fc.array(name, { maxLength: 5 });

  test("more scopes never grant less, and order does not matter", () => {
    fc.assert(
      fc.property(names, names, (one, other) => {
        const both = granted([...one, ...other]);
        expect(both).toEqual(granted([...other, ...one]));
        for (const scope of granted(one)) expect(both).toContain(scope);
      }),
    );
  });

  test("what is granted by current scopes is granted", () => {
    fc.assert(
      fc.property(names, (one) => {
        const all = granted(one);
        for (const scope of current(one)) expect(all).toContain(scope);
      }),
    );
  });
});

test.each([
  ["charges:read", true],
  ["https://example.com/a", true],
  ["a b", false],
  ["", false],
  ['a"b', false],
  ["a\\b", false],
  ["ä", false],
  ["a\n", false],
])("%j is a scope-token: %s (RFC 6749 §3.3)", (text, expected) => {
  expect(isScopeToken(text)).toBe(expected);
});

test.each([
  ["*", true],
  ["a:*", true],
  ["a.*", true],
  ["a*", false],
  ["a/*", false],
  ["*:a", false],
  ["**", false],
])("%s is a wildcard: %s", (text, expected) => {
  expect(isWildcard(text)).toBe(expected);
});

const CORPUS = "../shared/corpora/scopes.json";
const corpus = existsSync(CORPUS) ? (JSON.parse(readFileSync(CORPUS, "utf8")) as { cases: Case[] }) : null;

interface Case {
  readonly id: string;
  readonly op: string;
  readonly have: string | string[];
  readonly need?: string;
  readonly want?: string;
  readonly claims: Record<string, unknown>;
  readonly key: string;
  readonly required: string[];
  readonly token: { readonly scope?: string; readonly iss?: string };
  readonly config: { readonly scopes: string[] };
  readonly expected: unknown;
}

/** What these products decide otherwise than we, and why we do. */
const DIFFERENT: Record<string, [unknown, string]> = {
  "huly-hasScope-7": [true, "read:* is a wildcard here, and covers read:tracker"],
  "krakend-match-5": [{ all: true, any: true }, "as there; but an empty requirement is an error at load (contract §2)"],
  "krakend-match-13": [{ all: true, any: true }, "the same"],
};

/** Operations that other rooms decide, or that this product does not have. */
const NOT_OURS: Record<string, string> = {
  requiredScope: "which scope an operation needs is the route map's word; an unknown operation is refused",
  createToken: "the admin API's tests: an absent or empty list of scopes is a 400",
  listTokens: "the admin API's",
  tokenLifetime: "the admin API's",
  expand: "a name is not taken apart here: an unknown one is an error in the policy and nothing in a token",
  requestable: "the admin API's: what is not in the catalogue cannot be asked for",
};

describe.skipIf(corpus === null)(
  corpus === null ? "SKIPPED, no ../shared/corpora: scopes" : "other products' cases",
  () => {
    const cases = (corpus?.cases ?? []).filter(({ op }) => !Object.hasOwn(NOT_OURS, op));

    test.each(cases.map((one) => [one.id, one] as const))("%s", (id, one) => {
      const expected = DIFFERENT[id]?.[0] ?? one.expected;
      switch (one.op) {
        case "hasScope":
          expect(holds([one.have].flat(), [String(one.need)])).toEqual(expected);
          break;
        case "match": {
          const names = namesOf(one.claims, one.key);
          const any = one.required.length === 0 || one.required.some((name) => holds(names, [name]));
          expect({ all: holds(names, one.required), any }).toEqual(expected);
          break;
        }
        case "anyRole":
          expect(one.required.some((name) => holds(namesOf(one.claims, one.key), [name]))).toBe(expected);
          break;
        case "extract": {
          const { key, scopes } = expected as { key: string; scopes: string[] };
          expect(namesOf(one.claims, key === "" ? "scope" : key)).toEqual(scopes);
          break;
        }
        case "verify":
          // Its issuers and audiences are the verifier's; oathkeeper wants all of the audiences, we any of them.
          if (one.config.scopes.length > 1) {
            const held = holds(namesOf(one.token, "scope"), one.config.scopes);
            expect(held).toBe(!id.endsWith("-4"));
          } else expect(holds(namesOf(one.token, "scope"), one.config.scopes)).toBe(true);
          break;
        case "covers":
          // The other two are about lists and negative permissions: lists are compared by themselves, the latter do not exist.
          if (id === "coder-covers-1") expect(holds([String(one.have)], [String(one.want)])).toBe(expected);
          else expect(expected).toBe("error");
          break;
        default:
          throw new Error(`no way to decide ${one.op}`);
      }
    });

    test("all differences and all that is not ours occur in the corpus", () => {
      const ids = corpus?.cases.map(({ id }) => id);
      const operations = corpus?.cases.map(({ op }) => op);
      expect(ids).toEqual(expect.arrayContaining(Object.keys(DIFFERENT)));
      expect(operations).toEqual(expect.arrayContaining(Object.keys(NOT_OURS)));
    });
  },
);

function namesOf(claims: object, scopeClaim: string): readonly string[] {
  const policy = { scopeClaim, legacyScopes: null, wildcards: true, scopeMap: new Map(), admin: false };
  return scopesOf({ ...claims }, policy);
}

/** Whether a token with these names holds every one of the needed scopes, in a catalogue that has them. */
function holds(names: readonly string[], needed: readonly string[]): boolean {
  const of = catalogueOf(needed.map((name) => scope(name)));
  const { granted: set } = grantOf(of, names, { wildcards: true, admin: false }, NOW);
  return needed.every((name) => has(set, of.byName.get(name) as Scope));
}
