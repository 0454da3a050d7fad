import { describe, expect, test } from "vitest";
import { corsHeaders, isPreflight, preflightResponse } from "../../src/request/cors.ts";

const policy = (origins: string[]) => ({
  origins: new Set(origins),
  methods: ["GET", "POST"],
  headers: ["Authorization", "Content-Type"],
  maxAgeSeconds: 3600,
});
const app = policy(["https://app.example.com"]);

describe("an answer", () => {
  test("to an allowed origin names it and varies by it", () => {
    expect(new Map(corsHeaders(app, "https://app.example.com"))).toEqual(
      new Map([
        ["Access-Control-Allow-Origin", "https://app.example.com"],
        ["Access-Control-Expose-Headers", "X-Request-Id, WWW-Authenticate, Retry-After, Deprecation, Sunset"],
        ["Vary", "Origin"],
      ]),
    );
  });

  test.each([
    ["https://app.example.com.evil.test"],
    ["https://evil.test/https://app.example.com"],
    ["http://app.example.com"],
    ["https://APP.example.com"],
    ["https://app.example.com:444"],
    ["https://app.example.com, https://evil.test"],
    ["null"],
    ["*"],
    [""],
    ["__proto__"],
  ])("to the origin %j names none", (origin) => {
    expect(corsHeaders(app, origin)).toEqual([["Vary", "Origin"]]);
  });

  test("to a request that no page sent gives no leave, and varies all the same", () => {
    for (const cors of [app, policy(["*"])]) expect(corsHeaders(cors, null)).toEqual([["Vary", "Origin"]]);
  });

  test("says * where the policy does, and still varies", () => {
    const headers = new Map(corsHeaders(policy(["*"]), "null"));
    expect(headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(headers.get("Vary")).toBe("Origin");
  });

  test("never allows credentials", () => {
    for (const cors of [app, policy(["*"])]) {
      expect(corsHeaders(cors, "https://app.example.com").map(([name]) => name)).not.toContain(
        "Access-Control-Allow-Credentials",
      );
    }
  });
});

describe("a preflight", () => {
  const header = (names: Record<string, string>) => (name: string) => new Headers(names).get(name);

  test("is an OPTIONS request with both of its headers", () => {
    const both = { Origin: "https://a.test", "Access-Control-Request-Method": "PUT" };
    expect(isPreflight("OPTIONS", header(both))).toBe(true);
    expect(isPreflight("GET", header(both))).toBe(false);
    expect(isPreflight("OPTIONS", header({ Origin: "https://a.test" }))).toBe(false);
    expect(isPreflight("OPTIONS", header({ "Access-Control-Request-Method": "PUT" }))).toBe(false);
  });

  test("of an allowed origin is answered with what is allowed", async () => {
    const response = preflightResponse(app, "https://app.example.com", "r1");
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(Object.fromEntries(response.headers)).toEqual({
      "access-control-allow-headers": "Authorization, Content-Type",
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-origin": "https://app.example.com",
      "access-control-max-age": "3600",
      vary: "Origin",
      "x-request-id": "r1",
    });
  });

  test("names no methods and no headers where the policy has none", () => {
    const response = preflightResponse({ ...app, methods: [], headers: [] }, "https://app.example.com", "r1");
    const names = [...response.headers.keys()];
    expect(names).toContain("access-control-allow-origin");
    expect(names).not.toContain("access-control-allow-methods");
    expect(names).not.toContain("access-control-allow-headers");
  });

  test("without an Origin header is allowed nothing, where every origin is allowed too", () => {
    const { headers } = preflightResponse(policy(["*"]), null, "r1");
    expect(headers.has("access-control-allow-origin")).toBe(false);
  });

  test("of another origin is answered with 204 and leave to do nothing", () => {
    for (const origin of ["https://evil.test", null]) {
      const response = preflightResponse(app, origin, "r1");
      expect(response.status).toBe(204);
      expect(Object.fromEntries(response.headers)).toEqual({ vary: "Origin", "x-request-id": "r1" });
    }
  });
});
