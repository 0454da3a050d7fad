import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headerValue, rewriteHeaders } from "../../src/origin/headers.ts";
import { compileRemovedHeaders } from "../../src/request/removed-headers.ts";

const forwarded = {
  requestId: "r1",
  address: "10.1.2.3",
  host: "api.example.com",
  proto: "https",
  method: "GET",
} as const;
const identity = { issuer: "https://i/", subject: "s", client: "c", tokenId: "t", scopes: "a b" };
const forward = compileRemovedHeaders({ authorization: "forward", removeHeaders: [] });

const SET_FOR_EVERYBODY = {
  "x-forwarded-for": "10.1.2.3",
  "x-forwarded-host": "api.example.com",
  "x-forwarded-proto": "https",
  "x-request-id": "r1",
};
const SET_FOR_A_TOKEN = {
  ...SET_FOR_EVERYBODY,
  "x-scopegate-client": "c",
  "x-scopegate-issuer": "https://i/",
  "x-scopegate-scopes": "a b",
  "x-scopegate-subject": "s",
  "x-scopegate-token-id": "t",
};

function sent(names: Record<string, string>, removed = forward): Record<string, string> {
  const headers = new Headers(names);
  rewriteHeaders(headers, removed, null, forwarded);
  return Object.fromEntries([...headers].filter(([name]) => !Object.hasOwn(SET_FOR_EVERYBODY, name)));
}

/** Every mixture of `-` and `_`, in three cases. */
function spellings(name: string): string[] {
  let all = [""];
  for (const char of name) all = all.flatMap((start) => (char === "-" ? [`${start}-`, `${start}_`] : [start + char]));
  return all.flatMap((one) => [one.toLowerCase(), one.toUpperCase(), one]);
}

test("a client's identity under a name with another mark for the hyphen is removed, as lighttpd's CGI reads it", () => {
  for (const mark of "!#$%&'*+.^_`|~") {
    const name = `X${mark}Scopegate${mark}Subject`;
    expect(sent({ [name]: "mallory", [`X${mark}Forwarded${mark}User`]: "mallory", [`X${mark}Other`]: "kept" })).toEqual(
      {
        [`x${mark}other`]: "kept",
      },
    );
  }
});

test("spells a subject of very many spaces in the time of its length", () => {
  const subject = `ü${" ".repeat(1_000_000)}x `;
  expect(headerValue(subject)).toBe(`%C3%BC${" ".repeat(1_000_000)}x%20`);
  expect(headerValue("  ü  ")).toBe("%20%20%C3%BC%20%20");
  expect(headerValue("   ")).toBe("%20%20%20");
});

const NAMES = [
  "X-Scopegate-Subject",
  "X-Scopegate-Issuer",
  "X-Scopegate-Client",
  "X-Scopegate-Token-Id",
  "X-Scopegate-Scopes",
  "X-Scopegate-Anything-Else",
  "Forwarded",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "X-Forwarded-Prefix",
  "X-Forwarded-User",
  "X-Real-IP",
  "X-Original-URL",
  "X-Original-URI",
  "X-Rewrite-URL",
  "X-Override-URL",
  "X-HTTP-DestinationURL",
  "X-Proxy-URL",
  "Request-URI",
  "X-Envoy-Original-Path",
  "X-Accel-Redirect",
  "X-HTTP-Method-Override",
  "X-HTTP-Method",
  "X-Method-Override",
  "X-Request-Id",
  "Connection",
  "Keep-Alive",
  "Proxy-Authenticate",
  "Proxy-Authorization",
  "Proxy-Connection",
  "TE",
  "Trailer",
  "Transfer-Encoding",
  "HTTP2-Settings",
];

describe("a client's header", () => {
  test.each(NAMES)("%s never reaches the origin, in any spelling", (name) => {
    for (const spelling of spellings(name)) expect([spelling, sent({ [spelling]: "client" })]).toEqual([spelling, {}]);
  });

  test.each(NAMES)("%s gives way to the gateway's own", (name) => {
    for (const spelling of spellings(name)) {
      const headers = new Headers({ [spelling]: "client" });
      rewriteHeaders(headers, forward, identity, forwarded);
      expect(Object.fromEntries(headers)).toEqual(SET_FOR_A_TOKEN);
    }
  });

  test.each([
    "Accept",
    "Authorization",
    "Content-Type",
    "Cookie",
    "CF-Connecting-IP",
    "If-None-Match",
    "Range",
    "X-Scopegated",
    "X-Forwardedly",
    "X-User",
    "X_Custom",
    "Traceparent",
  ])("%s reaches it", (name) => {
    expect(sent({ [name]: "client" })).toEqual({ [name.toLowerCase()]: "client" });
  });

  test("stays where it is only a part of a removed name, and goes where the operator says so", () => {
    const removed = compileRemovedHeaders({
      authorization: "remove",
      removeHeaders: ["X-User-Id", "x-auth-*", "x_old_*", "plain"],
    });
    const client = {
      authorization: "Bearer x",
      "x-user-id": "1",
      X_User_ID: "1",
      "x-user-ids": "kept",
      "x-auth-": "1",
      "X_AUTH-Role": "1",
      "x-authority": "kept",
      "x-old-1": "1",
      x_old_2: "1",
      plain: "1",
      "plain-1": "kept",
    };
    expect(sent(client, removed)).toEqual({ "x-user-ids": "kept", "x-authority": "kept", "plain-1": "kept" });
  });
});

describe("Connection", () => {
  test("takes out what it names, however it spells it", () => {
    expect(sent({ Connection: "close,  x-user ,X-Two,, ", "X-User": "1", "X-Two": "2", "X-Three": "3" })).toEqual({
      "x-three": "3",
    });
  });

  test("takes out nothing that belongs to the ends, nor what Cloudflare put in", () => {
    const kept = {
      authorization: "Bearer x",
      "cdn-loop": "cloudflare",
      "cf-connecting-ip": "10.0.0.1",
      "content-length": "3",
      "content-type": "text/plain",
      cookie: "a=1",
      host: "h.test",
      "sec-websocket-key": "k",
    };
    expect(sent({ ...kept, Connection: Object.keys(kept).join(", ") })).toEqual(kept);
  });

  test("takes out nothing that the gateway sets", () => {
    const headers = new Headers({ Connection: Object.keys(SET_FOR_A_TOKEN).join(", ") });
    rewriteHeaders(headers, forward, identity, forwarded);
    expect(Object.fromEntries(headers)).toEqual(SET_FOR_A_TOKEN);
  });

  test("of names that are none does no harm", () => {
    expect(sent({ Connection: 'a b, "x", é, @, close', "X-A": "1" })).toEqual({ "x-a": "1" });
  });

  test("cannot break a WebSocket's upgrade; any other upgrade goes", () => {
    expect(sent({ Connection: "Upgrade", Upgrade: "WebSocket" })).toEqual({ upgrade: "WebSocket" });
    expect(sent({ Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "x" })).toEqual({});
    expect(sent({ Upgrade: "websocket, h2c" })).toEqual({});
  });
});

test("what is not known is not set", () => {
  const headers = new Headers({ "X-Forwarded-For": "10.9.9.9", "X-Forwarded-Host": "evil.test" });
  const unknown = { issuer: "https://i/", subject: null, client: null, tokenId: "t", scopes: null };
  rewriteHeaders(headers, forward, unknown, {
    requestId: "r1",
    address: null,
    host: null,
    proto: "http",
    method: "GET",
  });
  expect(Object.fromEntries(headers)).toEqual({
    "x-forwarded-proto": "http",
    "x-request-id": "r1",
    "x-scopegate-issuer": "https://i/",
    "x-scopegate-token-id": "t",
  });
});

describe("a value", () => {
  test.each([
    ["auth0|5f7c", "auth0|5f7c"],
    ["", ""],
    ["a b", "a b"],
    ["Zoë", "Zo%C3%AB"],
    ["😀€", "%F0%9F%98%80%E2%82%AC"],
    ["100%", "100%25"],
    ["%C3%AB", "%25C3%25AB"],
    [" a  b ", "%20a  b%20"],
    ["  ", "%20%20"],
    ["a\r\nX-Admin: 1", "a%0D%0AX-Admin: 1"],
    ["\u0000\t\u007f\u0085", "%00%09%7F%C2%85"],
    ["\ud800", "%ED%A0%80"],
    ["x\udfff", "x%ED%BF%BF"],
  ])("of %j is sent as %s", (text, value) => {
    expect(headerValue(text)).toBe(value);
  });

  test("survives the header, and decodes to the text that it stands for", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: "binary" }),
          fc.string({ unit: fc.constantFrom(" ", "%", "a", "é", "4") }),
        ),
        (text) => {
          const value = headerValue(text);
          expect(new Headers({ x: value }).get("x")).toBe(value);
          if (text.isWellFormed()) expect(decodeURIComponent(value)).toBe(text);
        },
      ),
      { numRuns: 10_000 },
    );
  });

  test("differs wherever the texts differ", () => {
    const odd = fc.string({ unit: fc.constantFrom("%", "2", "5", "é", " ", "\ud800", "\udc00", "\ufffd", "E", "D") });
    fc.assert(
      fc.property(odd, odd, (one, other) => {
        expect(headerValue(one) === headerValue(other)).toBe(one === other);
      }),
      { numRuns: 10_000 },
    );
  });
});

test.each(["POST", "HEAD", "PUT", "DELETE", "OPTIONS"])(
  "%s with an upgrade to WebSocket loses it: the runtime would send the origin a GET that nobody decided",
  (method) => {
    const headers = new Headers({ Connection: "Upgrade", Upgrade: "websocket" });
    rewriteHeaders(headers, forward, null, { ...forwarded, method });
    expect(headers.has("Upgrade")).toBe(false);
  },
);

test("what differs from a header that decides in nothing but its marks is removed", () => {
  const removed = compileRemovedHeaders(
    { authorization: "forward", removeHeaders: [] },
    new Set(["x-tenant", "x_project"]),
  );
  expect(
    sent(
      {
        "X-Tenant": "mine",
        "X.Tenant": "other",
        "X!Tenant": "other",
        X_Project: "mine",
        "X-Project": "other",
        "X-Y": "kept",
      },
      removed,
    ),
  ).toEqual({ "x-tenant": "mine", x_project: "mine", "x-y": "kept" });
});
