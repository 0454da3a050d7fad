import { describe, expect, test } from "vitest";
import { createOrigin } from "../../src/origin/origin.ts";
import { deprecationHeaders, withHeaders } from "../../src/origin/response.ts";

const bound = { fetch: async () => new Response("bound") } as unknown as Fetcher;

describe("the origin", () => {
  test.each([
    [{}, "https://origin.example.com/base/", "https://origin.example.com/base", false],
    [{}, "http://127.0.0.1:8080", "http://127.0.0.1:8080", false],
    [{ ORIGIN_URL: "http://variable.test//" }, "https://policy.test/", "http://variable.test", false],
    [{ ORIGIN_URL: "" }, "https://policy.test/a/b", "https://policy.test/a/b", false],
    [{ ORIGIN: bound }, null, null, true],
    [{ ORIGIN: bound }, "https://policy.test/v2/", "https://policy.test/v2", true],
    [{ ORIGIN: bound, ORIGIN_URL: "https://variable.test" }, "https://policy.test", "https://variable.test", true],
  ])("of %j and %j is %s", (bindings, policyUrl, base, isBound) => {
    expect(createOrigin(bindings, policyUrl)).toMatchObject({ base, bound: isBound });
  });

  test("is asked through the binding where there is one", async () => {
    const origin = createOrigin({ ORIGIN: bound }, null);
    expect(await (await origin.fetch("http://h/", {})).text()).toBe("bound");
  });

  test.each([
    [{}, null, "there is no origin"],
    [{ ORIGIN_URL: "origin.test" }, null, "ORIGIN_URL: expected an http or https URL"],
    [{ ORIGIN_URL: "ftp://origin.test" }, null, "ORIGIN_URL: expected an http or https URL"],
    [{}, "javascript:alert(1)", "[origin] url: expected an http or https URL"],
    [{}, "https://user:secret@origin.test", "[origin] url: expected a URL without credentials"],
    [{}, "https://origin.test/?a=1", "[origin] url: expected a URL without query and fragment"],
    [{}, "https://origin.test/?", "[origin] url: expected a URL without query and fragment"],
    [{}, "https://origin.test/#a", "[origin] url: expected a URL without query and fragment"],
  ])("of %j and %j is an error that names the place, and no secret", (bindings, policyUrl, message) => {
    const create = () => createOrigin(bindings, policyUrl);
    expect(create).toThrow(message);
    expect(create).not.toThrow("secret");
  });
});

describe("a response", () => {
  test("to which nothing is added is the same one", () => {
    const response = new Response("a");
    expect(withHeaders(response, [])).toBe(response);
  });

  test("keeps its status and body, joins lists, and gives up what it said otherwise", async () => {
    const response = new Response("a", {
      status: 418,
      statusText: "Teapot",
      headers: {
        Vary: "Accept",
        "Access-Control-Expose-Headers": "ETag",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Credentials": "true",
        Sunset: "never",
      },
    });
    const more = withHeaders(response, [
      ["Access-Control-Allow-Origin", "https://a.test"],
      ["Access-Control-Expose-Headers", "X-Request-Id"],
      ["Vary", "Origin"],
      ["Sunset", "soon"],
    ]);
    expect([more.status, more.statusText, await more.text()]).toEqual([418, "Teapot", "a"]);
    expect(Object.fromEntries(more.headers)).toEqual({
      "access-control-allow-origin": "https://a.test",
      "access-control-expose-headers": "ETag, X-Request-Id",
      "content-type": "text/plain;charset=UTF-8",
      sunset: "soon",
      vary: "Accept, Origin",
    });
  });
});

describe("deprecated scopes", () => {
  test("are told by the earliest date and the earliest sunset", () => {
    expect(
      deprecationHeaders([
        { deprecatedAtSeconds: 1_688_169_599, sunsetAtSeconds: null },
        { deprecatedAtSeconds: 1_700_000_000, sunsetAtSeconds: 1_803_859_200 },
        { deprecatedAtSeconds: null, sunsetAtSeconds: 1_900_000_000 },
      ]),
    ).toEqual([
      ["Deprecation", "@1688169599"],
      ["Sunset", "Mon, 01 Mar 2027 00:00:00 GMT"],
    ]);
  });

  test("that say nothing add nothing", () => {
    expect(deprecationHeaders([])).toEqual([]);
    expect(deprecationHeaders([{ deprecatedAtSeconds: null, sunsetAtSeconds: null }])).toEqual([]);
  });
});
