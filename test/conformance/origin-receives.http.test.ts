/** What the origin receives, and what of its answers comes back (the contract's section 4). */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Response as BoundResponse } from "miniflare";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Echo, type Gateway, startGateway } from "../support/gateway.ts";
import { PUBLIC_URL, policyText } from "../support/policy-text.ts";
import { type Recorder, startRecorder } from "../support/recorder.ts";
import { exchange, requestText, valuesOf } from "../support/socket.ts";

const ROUTES = {
  "GET /open": "{ public = true }",
  "* /v1/*": '{ all = ["charges:read"], resource = [] }',
  "GET /either": '{ any = [["charges:read", "charges:write"], "charges:admin"], resource = [] }',
  "GET /me": "{ authenticated = true, resource = [] }",
  "GET /packages/:name": '{ all = ["charges:read"], resource = [], encoded_slash = true }',
};
const SCOPES = ["charges:read", "charges:write", "charges:admin"];

let gateway: Gateway;
const also: Gateway[] = [];

beforeAll(async () => {
  gateway = await startGateway({ policy: policyText({ scopes: SCOPES, routes: ROUTES }), origin: answer });
});

afterAll(async () => {
  await Promise.all([gateway, ...also].map((one) => one?.dispose()));
});

/** An echo, but for paths that ask for something else. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = request.url ?? "";
  if (url.startsWith("/v1/redirect")) {
    response.writeHead(302, { Location: "https://elsewhere.example.com/x" }).end();
    return;
  }
  if (url.startsWith("/v1/status/")) {
    const status = Number(url.slice("/v1/status/".length));
    response.writeHead(status, { "X-Origin": "yes" }).end(status === 204 || status === 304 ? undefined : "body");
    return;
  }
  if (url === "/v1/headers") {
    response.writeHead(
      200,
      [
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2; Path=/"],
        ["ETag", '"x"'],
        ["Cache-Control", "private"],
        ["X-Scopegate-Note", "the origin's"],
        ["Connection", "close, X-Hop"],
        ["X-Hop", "1"],
        ["WWW-Authenticate", 'Basic realm="origin"'],
        ["Content-Type", "text/plain"],
      ].flat(),
    );
    response.end("with headers");
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body: Echo = {
      method: request.method ?? "",
      url,
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      body: Buffer.concat(chunks).toString("latin1"),
    };
    response.setHeader("Content-Type", "application/json").end(JSON.stringify(body));
  });
}

async function echoed(path: string, init: RequestInit = {}, of: Gateway = gateway): Promise<Echo> {
  const response = await of.fetch(path, init);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Echo;
}

async function authorized(
  claims: Record<string, unknown> = {},
  scopes = "charges:read",
): Promise<Record<string, string>> {
  return { Authorization: `Bearer ${await gateway.token(scopes, { claims })}` };
}

describe("the request", () => {
  test.each([
    ["/v1/a/b", "/v1/a/b"],
    ["/v1/a/b/", "/v1/a/b/"],
    ["/v1/%61%2D%7e", "/v1/a-~"],
    ["/v1/%c3%a9%e2%82%ac", "/v1/%C3%A9%E2%82%AC"],
    ["/v1/a%20b", "/v1/a%20b"],
    ["/v1/a?", "/v1/a?"],
    ["/v1/a?b=%2f%2F&c=/../d&b=e;f", "/v1/a?b=%2f%2F&c=/../d&b=e;f"],
    ["/v1/a?x=%61", "/v1/a?x=%61"],
    ["/packages/@scope%2fname", "/packages/@scope%2Fname"],
  ])("%s arrives as %s (RFC 3986 §6.2.2)", async (path, wanted) => {
    const { url } = await echoed(path, { headers: await authorized() });
    // A lone question mark has no query behind it; a URL parser may drop it.
    expect(url === wanted || `${url}?` === wanted).toBe(true);
  });

  test.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "%s arrives as itself, with its body",
    async (method) => {
      const body = method === "GET" ? {} : { body: "\x00\x7fbody" };
      const echo = await echoed("/v1/x", { method, headers: await authorized(), ...body });
      expect([echo.method, echo.body]).toEqual([method, method === "GET" ? "" : "\x00\x7fbody"]);
    },
  );

  test("carries the client's own headers", async () => {
    const headers = {
      ...(await authorized()),
      Accept: "text/csv",
      Cookie: "a=1",
      "X-Custom": "c",
      "If-None-Match": '"x"',
    };
    const echo = await echoed("/v1/x", { headers });
    expect(echo.headers).toMatchObject({ accept: "text/csv", cookie: "a=1", "x-custom": "c", "if-none-match": '"x"' });
    expect(echo.headers["authorization"]).toMatch(/^Bearer eyJ/);
  });

  test("says how it came", async () => {
    const response = await gateway.fetch("/v1/x", { headers: await authorized() });
    const echo = (await response.json()) as Echo;
    expect(echo.headers).toMatchObject({
      "x-forwarded-for": expect.stringMatching(/^(127\.0\.0\.1|::1)$/),
      "x-forwarded-host": new URL(gateway.url).host,
      "x-forwarded-proto": "http",
      "x-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test("says who calls, with the scopes that decided", async () => {
    const headers = await authorized(
      { sub: "amy", client_id: "app", jti: "one", azp: "other" },
      "charges:read charges:admin",
    );
    expect((await echoed("/v1/x", { headers })).headers).toMatchObject({
      "x-scopegate-issuer": PUBLIC_URL,
      "x-scopegate-subject": "amy",
      "x-scopegate-client": "app",
      "x-scopegate-token-id": "one",
      "x-scopegate-scopes": "charges:read",
    });
    expect((await echoed("/either", { headers })).headers["x-scopegate-scopes"]).toBe("charges:admin");
    const both = await authorized({}, "charges:write charges:read");
    expect((await echoed("/either", { headers: both })).headers["x-scopegate-scopes"]).toBe(
      "charges:read charges:write",
    );
    expect((await echoed("/me", { headers })).headers["x-scopegate-scopes"]).toBeUndefined();
  });

  test("says nobody's name on a public route, with a token and without", async () => {
    for (const headers of [await authorized(), {}]) {
      const echo = await echoed("/open", { headers });
      expect(Object.keys(echo.headers).filter((name) => name.startsWith("x-scopegate"))).toEqual([]);
      expect(echo.headers["x-request-id"]).toBeDefined();
    }
  });

  test.each([
    ["Zoë", "Zo%C3%AB"],
    ["日本", "%E6%97%A5%E6%9C%AC"],
    ["a b", "a b"],
    ["100%", "100%25"],
    [" edge ", "%20edge%20"],
  ])("spells the subject %j as %s", async (subject, wanted) => {
    const echo = await echoed("/v1/x", { headers: await authorized({ sub: subject }) });
    expect(echo.headers["x-scopegate-subject"]).toBe(wanted);
  });

  test.each(["line\r\nX-Admin: 1", "\u0000", "a\nb"])(
    "never takes a line of its own from the subject %j",
    async (subject) => {
      const response = await gateway.fetch("/v1/x", { headers: await authorized({ sub: subject }) });
      const { headers } = (await response.json()) as Partial<Echo>;
      if (response.status !== 200) expect([response.status, headers]).toEqual([401, undefined]);
      else
        expect(headers?.["x-scopegate-subject"]).toBe(
          encodeURIComponent(subject).replace(/%20|%3A/g, decodeURIComponent),
        );
      expect(headers?.["x-admin"]).toBeUndefined();
    },
  );
});

describe('with authorization = "remove"', () => {
  test("no token reaches the origin, on public routes neither", async () => {
    const policy = policyText({ origin: 'authorization = "remove"', scopes: SCOPES, routes: ROUTES });
    const other = await startGateway({ policy, origin: answer, signingKeys: gateway.signingKeys });
    also.push(other);
    const headers = await authorized();
    for (const path of ["/v1/x", "/open"]) {
      const echo = await echoed(path, { headers }, other);
      expect(Object.values(echo.headers).filter((value) => value.includes("eyJ"))).toEqual([]);
    }
    const basic = await echoed("/open", { headers: { Authorization: "Basic eA==" } }, other);
    expect(basic.headers["authorization"]).toBeUndefined();
  });
});

describe("with remove_headers", () => {
  test("the operator's own names are taken out in every spelling, wildcards too", async () => {
    const policy = policyText({ origin: 'remove_headers = ["X-User-Id", "X-Auth-*"]', scopes: SCOPES, routes: ROUTES });
    const recorder: Recorder = await startRecorder();
    const other = await startGateway({ policy, origin: null, bindings: { ORIGIN_URL: recorder.url } });
    also.push(other);
    const spoofed = ["X-User-Id", "x-user-id", "X_User_Id", "X-Auth-User", "X_Auth_Roles", "x-auth-"].map(
      (name) => [name, "spoofed"] as const,
    );
    await exchange(other.url, requestText("GET", "/open", [["Host", "h.test"], ["X-Authority", "kept"], ...spoofed]));
    await recorder.close();
    const [one] = recorder.received;
    expect(one?.headers.filter(([, value]) => value === "spoofed")).toEqual([]);
    expect(one && valuesOf(one, "X-Authority")).toEqual(["kept"]);
  });
});

describe("the origin's answer", () => {
  test.each([200, 201, 204, 206, 304, 400, 401, 403, 404, 418, 429, 500, 503])(
    "%i comes back as it is",
    async (status) => {
      const response = await gateway.fetch(`/v1/status/${status}`, { headers: await authorized() });
      expect(response.status).toBe(status);
      expect(response.headers.get("x-origin")).toBe("yes");
      expect(response.headers.get("content-type")).not.toBe("application/problem+json");
      expect(await response.text()).toBe(status === 204 || status === 304 ? "" : "body");
    },
  );

  test("that redirects is handed back, not followed", async () => {
    const response = await gateway.fetch("/v1/redirect", { headers: await authorized() });
    expect([response.status, response.headers.get("location")]).toEqual([302, "https://elsewhere.example.com/x"]);
  });

  test("keeps its headers, but for those of the last hop (RFC 9110 §7.6.1)", async () => {
    const response = await gateway.fetch("/v1/headers", { headers: await authorized() });
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2; Path=/"]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: '"x"',
      "cache-control": "private",
      "www-authenticate": 'Basic realm="origin"',
      "x-scopegate-note": "the origin's",
    });
    expect(await response.text()).toBe("with headers");
  });

  test("is never kept by the gateway: each request reaches the origin", async () => {
    const headers = await authorized();
    const ids = await Promise.all(
      [1, 2, 3].map(async () => (await echoed("/v1/x", { headers })).headers["x-request-id"]),
    );
    expect(new Set(ids).size).toBe(3);
  });
});

describe("where the origin is", () => {
  const routes = { "GET /open": "{ public = true }", "GET /v1/*": "{ public = true }" };

  async function startAt(options: Parameters<typeof startGateway>[0]): Promise<Gateway> {
    const other = await startGateway(options);
    also.push(other);
    return other;
  }

  test("a path in ORIGIN_URL stands before the request's, and its slash is not doubled", async () => {
    for (const base of ["/base", "/base/", "/base/v2"]) {
      const other = await startAt({
        policy: policyText({ routes }),
        origin: null,
        bindings: { ORIGIN_URL: `${gateway.originUrl}${base}` },
      });
      expect((await echoed("/open?a=b", {}, other)).url).toBe(`${base.replace(/\/$/, "")}/open?a=b`);
    }
  });

  test("the policy's url serves where no binding says otherwise, with its path", async () => {
    const policy = policyText({ origin: `url = "${gateway.originUrl}/from/policy"`, routes });
    const other = await startAt({ policy, origin: null });
    expect((await echoed("/open", {}, other)).url).toBe("/from/policy/open");
  });

  test("ORIGIN_URL goes before the policy's url", async () => {
    const policy = policyText({ origin: 'url = "http://127.0.0.1:9/never"', routes });
    const other = await startAt({ policy, origin: null, bindings: { ORIGIN_URL: gateway.originUrl ?? "" } });
    expect((await echoed("/open", {}, other)).url).toBe("/open");
  });

  test("the service binding ORIGIN goes before both, and gets the client's host", async () => {
    const other = await startAt({
      policy: policyText({ origin: 'url = "http://127.0.0.1:9/never"', routes }),
      origin: null,
      bindings: { ORIGIN_URL: gateway.originUrl ?? "" },
      miniflare: {
        serviceBindings: {
          ORIGIN: (request) =>
            BoundResponse.json({
              method: request.method,
              url: request.url,
              headers: Object.fromEntries(request.headers),
              body: "bound",
            }),
        },
      },
    });
    const echo = await echoed("/open?a=b", {}, other);
    expect(echo.body).toBe("bound");
    expect(new URL(echo.url).pathname + new URL(echo.url).search).toBe("/open?a=b");
    expect(echo.headers["x-request-id"]).toBeDefined();
  });

  test("an origin that nobody named is not served: the Worker says so and never guesses", async () => {
    const cors = '\n[cors]\norigins = ["https://app.example.com"]\n';
    const running = await startAt({ policy: policyText({ routes }) + cors, origin: null });
    const response = await running.fetch("/open", { headers: { Origin: "https://app.example.com" } });
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ status: 500, reason: "internal_error" });
    expect(running.logs.some((line) => line.includes("misconfigured") && line.includes("ORIGIN_URL"))).toBe(true);
  });
});
