import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";
import { openApiDocument } from "../../scripts/openapi-document.ts";
import committed from "../../src/admin/openapi.json" with { type: "json" };
import { builtInRoutes } from "../../src/policy/routing/built-in-routes.ts";
import { catalogueOf } from "../../src/policy/scope.ts";

describe("the OpenAPI document of the admin API", () => {
  test("is what scripts/openapi.ts writes", () => {
    expect(committed).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
  });

  test("is valid OpenAPI 3.1", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(committed));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(validator.version).toBe("3.1");
  });

  test("describes every call that the gateway routes, with its scopes", () => {
    const routed = builtInRoutes("", catalogueOf([]))
      .filter((route) => route.target === "admin" && route.pattern !== "/openapi.json")
      .map((route) => [
        `${route.methods[0]} ${route.pattern.replaceAll(/:(\w+)/g, "{$1}")}`,
        route.requirement.kind === "scopes" ? `Needs ${route.requirement.names.join(" or ")}.` : "",
      ]);
    const described = Object.entries(committed.paths).flatMap(([path, calls]) =>
      Object.entries(calls).map(([method, { description }]) => [`${method.toUpperCase()} ${path}`, description]),
    );
    expect(new Map(described as [string, string][])).toEqual(new Map(routed as [string, string][]));
  });
});
