/**
 * Headers, methods, targets and queries that have changed what an origin does behind a gateway's back, sent raw to bare
 * workerd, where nothing stands before the Worker that would take them out.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BYPASS_ALLOW_LIST, BYPASS_POLICY, BYPASS_SCOPES, mayReach } from "../support/bypass-fixture.ts";
import { eachOf } from "../support/each-of.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { type Received, type Recorder, startRecorder } from "../support/recorder.ts";
import { exchange, type RawResponse, requestText, valuesOf } from "../support/socket.ts";

type Header = readonly [name: string, value: string];

let gateway: Gateway;
let recorder: Recorder;
let direct: string;
let token: string;
let cases = 0;

beforeAll(async () => {
  recorder = await startRecorder();
  gateway = await startGateway({
    policy: BYPASS_POLICY,
    origin: null,
    bindings: { ORIGIN_URL: recorder.url },
    miniflare: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
  });
  direct = (await gateway.miniflare.unsafeGetDirectURL()).href;
  token = await gateway.token(BYPASS_SCOPES, { claims: { allow_list: BYPASS_ALLOW_LIST } });
});

afterAll(async () => {
  await gateway?.dispose();
  await recorder?.close();
});

interface Sent {
  readonly response: RawResponse | undefined;
  readonly reason: string | undefined;
  readonly received: readonly Received[];
}

async function send(
  headers: readonly Header[],
  { method = "GET", target = "/v1/projects/p1", authorized = true, host = "h.test" } = {},
): Promise<Sent> {
  const id = `case ${cases++}`;
  const own: Header[] = [
    ["Host", host],
    ["X-Case", id],
  ];
  if (authorized) own.push(["Authorization", `Bearer ${token}`]);
  const text = requestText(method, target, [...own, ...headers]);
  const [response] = await exchange(direct, text, { head: method === "HEAD" });
  const reason = /"reason":"(\w+)"/.exec(response?.body ?? "")?.[1];
  return { response, reason, received: recorder.ofCase(id) };
}

const TELLING = [
  ...["X-Scopegate-Subject", "X-Scopegate-Issuer", "X-Scopegate-Client", "X-Scopegate-Token-Id", "X-Scopegate-Scopes"],
  ...["X-Scopegate-Anything", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"],
  ...["X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-User", "X-Forwarded-Client-Cert", "X-Real-IP"],
  ...["X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Override-URL", "X-HTTP-DestinationURL", "X-Proxy-URL"],
  ...["Request-URI", "X-Envoy-Original-Path", "X-Accel-Redirect", "X-HTTP-Method-Override", "X-HTTP-Method"],
  ...["X-Method-Override", "X-Request-Id", "Proxy-Authorization", "X-Gateway-Subject", "X-Remote-User"],
];

describe.each(TELLING)("a client's own %s", (name) => {
  const spellings = [name, name.toLowerCase(), name.toUpperCase(), name.replaceAll("-", "_"), name.replace("-", "_")];

  test.each([
    ["a route with a token", "/v1/projects/p1", true],
    ["a public route", "/v1/status", false],
  ] as const)("never reaches the origin of %s, however it is spelt", async (_, target, authorized) => {
    await eachOf([...new Set(spellings)], 8, async (spelling) => {
      const { response, received } = await send([[spelling, "/v1/admin/spoofed"]], { target, authorized });
      expect(response?.status).toBe(200);
      const [one] = received;
      expect(received).toHaveLength(1);
      expect(one?.target).toBe(target);
      expect(one?.headers.filter(([, value]) => value.includes("spoofed"))).toEqual([]);
      const folded = one?.headers.map(([given]) => given.toLowerCase().replaceAll("_", "-")) ?? [];
      expect(new Set(folded).size, "no name is there twice").toBe(folded.length);
    });
  });
});

describe("the identity that the origin sees", () => {
  test("is the token's, whatever the client says besides", async () => {
    const { received } = await send([
      ["X-Scopegate-Subject", "root"],
      ["x-scopegate-subject", "root"],
      ["X_Scopegate_Subject", "root"],
      ["X-Scopegate-Scopes", "admin:write"],
    ]);
    const [one] = received;
    expect(one && valuesOf(one, "X-Scopegate-Subject")).toEqual(["tester"]);
    expect(one && valuesOf(one, "X-Scopegate-Scopes")).toEqual(["projects:read"]);
    expect(one?.headers.some(([name]) => name.includes("_"))).toBe(false);
  });

  test("is absent on a public route, even with a token", async () => {
    const { received } = await send([["X-Scopegate-Subject", "root"]], { target: "/v1/status" });
    expect(received[0]?.headers.filter(([name]) => /scopegate/i.test(name))).toEqual([]);
  });

  test.each([
    "X-Scopegate-Subject, X-Scopegate-Issuer, X-Scopegate-Scopes, X-Scopegate-Token-Id, X-Scopegate-Client",
    "x-forwarded-proto, x-forwarded-host, x-request-id",
    "close, X-Scopegate-Subject",
    "keep-alive,X-SCOPEGATE-SUBJECT,\tX-Scopegate-Scopes",
  ])("outlives `Connection: %s` (RFC 9110 §7.6.1)", async (value) => {
    const { received } = await send([["Connection", value]]);
    const [one] = received;
    for (const name of ["Subject", "Issuer", "Client", "Token-Id", "Scopes"])
      expect(one && valuesOf(one, `X-Scopegate-${name}`)).toHaveLength(1);
    for (const name of ["X-Request-Id", "X-Forwarded-Proto", "X-Forwarded-Host"])
      expect(one && valuesOf(one, name)).toHaveLength(1);
  });

  test("is not taken from the token that Connection hides from the gateway (RFC 9110 §7.6.1)", async () => {
    const { response, received } = await send([["Connection", "close, Authorization"]]);
    expect(response?.status).toBe(200);
    expect(received[0] && valuesOf(received[0], "Authorization")).toEqual([`Bearer ${token}`]);
  });

  test("comes without the headers that Connection names (RFC 9110 §7.6.1)", async () => {
    const { received } = await send([
      ["Connection", "X-Hop, close"],
      ["X-Hop", "1"],
      ["X-End", "2"],
    ]);
    expect(received[0] && valuesOf(received[0], "X-Hop")).toEqual([]);
    expect(received[0] && valuesOf(received[0], "X-End")).toEqual(["2"]);
  });

  test.each(["Keep-Alive", "TE", "Trailer", "Proxy-Connection", "Upgrade", "HTTP2-Settings", "Proxy-Authenticate"])(
    "comes without %s, which is for the next hop (RFC 9110 §7.6.1)",
    async (name) => {
      const { received } = await send([[name, name === "Upgrade" ? "h2c" : "trailers"]]);
      expect(received[0] && valuesOf(received[0], name)).toEqual([]);
    },
  );
});

describe("the caller's address", () => {
  const elsewhere: readonly Header[][] = [
    [["X-Forwarded-For", "10.0.0.1"]],
    [["X-Real-IP", "10.0.0.1"]],
    [["True-Client-IP", "10.0.0.1"]],
    [["CF-Connecting-IPv6", "10.0.0.1"]],
    [["CF_Connecting_IP", "10.0.0.1"]],
    [["Forwarded", "for=10.0.0.1"]],
    [
      ["CF-Connecting-IP", "192.0.2.1"],
      ["CF-Connecting-IP", "10.0.0.1"],
    ],
    [["CF-Connecting-IP", "10.0.0.1, 192.0.2.1"]],
    [["CF-Connecting-IP", "10.0.0.1:80"]],
    [["CF-Connecting-IP", "010.0.0.1"]],
    [["CF-Connecting-IP", "10.1"]],
    [["CF-Connecting-IP", "167772161"]],
    [["CF-Connecting-IP", "0x0a000001"]],
    [["CF-Connecting-IP", "[::ffff:10.0.0.1]"]],
    [["CF-Connecting-IP", "10.0.0.1%25eth0"]],
  ];

  test.each(elsewhere)("is not read from %j", async (...headers) => {
    const claims = { allow_list: BYPASS_ALLOW_LIST, conditions: { cidr: ["10.0.0.0/8"] } };
    const bound = await gateway.token(BYPASS_SCOPES, { claims });
    const { reason, received } = await send([["Authorization", `Bearer ${bound}`], ...headers], { authorized: false });
    expect(received).toEqual([]);
    expect(reason).toBe("condition_not_met");
  });
});

describe("credentials", () => {
  const other = "Bearer eyJhbGciOiJub25lIn0.e30.";
  test.each<[string, (own: string) => Header[], string]>([
    [
      "two headers",
      (own) => [
        ["Authorization", own],
        ["Authorization", other],
      ],
      "credentials_malformed",
    ],
    [
      "two headers, the good one last",
      (own) => [
        ["Authorization", other],
        ["Authorization", own],
      ],
      "credentials_malformed",
    ],
    [
      "the same header twice",
      (own) => [
        ["Authorization", own],
        ["authorization", own],
      ],
      "credentials_malformed",
    ],
    ["two joined by a comma", (own) => [["Authorization", `${own}, ${other}`]], "credentials_malformed"],
    ["two joined by a bare comma", (own) => [["Authorization", `${own},${other}`]], "credentials_malformed"],
    ["Basic, then Bearer", (own) => [["Authorization", `Basic eA==, ${own}`]], "credentials_malformed"],
    [
      "Basic beside Bearer",
      (own) => [
        ["Authorization", "Basic eA=="],
        ["Authorization", own],
      ],
      "credentials_malformed",
    ],
    ["a trailing comma", (own) => [["Authorization", `${own},`]], "credentials_malformed"],
    ["a parameter behind the token", (own) => [["Authorization", `${own} realm="x"`]], "credentials_malformed"],
    ["no space", (own) => [["Authorization", own.replace(" ", "")]], "credentials_malformed"],
    ["a tab", (own) => [["Authorization", own.replace(" ", "\t")]], "credentials_malformed"],
    ["a quoted token", (own) => [["Authorization", own.replace(" ", ' "').concat('"')]], "credentials_malformed"],
    ["the scheme alone", () => [["Authorization", "Bearer"]], "credentials_malformed"],
    ["the token alone", (own) => [["Authorization", own.slice(7)]], "credentials_malformed"],
    ["another scheme", (own) => [["Authorization", own.replace("Bearer", "Token")]], "token_missing"],
    ["a header with _", (own) => [["Authorization_", own]], "token_missing"],
    ["Proxy-Authorization", (own) => [["Proxy-Authorization", own]], "token_missing"],
    ["X-Authorization", (own) => [["X-Authorization", own]], "token_missing"],
    ["a cookie", (own) => [["Cookie", `access_token=${own.slice(7)}`]], "token_missing"],
  ])("%s: no token is found that an origin might find", async (_, headers, wanted) => {
    const { reason, received } = await send(headers(`Bearer ${token}`), { authorized: false });
    expect(received).toEqual([]);
    expect(reason).toBe(wanted);
  });

  test("are not read from the query (RFC 6750 §2.3 is not offered)", async () => {
    const target = `/v1/projects/p1?access_token=${token}`;
    const { reason, received } = await send([], { target, authorized: false });
    expect([reason, received]).toEqual(["token_missing", []]);
  });

  test("may have several spaces before the token (RFC 9110 §11.4)", async () => {
    const { response } = await send([["Authorization", `Bearer  ${token}`]], { authorized: false });
    expect(response?.status).toBe(200);
  });

  test.each(["bearer", "BEARER", "bEaReR"])("the scheme %s is Bearer (RFC 9110 §11.1)", async (scheme) => {
    const { response } = await send([["Authorization", `${scheme} ${token}`]], { authorized: false });
    expect(response?.status).toBe(200);
  });
});

describe("methods", () => {
  const odd = [
    ...[
      "POST",
      "PUT",
      "PATCH",
      "DELETE",
      "OPTIONS",
      "TRACE",
      "CONNECT",
      "PROPFIND",
      "PROPPATCH",
      "MKCOL",
      "COPY",
      "MOVE",
    ],
    ...[
      "LOCK",
      "UNLOCK",
      "SEARCH",
      "REPORT",
      "PURGE",
      "SUBSCRIBE",
      "MERGE",
      "CHECKOUT",
      "BREW",
      "get",
      "Get",
      "GETX",
      "G",
    ],
    ...["QUERY", "LINK", "UNLINK", "DEBUG", "TRACK", "ACL", "BIND", "HEADX", "_GET", "GET\\"],
  ];

  test.each(odd)("%s is not GET, and is refused where only GET is mapped", async (method) => {
    for (const target of ["/v1/projects/p1", "/v1/files/a", "/v1/admin/users", "/v1/status"]) {
      const { response, received } = await send([["Connection", "close"]], { method, target });
      expect(received.filter((one) => !mayReach(one.method, one.target, true))).toEqual([]);
      expect(received).toEqual([]);
      expect(response === undefined || response.status >= 400).toBe(true);
    }
  });

  test("HEAD is answered by GET's route, and by its rules", async () => {
    expect((await send([], { method: "HEAD" })).received.map(({ method }) => method)).toEqual(["HEAD"]);
    const refused = await send([], { method: "HEAD", target: "/v1/admin/users" });
    expect([refused.response?.status, refused.received]).toEqual([403, []]);
  });
});

describe("targets that name a host of their own (RFC 9112 §3.2.2)", () => {
  test.each([
    ["http://evil.test/v1/admin/users", false],
    ["https://evil.test/v1/admin/users", false],
    ["http://h.test/v1/projects/p1/../../admin/users", false],
    ["http://h.test//v1/admin/users", false],
    ["http://user:secret@h.test/v1/admin/users", false],
    ["HTTP://H.TEST/v1/admin/users", false],
    ["http://h.test:80/v1/admin/users", false],
    ["http:///v1/admin/users", false],
    ["//evil.test/v1/projects/p1", false],
    ["ftp://h.test/v1/projects/p1", true],
    ["file:///v1/projects/p1", false],
    ["http://evil.test?/v1/projects/p1", false],
    ["http://evil.test#/v1/projects/p1", false],
    ["http://h.test/v1/projects/p1", true],
    ["http://evil.test/v1/projects/p1", true],
  ] as const)("%s reaches nothing but what its path allows", async (target, may) => {
    const { response, received } = await send([["Connection", "close"]], { target });
    for (const one of received) expect(one.target).toBe("/v1/projects/p1");
    if (!may) expect(received).toEqual([]);
    if (received.length === 0) expect(response === undefined || response.status >= 400).toBe(true);
    for (const one of received) expect(valuesOf(one, "X-Forwarded-Host")).not.toContain("evil.test");
  });

  test.each([
    "h.test/v1/projects/p1?",
    "h.test#",
    "h.test?",
    "h.test\\",
    "h.test/",
    "a@h.test",
    "h.test:",
    "h.test:x",
    "[::1",
    "h .test",
    "",
  ])("a Host header of `%s` moves no path (RFC 9112 §3.2)", async (host) => {
    const { response, received } = await send([["Connection", "close"]], { target: "/v1/admin/users", host });
    expect(received).toEqual([]);
    expect(response === undefined || response.status >= 400).toBe(true);
  });
});

describe("a resource that is read from the query or a header", () => {
  test("is the one that the token may touch", async () => {
    expect((await send([], { target: "/v1/search?project=p1" })).received).toHaveLength(1);
    expect((await send([], { target: "/v1/search?project=p2" })).reason).toBe("resource_not_allowed");
    expect((await send([["X-Project", "p1"]], { target: "/v1/current" })).received).toHaveLength(1);
    expect((await send([["X-Project", "p2"]], { target: "/v1/current" })).reason).toBe("resource_not_allowed");
  });

  test.each(["", "?", "?project=", "?project", "?q=p1", "?project=*"])("is the whole type with `%s`", async (query) => {
    const { reason, received } = await send([], { target: `/v1/search${query}` });
    expect([reason, received]).toEqual(["resource_not_allowed", []]);
  });

  test.each([
    ...[
      "project=p1&project=p2",
      "project=p2&project=p1",
      "project=p1&project=p1",
      "project=p1&project",
      "project&project=p1",
    ],
    ...["project=p1&%70roject=p2", "project=p1&Project=p2", "project=p1&project[]=p2", "project[]=p1", "project[0]=p1"],
    ...["project=p1;project=p2", "project=p1&a=b;project=p2", "project=p1%00&x", "project=p1&project%00=p2"],
    ...["project=p1&%ff=1", "project=%ff", "project=p1&+project=p2", "project=p1%26project=p2%25"],
  ])("is refused for everybody where an origin could read another one: ?%s", async (query) => {
    const everything = await gateway.token("projects:read");
    for (const bearer of [token, everything]) {
      const target = `/v1/search?${query}`;
      const { reason, received } = await send([["Authorization", `Bearer ${bearer}`]], { target, authorized: false });
      expect([reason, received]).toEqual(["ambiguous_request", []]);
    }
  });

  test.each<[string, Header[]]>([
    [
      "twice",
      [
        ["X-Project", "p1"],
        ["X-Project", "p2"],
      ],
    ],
    [
      "twice, in another case",
      [
        ["X-Project", "p1"],
        ["x-project", "p2"],
      ],
    ],
    ["with a comma", [["X-Project", "p1, p2"]]],
    ["with a bare comma", [["X-Project", "p1,p2"]]],
    [
      "also with _",
      [
        ["X-Project", "p1"],
        ["X_Project", "p2"],
      ],
    ],
    ["with _ alone", [["X_Project", "p1"]]],
    ["in octets beyond ASCII", [["X-Project", "p1\xe9"]]],
  ])("is refused for everybody where the header is there %s", async (_, headers) => {
    const { reason, received } = await send(headers, { target: "/v1/current" });
    expect([reason, received]).toEqual(["ambiguous_request", []]);
  });
});
