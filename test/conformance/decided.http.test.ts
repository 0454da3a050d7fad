/** What was decided on is what the origin gets: the method, and the headers that name a resource. On bare workerd, over raw sockets. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { startRecorder } from "../support/recorder.ts";
import { exchange, requestText } from "../support/socket.ts";

const POLICY = `
[gateway]
public_url = "https://gateway.example.com"
[scopes.a]
description = "A"
owner = "o"
[routes]
"POST /v1/reports" = { public = true }
"GET /v1/reports" = "a"
"GET /v1/items" = { all = ["a"], resource = "tenant:{header.x-tenant}" }
`;

let recorder: Awaited<ReturnType<typeof startRecorder>>;
let gateway: Awaited<ReturnType<typeof startGateway>>;
let token: string;
let direct: string;

beforeAll(async () => {
  recorder = await startRecorder();
  gateway = await startGateway({
    policy: POLICY,
    origin: null,
    bindings: { ORIGIN_URL: recorder.url },
    miniflare: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
  });
  token = await gateway.token("a", { claims: { allow_list: ["tenant:mine"] } });
  direct = (await gateway.miniflare.unsafeGetDirectURL()).href;
});
afterAll(async () => {
  await gateway.dispose();
  await recorder.close();
});

let cases = 0;

/** The status, and what the origin got. */
async function ask(method: string, path: string, headers: readonly [string, string][]) {
  const name = `decided-${cases++}`;
  const [response] = await exchange(
    direct,
    requestText(method, path, [["Host", "h.test"], ["X-Case", name], ...headers]),
  );
  return { status: response?.status, received: recorder.ofCase(name) };
}

describe("a stranger's POST to a public route", () => {
  test("stays a POST with Upgrade: websocket, which the runtime sends by GET", async () => {
    const { status, received } = await ask("POST", "/v1/reports", [
      ["Upgrade", "websocket"],
      ["Content-Length", "0"],
    ]);
    expect(status).toBe(200);
    expect(received.map(({ method, target }) => `${method} ${target}`)).toEqual(["POST /v1/reports"]);
  });
});

describe("a header that names a resource", () => {
  const mine = (): [string, string][] => [
    ["Authorization", `Bearer ${token}`],
    ["X-Tenant", "mine"],
  ];

  test("reaches the origin as it was decided on", async () => {
    const { status, received } = await ask("GET", "/v1/items", mine());
    expect(status).toBe(200);
    expect(received[0]?.headers).toContainEqual(["X-Tenant", "mine"]);
  });

  test("counts as missing where Connection takes it out on the way", async () => {
    const { status, received } = await ask("GET", "/v1/items", [...mine(), ["Connection", "close, x-Tenant"]]);
    expect(status).toBe(403);
    expect(received).toEqual([]);
  });

  test.each(["X.Tenant", "X!Tenant", "x~tenant"])("is the only one: %s does not get there", async (other) => {
    const { status, received } = await ask("GET", "/v1/items", [...mine(), [other, "other"]]);
    expect(status).toBe(200);
    expect(JSON.stringify(received[0]?.headers)).not.toContain("other");
  });
});
