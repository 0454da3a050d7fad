import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AllowList,
  formatAllowList,
  intersectAllowLists,
  listCovers,
  parseAllowList,
  readAllowList,
} from "../../../src/policy/resources/allow-list.ts";

const LONG = "x".repeat(256);

describe("a token's allow list", () => {
  it("is absent only where the claim is", () => {
    expect(readAllowList(undefined)).toEqual({ kind: "absent" });
    expect(readAllowList([])).toEqual({ kind: "empty" });
    expect(readAllowList(["*:*"])).toEqual({ kind: "all" });
  });

  it.each([
    ["null", null],
    ["text", "project:p1"],
    ["a number", 1],
    ["true", true],
    ["a record", { project: "p1" }],
    ["a nested list", [["project:p1"]]],
    ["a list with a number", [1, "project:p1"]],
    ["a list with null", ["project:p1", null]],
    ["a list with nothing in an entry", ["project:p1", ""]],
    ["a list with one bad entry beside *:*", ["*:*", "project"]],
    ["an entry as a record", [{ type: "project", id: "p1" }]],
    ["an array-like record", { 0: "project:p1", length: 1 }],
  ])("is unreadable where it is %s", (_, claim) => {
    expect(readAllowList(claim)).toEqual({ kind: "unreadable" });
  });

  it.each([
    "*:*",
    "charge:*",
    "charge:ch_1",
    "file:a/b/c.txt",
    "file:my%20file",
    "package:@acme%2Fhello",
    "project:p1:x",
    "project:p*",
    "project:**",
    "a.b-c_d~e:1",
    "__proto__:__proto__",
    "constructor:constructor",
    "city:caf%C3%A9",
    "compare:main...topic",
    `x:${LONG}`,
    `${LONG}:x`,
    "repo:acme/hello",
  ])("may hold %s", (target) => {
    expect(formatAllowList(readAllowList([target]))).toEqual([target]);
  });

  it.each([
    "",
    ":",
    "charge",
    "charge:",
    ":ch_1",
    ":*",
    "*",
    "*:",
    "*:ch_1",
    "**:*",
    "*:*:*",
    "a*:1",
    "a b:1",
    " charge:*",
    "charge:* ",
    "charge:ch_1\n",
    "charge: ch_1",
    "file:my file",
    "file:a//b",
    "file:/a",
    "file:a/",
    "file:../a",
    "file:.",
    "file:a/./b",
    "file:%2e%2e",
    "file:%2E",
    "file:%61",
    "file:%2f",
    "file:%zz",
    "file:%25",
    "file:a;b",
    "file:a?b",
    "file:a#b",
    "file:a\\b",
    "file:café",
    "file:%00",
    "file:a\0",
    "file:%2A",
    "file:{id}",
    "a/b:1",
    "café:1",
    `x:${LONG}x`,
    `${LONG}x:x`,
    "file:\ud800",
  ])("may not hold %j", (target) => {
    expect(readAllowList([target])).toEqual({ kind: "unreadable" });
    expect(readAllowList(["charge:ch_1", target])).toEqual({ kind: "unreadable" });
  });

  it("has at most 128 targets, duplicates not counted", () => {
    const targets = Array.from({ length: 128 }, (_, index) => `charge:${index}`);
    expect(readAllowList([...targets, ...targets]).kind).toBe("listed");
    expect(readAllowList([...targets, "charge:128"]).kind).toBe("unreadable");
    expect(readAllowList([...targets, "*:*"]).kind).toBe("unreadable");
  });

  it("is normalised: *:* swallows all, type:* its own type, the rest is sorted", () => {
    expect(formatAllowList(readAllowList(["b:2", "*:*", "a:1"]))).toEqual(["*:*"]);
    expect(formatAllowList(readAllowList(["b:2", "a:1", "b:*", "b:3", "b.c:4"]))).toEqual(["a:1", "b.c:4", "b:*"]);
    expect(formatAllowList(readAllowList(["b:2", "B:2", "a:1", "b:2", "b:10"]))).toEqual(["B:2", "a:1", "b:10", "b:2"]);
    expect(formatAllowList(readAllowList(["a:b:*", "a:1"]))).toEqual(["a:1", "a:b:*"]);
  });

  it("says every fault of a list that is asked for", () => {
    expect(parseAllowList("a:1")).toEqual({
      ok: false,
      errors: [{ index: null, message: "expected a list of targets" }],
    });
    expect(parseAllowList([])).toEqual({
      ok: false,
      errors: [{ index: null, message: "expected at least one target" }],
    });
    const parsed = parseAllowList(["a:1", "*:1", 7, "b:%zz"]);
    expect(parsed.ok ? [] : parsed.errors.map(({ index }) => index)).toEqual([1, 2, 3]);
    const many = parseAllowList(Array.from({ length: 200 }, (_, index) => `charge:${index}`));
    expect(many).toEqual({ ok: false, errors: [{ index: null, message: "expected at most 128 targets, found 200" }] });
  });
});

const type = fc.constantFrom("a", "b", "ab", "constructor", "__proto__", "toString");
const id = fc.constantFrom("*", "1", "2", "a:*", "x/y", "__proto__", "**", "b:1");
const target = fc.oneof(
  { weight: 1, arbitrary: fc.constant("*:*") },
  { weight: 12, arbitrary: fc.tuple(type, id).map((pair) => pair.join(":")) },
);
const list: fc.Arbitrary<AllowList> = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom<AllowList>({ kind: "absent" }, { kind: "empty" }, { kind: "unreadable" }) },
  { weight: 6, arbitrary: fc.array(target, { maxLength: 8 }).map(readAllowList) },
);
/** Everything that the lists above could tell apart. */
const probes = ["a", "b", "ab", "constructor", "__proto__", "toString", "c"].flatMap((each) =>
  ["1", "2", "3", "a:*", "x/y", "__proto__", "**", "b:1"].map((some) => `${each}:${some}`),
);
const covered = (list: AllowList) => probes.filter((probe) => listCovers(list, probe));

describe("the meeting of two allow lists", () => {
  it("covers exactly what both cover, so it is never wider than either", () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const both = intersectAllowLists(a, b);
        expect(covered(both)).toEqual(covered(a).filter((probe) => covered(b).includes(probe)));
        const coversAll = (one: AllowList) => one.kind === "all" || one.kind === "absent";
        expect(coversAll(both)).toBe(coversAll(a) && coversAll(b));
      }),
      { numRuns: 2000 },
    );
  });

  it("does not depend on the order of two, nor of three", () => {
    fc.assert(
      fc.property(list, list, list, (a, b, c) => {
        expect(intersectAllowLists(a, b)).toEqual(intersectAllowLists(b, a));
        expect(intersectAllowLists(intersectAllowLists(a, b), c)).toEqual(
          intersectAllowLists(a, intersectAllowLists(b, c)),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it("of a list with itself is the list", () => {
    fc.assert(
      fc.property(list, (a) => {
        expect(intersectAllowLists(a, a)).toEqual(a);
      }),
    );
  });

  it("is the other where one is absent or all, and covers nothing where one does", () => {
    fc.assert(
      fc.property(list, (a) => {
        expect(intersectAllowLists({ kind: "absent" }, a)).toEqual(a);
        if (a.kind !== "absent") expect(intersectAllowLists({ kind: "all" }, a)).toEqual(a);
        for (const kind of ["empty", "unreadable"] as const) {
          const none = intersectAllowLists({ kind }, a);
          expect(["empty", "unreadable"]).toContain(none.kind);
          expect(covered(none)).toEqual([]);
        }
      }),
    );
    expect(intersectAllowLists({ kind: "absent" }, { kind: "all" })).toEqual({ kind: "all" });
    expect(intersectAllowLists(readAllowList(["a:1"]), readAllowList(["b:*"]))).toEqual({ kind: "empty" });
  });

  it("is in normal form", () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const both = intersectAllowLists(a, b);
        const text = formatAllowList(both);
        if (both.kind === "all" || both.kind === "listed")
          expect(parseAllowList(text)).toEqual({ ok: true, list: both });
        else expect(text).toEqual(both.kind === "absent" ? null : []);
      }),
    );
  });
});

describe("normalising", () => {
  it("twice is normalising once, and changes nothing that is covered", () => {
    fc.assert(
      fc.property(fc.array(target, { minLength: 1, maxLength: 10 }), (entries) => {
        const once = readAllowList(entries);
        const text = formatAllowList(once);
        expect(readAllowList(text)).toEqual(once);
        expect(formatAllowList(readAllowList(text))).toEqual(text);
        expect(readAllowList([...entries].reverse())).toEqual(once);
        const expected = probes.filter((probe) => {
          const type = probe.slice(0, probe.indexOf(":"));
          return entries.some((entry) => entry === probe || entry === "*:*" || entry === `${type}:*`);
        });
        expect(covered(once)).toEqual(expected);
      }),
    );
  });

  it("never throws, whatever the claim is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.array(fc.string({ unit: "binary" }))), (claim) => {
        expect(["all", "listed", "empty", "unreadable"]).toContain(readAllowList(claim).kind);
      }),
    );
  });
});

interface ListCase {
  readonly id: string;
  readonly op: string;
  readonly input?: unknown;
  readonly expected: unknown;
  readonly a?: unknown;
  readonly b?: unknown;
  readonly list?: unknown;
  readonly resource?: string;
}

/** Where this gateway decides otherwise than the corpus, or decides what the corpus leaves open. */
const DIFFERENCES = new Map<string, { readonly ours: unknown; readonly reason: string }>([
  ["coder-parse-4", { ours: ["unknown", "*"], reason: "types are the operator's own; there is no list of them" }],
  ["coder-parse-5", { ours: ["workspace", "bad-uuid"], reason: "ids are any canonical path spelling, not UUIDs" }],
  ["coder-parse-src-1", { ours: "error", reason: "refused, not repaired: no trimming, no lower-casing" }],
  ["coder-json-5", { ours: "error", reason: "a target is text; there is no second form as a record" }],
  ["own-access-8", { ours: false, reason: '"*:id" is refused, and a list with it is unreadable' }],
  ["own-access-11", { ours: false, reason: "types are compared by character, case included" }],
  ["own-access-20", { ours: false, reason: "refused, not trimmed" }],
  ["own-access-23", { ours: false, reason: "null is no list" }],
  ["own-access-24", { ours: false, reason: "text is no list" }],
  ["own-access-25", { ours: false, reason: "one bad entry makes the list unreadable" }],
  ["own-access-26", { ours: false, reason: "a nested list is no target" }],
]);
const NOT_OURS = new Map([["union", "lists are never joined here: where two meet, the result is never wider"]]);

const UUID = (index: number) => `workspace:${index.toString(16).padStart(8, "0")}-1111-4111-8111-111111111111`;

function outcome({ op, input, a, b, list: listed, resource }: ListCase): unknown {
  const parsed = (value: unknown) => {
    const result = parseAllowList(value);
    return result.ok ? (formatAllowList(result.list) ?? "error") : "error";
  };
  const halves = (value: unknown) => {
    const [only] = parsed([value]);
    if (only === undefined || parsed([value]) === "error") return "error";
    return [only.slice(0, only.indexOf(":")), only.slice(only.indexOf(":") + 1)];
  };
  switch (op) {
    case "parseEntry":
      return halves(input);
    case "parseList":
      return parsed(Array.isArray(input) ? input : Array.from({ length: 130 }, (_, index) => UUID(index)));
    case "intersect":
      return formatAllowList(intersectAllowLists(readAllowList(a), readAllowList(b)));
    case "toJSON":
    case "fromText":
    case "fromJSON": {
      const both = halves(input);
      return both === "error" ? both : { type: both[0], id: both[1] };
    }
    case "scopeAllowList": {
      const ids = new Map(Object.entries(input as Record<string, string>));
      const entries = [
        ["workspace", "workspace"],
        ["template", "template"],
        ["template", "version"],
        ["user", "owner"],
      ] as const;
      return parsed(entries.map(([kind, name]) => `${kind}:${ids.get(name)}`));
    }
    case "allows":
      return resource?.endsWith(":*")
        ? listCovers(readAllowList(listed), "project:some id that only the whole type covers")
        : listCovers(readAllowList(listed), resource ?? "");
    default:
      return "no such operation";
  }
}

const CORPUS = "../shared/corpora/allow-list.json";
const present = existsSync(CORPUS);

describe.skipIf(!present)(`the corpus of allow lists${present ? "" : ` (SKIPPED: ${CORPUS} is not there)`}`, () => {
  const corpus = present ? JSON.parse(readFileSync(CORPUS, "utf8")) : { coder: [], own: [] };
  const cases: ListCase[] = [...corpus.coder, ...corpus.own];

  it("is whole, and every difference is about one of its cases", () => {
    expect(cases).toHaveLength(68);
    for (const caseId of DIFFERENCES.keys()) expect(cases.map((each) => each.id)).toContain(caseId);
    expect(cases.filter(({ op }) => NOT_OURS.has(op))).toHaveLength(6);
  });

  it.each(cases.filter(({ op }) => !NOT_OURS.has(op)))("$id: $op is as expected, or a listed difference", (each) => {
    const ours = outcome(each);
    const difference = DIFFERENCES.get(each.id);
    if (difference !== undefined) {
      expect(ours).toEqual(difference.ours);
      expect(ours).not.toEqual(each.expected);
      return;
    }
    const sorted = Array.isArray(each.expected) && each.op !== "parseEntry" ? [...each.expected].sort() : each.expected;
    expect(ours).toEqual(sorted);
  });

  it.each(cases.filter(({ op }) => NOT_OURS.has(op)))(
    "$id: there is no union, but the intersection is never wider",
    (each) => {
      const a = readAllowList(each.a);
      const b = readAllowList(each.b);
      const union = readAllowList(each.expected);
      for (const probe of formatAllowList(intersectAllowLists(a, b)) ?? []) expect(listCovers(union, probe)).toBe(true);
      for (const probe of [...(each.a as string[]), ...(each.b as string[])])
        expect(listCovers(union, probe)).toBe(true);
    },
  );
});
