/** The query of a list: what is a fault of it, and which page it asks for. */
import { describe, expect, test } from "vitest";
import { formatCursor } from "../../src/admin/cursor.ts";
import { pageOf, pageQuery, readQuery, tokensQuery } from "../../src/admin/query.ts";

const read = (text: string, schema: typeof pageQuery | typeof tokensQuery = tokensQuery) => {
  const outcome = readQuery(schema, new URLSearchParams(text));
  return outcome.ok ? outcome.value : outcome.refusal.errors;
};

describe("the query of a list", () => {
  test.each<[text: string, value: object]>([
    ["", {}],
    ["limit=1", { limit: "1" }],
    ["limit=200", { limit: "200" }],
    ["status=active&name=n&scope=s&subject=a%20b", { status: "active", name: "n", scope: "s", subject: "a b" }],
  ])("%j is read as %j", (text, value) => {
    expect(read(text)).toEqual(value);
  });

  test.each<[text: string, fields: string[]]>([
    ["limit=201", ["limit"]],
    ["limit=0", ["limit"]],
    ["limit=01", ["limit"]],
    ["limit=1000", ["limit"]],
    ["name=a&name=a", ["name"]],
    ["status=Active", ["status"]],
    ["name=", ["name"]],
    ["cursor=", ["cursor"]],
    // Twice, and unknown besides.
    [`${"x".repeat(80)}=1&${"x".repeat(80)}=2`, ["x".repeat(64), "x".repeat(64)]],
    ["constructor=x", ["constructor"]],
  ])("%j is refused for %j", (text, fields) => {
    const errors = read(text);
    expect(Array.isArray(errors) && errors.map(({ field }) => field)).toEqual(fields);
  });

  test("knows a filter only of the list that has it", () => {
    expect(read("limit=3", pageQuery)).toEqual({ limit: "3" });
    expect(read("subject=ann", pageQuery)).toMatchObject([{ field: "subject" }]);
  });
});

describe("the page of a query", () => {
  test("has fifty items unless it says how many", () => {
    expect(pageOf({}, "l")).toEqual({ ok: true, value: { limit: 50, after: null } });
    expect(pageOf({ limit: "7" }, "l")).toEqual({ ok: true, value: { limit: 7, after: null } });
  });

  test("begins where the last of the same list ended", () => {
    const cursor = formatCursor("l", [7]);
    expect(pageOf({ cursor }, "l")).toEqual({ ok: true, value: { limit: 50, after: [7] } });
    expect(pageOf({ cursor }, "m")).toMatchObject({ ok: false, refusal: { errors: [{ field: "cursor" }] } });
  });
});
