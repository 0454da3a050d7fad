/**
 * Requests that have gone around other gateways, sent over a socket as they are: every entry of ../shared's corpus, through
 * Miniflare's entry (which stands where Cloudflare's edge would) and to workerd itself, which hands on what came.
 *
 * The law, for each: the origin receives nothing but what the token may reach, however the origin reads paths.
 */
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  BYPASS_ALLOW_LIST,
  BYPASS_POLICY,
  BYPASS_SCOPES,
  mayReach,
  ORIGIN_READINGS,
} from "../support/bypass-fixture.ts";
import { eachOf } from "../support/each-of.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { type Received, type Recorder, startRecorder } from "../support/recorder.ts";
import { exchange, type RawResponse, requestText, valuesOf } from "../support/socket.ts";

const FILE = "../shared/corpora/path-bypass.json";

interface Entry {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly host?: string;
  readonly headers?: readonly [string, string][];
  readonly body?: string;
  readonly raw?: string;
  readonly token?: string;
  readonly expected: string;
  readonly acceptable?: readonly string[];
  readonly why: string;
}

interface Outcome {
  readonly responses: readonly RawResponse[];
  readonly received: readonly Received[];
}

/** Where the corpus and the contract, or the runtime, differ: what happens instead, and why that is right. */
const DIFFERENCES: Readonly<Record<string, { readonly end: string; readonly why: string }>> = {
  "uni-07": {
    end: "forward:/v1/files/..%EF%BC%8Fadmin",
    why: "A character like any other under a wide route; its escapes are upper-cased (RFC 3986 §6.2.2.1, contract §2).",
  },
  "uni-09": {
    end: "forward:/v1/files/..%E2%88%95admin",
    why: "A character like any other under a wide route; its escapes are upper-cased (RFC 3986 §6.2.2.1, contract §2).",
  },
  "abs-07": {
    end: "deny-or-runtime",
    why: "Miniflare's entry cannot make a URL of `*` and answers 500 itself; bare workerd hands it on and it is refused.",
  },
  "abs-11": { end: "deny-or-runtime", why: "CONNECT never reaches a Worker that does not export a handler for it." },
  "hst-07": {
    end: "deny-or-runtime",
    why: "Miniflare's entry cannot make a URL of two hosts and answers 500 itself; bare workerd hands them on, refused.",
  },
  "mth-19": { end: "deny-or-runtime", why: "workerd answers 501 to a method that it does not know." },
  "mth-21": { end: "deny-or-runtime", why: "workerd answers 501 to a method that it does not know." },
};

const entries: Entry[] = existsSync(FILE)
  ? (JSON.parse(readFileSync(FILE, "utf8")) as { entries: Entry[] }).entries
  : [];
const WAYS = ["through Miniflare's entry", "to bare workerd"] as const;
const outcomes = new Map<string, Outcome>();
let gateway: Gateway;
let recorder: Recorder;

describe.skipIf(entries.length === 0)("the bypass corpus (../shared)", () => {
  beforeAll(async () => {
    recorder = await startRecorder();
    gateway = await startGateway({
      policy: BYPASS_POLICY,
      origin: null,
      bindings: { ORIGIN_URL: recorder.url },
      miniflare: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
    });
    const addresses = [gateway.url, (await gateway.miniflare.unsafeGetDirectURL()).href];
    const cases = entries.flatMap((entry) => WAYS.map((way, position) => ({ entry, way, url: addresses[position] })));
    const tokens = await makeTokens(gateway);
    await eachOf(cases, 8, async ({ entry, way, url }) => {
      const id = `${way} ${entry.id}`;
      const text = textOf(entry, id, tokens);
      const pipelined = entry.expected === "two-requests-each-judged";
      const responses = await exchange(url ?? "", text, {
        responses: pipelined ? 2 : 1,
        head: entry.method === "HEAD",
        idleMilliseconds: 2_000,
      });
      outcomes.set(id, { responses, received: [] });
    });
    for (const [id, { responses }] of outcomes) {
      outcomes.set(id, { responses, received: recorder.ofCase(id) });
    }
  });

  afterAll(async () => {
    await gateway?.dispose();
    await recorder?.close();
  });

  describe.each(WAYS)("%s", (way) => {
    test.each(entries.map((entry) => [entry.id, entry] as const))("%s ends as it should", (_, entry) => {
      const outcome = outcomes.get(`${way} ${entry.id}`);
      if (outcome === undefined) throw new Error("was not sent");
      const difference = DIFFERENCES[entry.id];
      const ends = difference === undefined ? [entry.expected, ...(entry.acceptable ?? [])] : [difference.end];
      const said = ends.map((end) => differs(end, entry, outcome));
      expect(said.includes(null), `${entry.why}\n${ends.map((end, k) => `${end}: ${said[k]}`).join("\n")}`).toBe(true);
    });
  });

  test("lets the origin see nothing that its token may not reach, however the origin reads the path", () => {
    expect(recorder.received.length).toBeGreaterThan(50);
    for (const one of recorder.received) {
      const [id] = valuesOf(one, "x-case");
      const entry = entries.find((candidate) => id?.endsWith(` ${candidate.id}`));
      expect(entry, `nobody sent ${one.method} ${one.target}`).toBeDefined();
      const path = one.target.split("?")[0] ?? "";
      for (const [reading, read] of Object.entries(ORIGIN_READINGS)) {
        const reached = read(path);
        expect(
          mayReach(one.method, reached, entry?.token !== "none"),
          `${id} sent ${one.method} ${one.target}, which is ${reached} with ${reading}`,
        ).toBe(true);
      }
    }
  });
});

async function makeTokens(of: Gateway): Promise<ReadonlyMap<string, string>> {
  const claims = { allow_list: BYPASS_ALLOW_LIST };
  return new Map([
    ["T", await of.token(BYPASS_SCOPES, { claims })],
    ["other", await of.token("admin:read", { subject: "other" })],
    [
      "T+cidr:10.0.0.0/8",
      await of.token(BYPASS_SCOPES, { claims: { ...claims, conditions: { cidr: ["10.0.0.0/8"] } } }),
    ],
  ]);
}

function textOf(entry: Entry, id: string, tokens: ReadonlyMap<string, string>): string {
  const token = tokens.get(entry.token ?? "T");
  const authorization: [string, string][] = token === undefined ? [] : [["Authorization", `Bearer ${token}`]];
  if (entry.raw !== undefined) {
    const added = [["X-Case", id] as const, ...authorization];
    const lineEnd = entry.raw.includes("\r\n") ? "\r\n" : "\n";
    const lines = added.map(([name, value]) => `${name}: ${value}${lineEnd}`).join("");
    return entry.raw.replaceAll(`Host: h.test${lineEnd}`, `Host: h.test${lineEnd}${lines}`);
  }
  const given = (entry.headers ?? []).map(([name, value]): [string, string] => [
    name,
    value.replace(/<(T|other)>/g, (_, which: string) => tokens.get(which) ?? ""),
  ]);
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  const headers: [string, string][] = [
    ["Host", entry.host ?? "h.test"],
    ["X-Case", id],
  ];
  if (!names.has("authorization")) headers.push(...authorization);
  if (!names.has("connection")) headers.push(["Connection", "close"]);
  if (entry.body !== undefined) headers.push(["Content-Length", String(entry.body.length)]);
  return requestText(entry.method, entry.target, [...headers, ...given], entry.body);
}

/** `null`: the outcome is this end. Else what is different. */
function differs(end: string, entry: Entry, { responses, received }: Outcome): string | null {
  const [response] = responses;
  const targets = received.map(({ target }) => target).join(" ");
  const [kind = "", detail = ""] = splitOnce(end);
  const unlessForwarded = (target: string): string | null =>
    received.length === 1 && targets === target ? null : `the origin saw [${targets}], status ${response?.status}`;
  switch (kind) {
    case "deny": {
      if (received.length > 0) return `the origin saw ${targets}`;
      if (response === undefined) return "no response";
      if (response.status < 400 || response.status > 499) return `status ${response.status}`;
      return detail === "" || response.body.includes(`"condition":"${detail}"`) ? null : response.body;
    }
    case "deny-or-runtime": {
      if (received.length > 0) return `the origin saw ${targets}`;
      const runtime = response?.status === 500 || response?.status === 501;
      return runtime && !response?.body.includes('"reason"') ? null : differs("deny", entry, { responses, received });
    }
    case "forward":
    case "normalise-to":
      return unlessForwarded(detail);
    case "forward-unchanged":
      return unlessForwarded(entry.target);
    case "forward-without-header":
      return received.some((one) => valuesOf(one, detail).length > 0)
        ? "has the header"
        : unlessForwarded(entry.target);
    case "forward-without-client-value": {
      const sent = (entry.headers ?? []).filter(([name]) => name === detail).map(([, value]) => value);
      const kept = received.some((one) => valuesOf(one, detail).some((value) => sent.includes(value)));
      return kept ? "has the client's value" : unlessForwarded(entry.target);
    }
    case "forward-keeping-gateway-headers": {
      const names = ["X-Scopegate-Subject", "X-Scopegate-Scopes", "X-Forwarded-Proto", "X-Request-Id"];
      const lost = names.filter((name) => received.some((one) => valuesOf(one, name).length !== 1));
      return lost.length > 0 ? `without ${lost.join(", ")}` : unlessForwarded(entry.target);
    }
    case "single-request":
      return received.length <= 1 && responses.length >= 1 ? null : `${received.length} requests`;
    case "two-requests-each-judged":
      return received.length === 1 && responses.map(({ status }) => status).join(" ") === "200 403"
        ? null
        : `${received.length} requests, ${responses.map(({ status }) => status).join(" ")}`;
    case "answered-by-gateway":
      return received.length === 0 ? null : "was forwarded";
    case "environment-dependent":
      return unlessForwarded(entry.target);
    default:
      return `what is ${end}?`;
  }
}

function splitOnce(end: string): [string, string] {
  const colon = end.indexOf(":");
  return colon < 0 ? [end, ""] : [end.slice(0, colon), end.slice(colon + 1)];
}
