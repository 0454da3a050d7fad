import { expect, test } from "vitest";
import { createExchange } from "../../src/origin/exchange.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { canonicalPath } from "../../src/request/path.ts";
import { policyText } from "../support/policy-text.ts";

const loaded = loadPolicy(policyText({ routes: { "GET /a": "{ public = true }" } }));
if (!loaded.ok) throw new Error("the test's policy does not load");
const { policy } = loaded;

/** The headers that the origin receives for a request of that URL. */
async function received(url: string, headers: Record<string, string>): Promise<Headers> {
  let seen = new Headers();
  const origin = {
    bound: true,
    base: "http://origin.test",
    fetch: async (input: string | Request, init: RequestInit) => {
      seen = new Request(input, init).headers;
      return new Response("ok");
    },
  };
  const request = new Request(url, { headers });
  const path = canonicalPath(url, request.headers.get("host"));
  const found = policy.router.find("GET", "/a");
  if (path === null || found.kind !== "found") throw new Error("the request is not one for the test's route");
  const asked = {
    values: [],
    query: path.query,
    header: (name: string) => request.headers.get(name),
    address: "192.0.2.1",
    country: () => null,
    nowSeconds: 0,
  };
  await createExchange(
    policy,
    origin,
    Date.now,
  )({
    request,
    requestId: "r1",
    route: found.route,
    path,
    asked,
    principal: null,
    alternative: null,
    stillGood: async () => true,
  });
  return seen;
}

test.each([
  ["https://api.example.com/a", "https", "api.example.com"],
  ["http://127.0.0.1:8787/a?b=c", "http", "127.0.0.1:8787"],
  ["https://[2001:db8::1]:8443/a", "https", "[2001:db8::1]:8443"],
])("a request for %s came by %s to %s, whatever host its sender's own client asked for", async (url, proto, host) => {
  const headers = await received(url, { Host: "outer.test", "X-Forwarded-Host": "evil.test" });
  expect(headers.get("x-forwarded-proto")).toBe(proto);
  expect(headers.get("x-forwarded-host")).toBe(host);
});

test.each([
  ["enforce", 1],
  ["report", 0],
])("in mode %s, an event stream is watched over %i times", async (mode, watched) => {
  const report = loadPolicy(
    policyText({ routes: { "GET /a": "{ authenticated = true, resource = [] }" } }).replace(
      "[gateway]",
      `[gateway]\nmode = "${mode}"`,
    ),
  );
  if (!report.ok) throw new Error("the test's policy does not load");
  const found = report.policy.router.find("GET", "/a");
  if (found.kind !== "found") throw new Error("the test's route is not there");
  const stream = new Response("data: 1\n\n", { headers: { "Content-Type": "text/event-stream" } });
  const exchange = createExchange(
    report.policy,
    { bound: true, base: "http://origin.test", fetch: async () => stream },
    Date.now,
  );
  // Only where it is watched is the runtime asked for what Node does not have.
  const answered = exchange({
    request: new Request("https://api.example.com/a"),
    requestId: "r1",
    route: found.route,
    path: { path: "/a", query: "", encodedSlash: false },
    asked: { values: [], query: "", header: () => null, address: null, country: () => null, nowSeconds: 0 },
    principal: { issuer: "i", subject: "s", client: null, tokenId: "t", expiresAtSeconds: 0 } as never,
    alternative: null,
    stillGood: async () => false,
  });
  if (watched === 0) expect(await answered).toBe(stream);
  else await expect(answered).rejects.toThrow("is not defined");
});
