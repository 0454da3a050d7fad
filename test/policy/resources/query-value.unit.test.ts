import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { queryValue } from "../../../src/policy/resources/query-value.ts";

describe("a query parameter", () => {
  it.each([
    ["", ""],
    ["?", ""],
    ["?a=1", ""],
    ["?project", ""],
    ["?project=", ""],
    ["?project=p1", "p1"],
    ["?a=1&project=p1&b=2", "p1"],
    ["?&&project=p1&", "p1"],
    ["?project=a+b", "a b"],
    ["?project=a%2Bb", "a+b"],
    ["?project=a%2Fb", "a/b"],
    ["?%70roject=p1", "p1"],
    ["?project=a=b", "a=b"],
    ["?project=caf%C3%A9", "café"],
    ["?projects=p1", ""],
    ["?aproject=p1", ""],
    ["?x=project=p1", ""],
    ["?x[project]=p1", ""],
    ["?project_id=p1", ""],
    ["?x=%zz&project=p1", "p1"],
    ["?x=1;y=2&project=p1", "p1"],
    ["?project=%25", "%"],
    ["?project=*", "*"],
  ])("of %j is %j", (query, value) => {
    expect(queryValue(query, "project")).toBe(value);
  });

  it.each([
    ["twice", "?project=p1&project=p2"],
    ["twice, with the same value", "?project=p1&project=p1"],
    ["twice, once empty", "?project&project=p1"],
    ["twice, once in escapes", "?project=p1&%70%72oject=p2"],
    ["as a list", "?project[]=p1"],
    ["as a list beside the plain one", "?project=p1&project[]=p2"],
    ["as a list in escapes", "?project=p1&project%5B0%5D=p2"],
    ["as a member", "?project[id]=p1"],
    ["in brackets", "?[project]=p1"],
    ["with a bracket that is never closed", "?project[=p1"],
    ["in another case", "?Project=p1"],
    ["in another case beside the plain one", "?project=p1&PROJECT=p2"],
    ["with white space around", "?+project=p1"],
    ["cut by a NUL", "?project%00x=p1"],
    ["behind a semicolon", "?a=1;project=p2&project=p1"],
    ["before a semicolon", "?project=p1;a=2"],
    ["alone behind a semicolon", "?a=1;project=p2"],
    ["with a value that is no UTF-8", "?project=%ff"],
    ["with a value in overlong UTF-8", "?project=%c0%af"],
    ["with a value with half an escape", "?project=p1%"],
    ["in a query with a name that cannot be read", "?%ff=1&project=p1"],
    ["with a name in IIS escapes", "?%u0070roject=p1"],
  ])("is ambiguous %s", (_, query) => {
    expect(queryValue(query, "project")).toBeNull();
  });

  it.each(["project.id=p1", "project+id=p1", "project[id=p1", "Project_Id=p1"])(
    "whose name PHP writes with _ is ambiguous as %s",
    (pair) => {
      expect(queryValue(`?${pair}`, "project_id")).toBeNull();
    },
  );

  it("may be named like a member of Object.prototype", () => {
    expect(queryValue("?__proto__=p1", "__proto__")).toBe("p1");
    expect(queryValue("?a=1", "constructor")).toBe("");
  });

  it("is what URLSearchParams reads, where it is not ambiguous", () => {
    const word = fc.oneof(fc.constantFrom("project", "Project", "a", "", "project[]"), fc.string({ unit: "grapheme" }));
    const pairs = fc.array(fc.tuple(word, word), { maxLength: 5 });
    fc.assert(
      fc.property(pairs, (given) => {
        const parameters = new URLSearchParams(given);
        const query = `?${parameters}`;
        const value = queryValue(query, "project");
        if (value !== null) expect(parameters.getAll("project")).toEqual(parameters.has("project") ? [value] : []);
        if (value === "") expect(parameters.get("project") ?? "").toBe("");
        if (parameters.getAll("project").length > 1) expect(value).toBeNull();
      }),
      { numRuns: 500 },
    );
  });
});
