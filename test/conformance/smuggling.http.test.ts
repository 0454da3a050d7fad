/**
 * Two requests in one: bodies whose end two servers see at two places (RFC 9112 §6.3, §11.2). What is hidden in each is a call
 * that the token may not make; it must neither reach the origin nor be put before the next caller's request.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BYPASS_POLICY } from "../support/bypass-fixture.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { type Recorder, startRecorder } from "../support/recorder.ts";
import { exchange, requestText } from "../support/socket.ts";

const HIDDEN = "GET /v1/admin/users HTTP/1.1\r\nHost: h.test\r\nX-Hidden: yes\r\n\r\n";
const length = HIDDEN.length;
const chunk = (text: string, ending = "\r\n"): string => `${text.length.toString(16)}${ending}${text}${ending}`;

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
  token = await gateway.token("projects:read projects:write files:read");
});

afterAll(async () => {
  await gateway?.dispose();
  await recorder?.close();
});

/** Header lines and a body, as they stand. */
const ATTACKS: readonly (readonly [name: string, lines: string, body: string])[] = [
  ["CL and TE", `Content-Length: ${length + 5}\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${HIDDEN}`],
  ["TE and CL", `Transfer-Encoding: chunked\r\nContent-Length: 4`, `${chunk(HIDDEN)}0\r\n\r\n`],
  ["CL of nothing", "Content-Length: 0", HIDDEN],
  ["no length at all", "X-Nothing: 1", HIDDEN],
  ["two lengths, the first longer", `Content-Length: ${length}\r\nContent-Length: 0`, HIDDEN],
  ["two lengths, the second longer", `Content-Length: 0\r\nContent-Length: ${length}`, HIDDEN],
  ["two lengths in one line", `Content-Length: 0, ${length}`, HIDDEN],
  ["the same length twice in one line", "Content-Length: 0, 0", HIDDEN],
  ["a length with a sign", "Content-Length: +0", HIDDEN],
  ["a negative length", "Content-Length: -1", HIDDEN],
  ["a length in hex", "Content-Length: 0x0", HIDDEN],
  ["a length with a space inside", `Content-Length: 0 ${length}`, HIDDEN],
  ["a length with an underscore", "Content-Length: 0_0", HIDDEN],
  ["a length beyond 2^64", "Content-Length: 18446744073709551616", HIDDEN],
  ["an empty length", "Content-Length:", HIDDEN],
  ["a length with _ in its name", `Content_Length: ${length}`, HIDDEN],
  ["a space before the colon", "Content-Length : 0", HIDDEN],
  ["TE with a space before the colon", "Transfer-Encoding : chunked\r\nContent-Length: 0", `0\r\n\r\n${HIDDEN}`],
  ["TE xchunked", "Transfer-Encoding: xchunked\r\nContent-Length: 0", `0\r\n\r\n${HIDDEN}`],
  ["TE chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", `0\r\n\r\n${HIDDEN}`],
  ["TE chunked, identity", "Transfer-Encoding: chunked, identity\r\nContent-Length: 0", `0\r\n\r\n${HIDDEN}`],
  ["TE identity, chunked", "Transfer-Encoding: identity, chunked\r\nContent-Length: 0", `0\r\n\r\n${HIDDEN}`],
  ["TE Chunked", `Transfer-Encoding: Chunked\r\nContent-Length: ${length + 5}`, `0\r\n\r\n${HIDDEN}`],
  ["TE with a vertical tab", "Transfer-Encoding: \vchunked\r\nContent-Length: 0", `0\r\n\r\n${HIDDEN}`],
  ["TE with a null", "Transfer-Encoding: chunked\0\r\nContent-Length: 0", `0\r\n\r\n${HIDDEN}`],
  ["TE on a folded line", "Transfer-Encoding:\r\n chunked\r\nContent-Length: 0", `0\r\n\r\n${HIDDEN}`],
  ["TE quoted", 'Transfer-Encoding: "chunked"\r\nContent-Length: 0', `0\r\n\r\n${HIDDEN}`],
  [
    "a header that hides TE behind a bare LF",
    "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 0",
    `0\r\n\r\n${HIDDEN}`,
  ],
  [
    "a header that hides TE behind a bare CR",
    "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 0",
    `0\r\n\r\n${HIDDEN}`,
  ],
  [
    "a chunk whose extension is the request",
    "Transfer-Encoding: chunked",
    `0;${HIDDEN.replaceAll("\r\n", " ")}\r\n\r\n`,
  ],
  ["chunks with bare LF", "Transfer-Encoding: chunked", `${chunk("abc", "\n")}0\n\n${HIDDEN}`],
  ["a chunk that is longer than it says", "Transfer-Encoding: chunked", `1\r\nabc\r\n0\r\n\r\n${HIDDEN}`],
  ["a chunk size with 0x", "Transfer-Encoding: chunked", `0x3\r\nabc\r\n0\r\n\r\n${HIDDEN}`],
  ["a chunk size beyond 2^64", "Transfer-Encoding: chunked", `10000000000000000\r\n${HIDDEN}`],
  ["a negative chunk size", "Transfer-Encoding: chunked", `-1\r\n${HIDDEN}`],
  ["an empty chunk size", "Transfer-Encoding: chunked", `\r\n${HIDDEN}`],
  ["trailers that are a request", "Transfer-Encoding: chunked", `0\r\n${HIDDEN}`],
  ["trailers that give a length", "Transfer-Encoding: chunked", `0\r\nContent-Length: ${length}\r\n\r\n${HIDDEN}`],
  ["Expect with a body that is not sent", `Content-Length: 0\r\nExpect: 100-continue`, HIDDEN],
  ["Upgrade to h2c", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk", HIDDEN],
];

describe.each(["POST", "GET"])("%s", (method) => {
  const target = method === "POST" ? "/v1/projects" : "/v1/files/a";

  test.concurrent.each(ATTACKS)(
    "%s: the hidden request is judged by itself or not read at all",
    async (_, lines, body) => {
      const id = `smuggled ${cases++}`;
      const head = `${method} ${target} HTTP/1.1\r\nHost: h.test\r\nX-Case: ${id}\r\nAuthorization: Bearer ${token}`;
      await exchange(direct, `${head}\r\n${lines}\r\n\r\n${body}`, { responses: 2, idleMilliseconds: 400 });

      // Whoever comes next on the origin's connection gets its own answer to its own request.
      const next = `next ${cases++}`;
      const probe: [string, string][] = [
        ["Host", "h.test"],
        ["X-Case", next],
        ["Authorization", `Bearer ${token}`],
      ];
      const [answer] = await exchange(direct, requestText("GET", "/v1/files/probe", probe));
      expect(answer?.status).toBe(200);
      expect(recorder.ofCase(next).map((one) => `${one.method} ${one.target}`)).toEqual(["GET /v1/files/probe"]);
      expect(recorder.ofCase(id).length).toBeLessThanOrEqual(1);
      for (const one of recorder.ofCase(id)) expect([one.method, one.target]).toEqual([method, target]);
    },
  );
});

test("nothing that was hidden ever reached the origin", () => {
  expect(recorder.received.length).toBeGreaterThan(ATTACKS.length);
  expect(recorder.received.filter((one) => one.target.includes("admin"))).toEqual([]);
  for (const one of recorder.received) expect(["/v1/projects", "/v1/files/a", "/v1/files/probe"]).toContain(one.target);
});
