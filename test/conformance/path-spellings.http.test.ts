/**
 * Every spelling of a path that has gone around some gateway, made from the paths of a public, a wide and narrow routes, and
 * sent to bare workerd, which hands targets on as they came.
 */
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
import { type Recorder, startRecorder } from "../support/recorder.ts";
import { exchange, requestText } from "../support/socket.ts";
import { detours, spellings } from "../support/spellings.ts";

let gateway: Gateway;
let recorder: Recorder;
let direct: string;
let token: string;

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

describe.each([
  ["a narrow route that the token may not use", "/v1/admin/users", true],
  ["a resource that the token may not touch", "/v1/projects/p2", true],
  ["a resource that the token may touch", "/v1/projects/p1", true],
  ["a public route, with no token", "/v1/status", false],
] as const)("%s", (_, path, withToken) => {
  test("reaches the origin under its own path and no other", async () => {
    await send(spellings(path), withToken);
  });
});

describe.each([
  ["a wide route", "/v1/files", true],
  ["a deeper path under a wide route", "/v1/files/a/b", true],
  ["a resource that the token may touch", "/v1/projects/p1", true],
  ["a public route, with no token", "/v1/status", false],
] as const)("from %s", (_, open, withToken) => {
  test("no detour leads to a narrow one", async () => {
    await send(detours(open, "/v1/admin/users"), withToken);
  });
});

/** Sends each target and holds what comes of it against the law. */
async function send(targets: readonly string[], withToken: boolean): Promise<void> {
  expect(targets.length).toBeGreaterThan(100);
  await eachOf(targets, 16, async (target) => {
    const id = `${withToken} ${encodeURIComponent(target.replaceAll("\xe9", "e-acute"))}`;
    const headers: [string, string][] = [
      ["Host", "h.test"],
      ["X-Case", id],
      ["Connection", "close"],
    ];
    if (withToken) headers.push(["Authorization", `Bearer ${token}`]);
    const responses = await exchange(direct, requestText("GET", target, headers));
    const received = recorder.ofCase(id);
    expect(received.length, target).toBeLessThanOrEqual(1);
    const [one] = received;
    if (one === undefined) {
      expect(
        responses.map(({ status }) => status),
        target,
      ).toEqual([expect.toSatisfy(isClientError)]);
      return;
    }
    for (const [reading, read] of Object.entries(ORIGIN_READINGS)) {
      const reached = read(one.target.split("?")[0] ?? "");
      expect(
        mayReach(one.method, reached, withToken),
        `${target} came through as ${one.target}, which is ${reached} with ${reading}`,
      ).toBe(true);
    }
    expect(one.target, "is in its one spelling").toBe(canonical(one.target));
  });
}

function isClientError(status: number): boolean {
  return status >= 400 && status < 500;
}

/** The spelling that the contract promises: what need not be escaped is not, and escapes are upper-case. */
function canonical(target: string): string {
  return target.replace(/%[0-9a-f]{2}/gi, (octet) => {
    const char = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(char) ? char : octet.toUpperCase();
  });
}
