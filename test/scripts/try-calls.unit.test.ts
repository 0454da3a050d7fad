import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { type Call, demoCalls } from "../../scripts/demo-calls.ts";
import { type Surroundings, tryCalls, UnexpectedAnswer } from "../../scripts/try-calls.ts";
import { loadPolicy } from "../../src/policy/load.ts";

const CHARGES: Call = { method: "GET", path: "/charges" };
const PAY: Call = { method: "POST", path: "/payouts" };
const TOKENS = { token: "t", revoked: "r" };

/** A gateway that answers by what `answer` says, and what it was sent. */
function gateway(
  mode: "enforce" | "report",
  answer: (call: Call, token: string | null, time: number) => number | null,
) {
  const sent: string[] = [];
  const send: Surroundings["send"] = async (call, token) => {
    sent.push(`${call.method} ${call.path} ${token ?? "-"}`);
    return answer(call, token, sent.length);
  };
  return { sent, surroundings: { url: "http://gateway", mode, refreshMilliseconds: 5000, send } };
}

async function said(allowed: Call, wrongScope: Call | null, { surroundings }: ReturnType<typeof gateway>) {
  const { lines, originIsSilent } = await tryCalls({ scopes: ["a"], allowed, wrongScope }, TOKENS, surroundings);
  return { said: lines.map((line) => /# (.*)/.exec(stripVTControlCharacters(line))?.[1]), originIsSilent };
}

test("in enforce mode each call is sent once and the revoked read until it is refused", async () => {
  const enforcing = gateway("enforce", (call, token, time) => {
    if (call === PAY) return 403;
    return token === "t" || (token === "r" && time < 6) ? 200 : 401;
  });
  expect(await said(CHARGES, PAY, enforcing)).toEqual({
    said: ["allowed: 200", "wrong scope: 403", "no token: 401", "revoked: 401"],
    originIsSilent: false,
  });
  expect(enforcing.sent).toEqual([
    "GET /charges t",
    "POST /payouts t",
    "GET /charges -",
    "GET /charges r",
    "GET /charges r",
    "GET /charges r",
  ]);
});

test("in report mode only the allowed read is sent", async () => {
  const reporting = gateway("report", () => 200);
  expect((await said(CHARGES, PAY, reporting)).said).toEqual([
    "allowed: 200",
    "wrong scope: 403 once you enforce; now logged as would_refuse and forwarded",
    "no token: 401 once you enforce; now logged as would_refuse and forwarded",
    "revoked: 401 once you enforce; now logged as would_refuse and forwarded",
  ]);
  expect(reporting.sent).toEqual(["GET /charges t"]);
});

test.each(["enforce", "report"] as const)("in mode %s no write is sent that could be let through", async (mode) => {
  const made = gateway(mode, () => 401);
  const { said: lines } = await said(PAY, null, made);
  expect(lines[0]).toBe("allowed: not tried, since it is no GET");
  expect(made.sent).toEqual(mode === "enforce" ? ["POST /payouts -"] : []);
});

test.each([200, 503, null])("a write that is answered %s where it should be refused is sent once", async (status) => {
  const open = gateway("enforce", (call) => (call === PAY ? status : 200));
  await expect(said(CHARGES, PAY, open)).rejects.toThrow(UnexpectedAnswer);
  expect(open.sent).toEqual(["GET /charges t", "POST /payouts t"]);
});

test.each([
  [502, "allowed: 502", true],
  [504, "allowed: 504", true],
  [null, "allowed: no answer", true],
  [500, "allowed: 500", false],
])("an API that answers %s is told of, and no error", async (status, line, originIsSilent) => {
  const silent = gateway("enforce", (_, token) => (token === "t" ? status : 401));
  expect(await said(CHARGES, null, silent)).toEqual({
    said: [line, "no token: 401", "revoked: 401"],
    originIsSilent,
  });
});

test.each([
  ["enforce", "POST /charges"],
  ["report", "GET /payouts"],
])("in mode %s the call that lacks a scope is %s", (mode, expected) => {
  const loaded = loadPolicy(`
    [gateway]
    public_url = "https://api.example.com"
    mode = "${mode}"
    [scopes."charges:read"]
    description = "d"
    owner = "o"
    [scopes."charges:write"]
    description = "d"
    owner = "o"
    [routes]
    "GET /charges" = "charges:read"
    "POST /charges" = "charges:write"
    "GET /payouts" = "charges:write"`);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const { wrongScope } = demoCalls(loaded.policy, "127.0.0.1", 1_800_000_000) ?? {};
  expect(`${wrongScope?.method} ${wrongScope?.path}`).toBe(expected);
});
