import { describe, expect, it } from "vitest";
import { readAllowList } from "../../../src/policy/resources/allow-list.ts";
import { coverage } from "../../../src/policy/resources/allow-list-coverage.ts";
import { parseTemplate } from "../../../src/policy/resources/allow-list-template.ts";

describe("a template", () => {
  it.each([
    ["charge:*"],
    ["*:*"],
    ["charge:{charge}"],
    ["charge:ch_1"],
    ["file:{*}"],
    ["project:{query.project}"],
    ["tenant:{header.x-tenant}"],
    ["tenant:{header.X-Tenant}"],
    ["repo:{owner}/{name}"],
    ["repo:{owner}/{name}/{*}"],
    ["repo:v1/{owner}"],
    ["a:b:{owner}"],
    ["file:{owner}.txt"],
    ["file:{owner}/-/{query.x}"],
    ["__proto__:{owner}"],
  ])("may be %s", (text) => {
    const template = parseTemplate(text, ["charge", "owner", "name"], true);
    expect(template).toMatchObject({ text });
  });

  it.each([
    ["", "expected a target"],
    ["charge", "expected a target"],
    ["charge:", "the id of a target"],
    [":x", "the type of a target"],
    ["*:x", "the type of a target"],
    ["*:{owner}", "the type of a target"],
    ["{owner}:x", "the type of a target"],
    ["my charge:x", "the type of a target"],
    ["charge:{chrage}", "did you mean {charge}?"],
    ["charge:{}", "is no name of the pattern"],
    ["charge:{query}", "is no name of the pattern"],
    ["charge:{constructor}", "is no name of the pattern"],
    ["charge:{query.}", "a query parameter here"],
    ["charge:{query.a[b]}", "a query parameter here"],
    ["charge:{query.a b}", "a query parameter here"],
    ["charge:{header.}", "a header here"],
    ["charge:{header.a b}", "a header here"],
    ["charge:{header.a-b-c-d-e-f-g}", "at most 5 hyphens"],
    ["charge:{owner", "the id of a target"],
    ["charge:owner}", "the id of a target"],
    ["charge:{{owner}}", "the id of a target"],
    ["charge:my file", "the id of a target"],
    ["charge:/{owner}", "the id of a target"],
    ["charge:{owner}/", "the id of a target"],
    ["charge:{owner}//{name}", "the id of a target"],
    ["charge:../{owner}", "the id of a target"],
    ["charge:%2A", "the id of a target"],
    ["charge:{owner}{name}", 'need a "/" between them'],
    ["charge:{owner}-{name}", 'need a "/" between them'],
    ["charge:{owner}/{name}.{charge}", 'need a "/" between them'],
    [" charge:x", "the type of a target"],
  ])("may not be %j: %s", (text, error) => {
    expect(parseTemplate(text, ["charge", "owner", "name"], true)).toEqual({ error: expect.stringContaining(error) });
  });

  it("has {*} only where the pattern has a star", () => {
    expect(parseTemplate("file:{*}", [], false)).toEqual({ error: "{*} needs a pattern that ends in /*" });
  });

  it("prefers the pattern's own names", () => {
    const template = parseTemplate("a:{x}", ["y", "x"], false);
    expect(template).toMatchObject({ parts: [{ kind: "value", index: 1 }] });
    expect(parseTemplate("a:{*}", ["y", "x"], true)).toMatchObject({ parts: [{ kind: "value", index: 2 }] });
  });

  it("knows the other spellings of a header's name", () => {
    const template = parseTemplate("a:{header.X-Tenant_Id}", [], false);
    expect(template).toMatchObject({
      parts: [{ kind: "header", name: "x-tenant_id", aliases: ["x-tenant-id", "x_tenant-id", "x_tenant_id"] }],
    });
  });

  it.each(["t:{x}/{y}/{z}", "t:{z}/{x}/{y}", "t:a{x}b/a{y}-/b{z}b", "t:{y}/-/{x}/{z}"])(
    "never gives two different requests one id, but for the whole type: %s",
    (text) => {
      const template = parseTemplate(text, ["x", "y", "z"], false);
      if ("error" in template) throw new Error(template.error);
      const some = ["a", "b", "-", "a/b", "b/a", "a/a", "a/-/b", "b/a/a", "a-/ba", "a-/bb"];
      const coveredBy = new Map<string, number>();
      for (const x of some) {
        for (const y of some) {
          for (const z of some) {
            const values = [x, y, z];
            const target = text.replace(/\{(.)\}/g, (_, name: string) => values["xyz".indexOf(name)] ?? "");
            const request = { values, query: "", header: () => null };
            const { kind } = coverage([template], readAllowList([target]), request);
            coveredBy.set(target, (coveredBy.get(target) ?? 0) + (kind === "covered" ? 1 : 0));
          }
        }
      }
      const counts = [...coveredBy.values()];
      expect(coveredBy.size).toBeLessThan(some.length ** 3);
      expect(Math.max(...counts)).toBe(1);
      expect(counts.filter((count) => count === 1).length).toBeGreaterThan(50);
    },
  );
});
