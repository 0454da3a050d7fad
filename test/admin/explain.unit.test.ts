/** `POST /explain` of a token: which of the gateway's answers it gives, at which second. */
import { describe, expect, test } from "vitest";
import { type ExplainBody, type ExplainSurroundings, explainCall } from "../../src/admin/explain.ts";
import type { FieldError } from "../../src/denial.ts";
import type { Principal } from "../../src/token/principal.ts";
import type { TokenRefusal } from "../../src/token/verify.ts";
import { NOW, OWN, policyOf, principalOf } from "./callers.ts";
import { POLICY } from "./policy.ts";

const policy = policyOf(
  `${POLICY}"GET /v1/of" = { all = ["customers:read"], resource = "charge:{header.X-Charge}" }
[scopes."ending:read"]
description = "Until a day"
owner = "billing"
sunset = "2026-07-01"
[routes."GET /v1/ending"]
all = ["ending:read"]`,
);
const holder = (more: Partial<Principal> = {}) => principalOf(policy, ["charges:read", "ending:read"], more);
const TOKEN = "a.b.c";

interface World {
  readonly verified?: Principal | TokenRefusal;
  readonly ready?: true | Promise<boolean>;
  readonly revoked?: boolean;
}

interface Answer {
  /** What the verifier and the list were asked, in order. */
  readonly asked: readonly unknown[];
  readonly errors?: readonly FieldError[];
  readonly allowed?: boolean;
  readonly status?: number;
  readonly reason?: string;
  /** All the steps. */
  readonly steps?: string;
}

async function explained(body: Partial<ExplainBody>, world: World = {}, now = NOW * 1000 + 999): Promise<Answer> {
  const asked: unknown[] = [];
  const surroundings: ExplainSurroundings = {
    policy,
    verifier: {
      verify: async (token, nowSeconds) => {
        asked.push([token, nowSeconds]);
        return world.verified ?? holder();
      },
    },
    feed: {
      ready: (nowMilliseconds) => {
        asked.push(nowMilliseconds);
        return world.ready ?? true;
      },
      isRevoked: (_principal, nowSeconds) => {
        asked.push(nowSeconds);
        return world.revoked ?? false;
      },
    },
  };
  const outcome = await explainCall(
    surroundings,
    { method: "GET", path: "/v1/charges", ...body },
    now,
    () => undefined,
  );
  if (!outcome.ok) return { asked, errors: outcome.refusal.errors };
  return { asked, ...outcome.value, steps: JSON.stringify(outcome.value.steps) };
}

const at = (seconds: number) => new Date(seconds * 1000).toISOString();

describe("a token that is explained", () => {
  test("is verified and looked up now, and decided on at the time that is asked for", async () => {
    expect(await explained({ token: TOKEN })).toMatchObject({
      allowed: true,
      status: 200,
      asked: [[TOKEN, NOW], NOW * 1000 + 999, NOW],
    });
    const later = await explained({ token: TOKEN, at: "2026-05-28T20:26:40.75Z" });
    expect(later.asked).toEqual([[TOKEN, NOW], NOW * 1000 + 999, NOW]);
    const expiresAtSeconds = NOW + 90 * 86_400;
    const path = "/v1/ending";
    const ending = (time: string) =>
      explained({ token: TOKEN, path, at: time }, { verified: holder({ expiresAtSeconds }) });
    expect(await ending("2026-06-30T23:59:59Z")).toMatchObject({ allowed: true });
    expect(await ending("2026-07-01T00:00:00Z")).toMatchObject({ allowed: false, reason: "scope_insufficient" });
  });

  test.each<[why: string, atSeconds: number, reason: string | undefined]>([
    ["the last second of its skew", NOW + 3629, undefined],
    ["the second after", NOW + 3630, "token_expired"],
    ["the first second of its skew", NOW - 3630, undefined],
    ["the second before", NOW - 3631, "token_invalid"],
  ])("has its times at %s", async (_why, atSeconds, reason) => {
    const { allowed, reason: told } = await explained({ token: TOKEN, at: at(atSeconds) });
    expect([allowed, told]).toEqual([reason === undefined, reason]);
  });

  test("without an iat was issued at any time", async () => {
    const verified = holder({ issuedAtSeconds: null });
    expect(await explained({ token: TOKEN, at: "1990-01-01T00:00:00Z" }, { verified })).toMatchObject({
      allowed: true,
    });
  });

  test.each<[why: string, world: World, reason: string, detail: string]>([
    [
      "is not valid",
      { verified: { reason: "token_invalid", detail: "signature" } },
      "token_invalid",
      "not valid here: signature",
    ],
    ["has expired", { verified: { reason: "token_expired" } }, "token_expired", "has expired"],
    [
      "has keys that cannot be had",
      { verified: { reason: "keys_unavailable", retryAfterSeconds: 5 } },
      "keys_unavailable",
      "cannot be used now",
    ],
    ["meets no list", { ready: Promise.resolve(false) }, "revocation_unavailable", "cannot be looked up"],
    ["is on the list", { revoked: true }, "token_revoked", "has been revoked"],
  ])("that %s is refused as the gateway does", async (_why, world, reason, detail) => {
    const answer = await explained({ token: TOKEN }, world);
    expect(answer).toMatchObject({ allowed: false, reason });
    expect(answer.steps).toContain(detail);
  });

  test("waits for a list that is on its way", async () => {
    expect(await explained({ token: TOKEN }, { ready: Promise.resolve(true) })).toMatchObject({ allowed: true });
  });

  test("that no header could carry is malformed, and never verified", async () => {
    expect(await explained({ token: "a b" })).toMatchObject({ reason: "credentials_malformed", asked: [] });
  });

  test.each([
    ["ann", `of ann, ${OWN}`],
    [null, `of nobody, ${OWN}`],
  ])("is told to be of %s", async (subject, detail) => {
    expect((await explained({ token: TOKEN }, { verified: holder({ subject }) })).steps).toContain(detail);
  });
});

describe("a call that is explained", () => {
  test.each<[body: Partial<ExplainBody>, field: string]>([
    [{ token: TOKEN, scopes: "a" }, "token"],
    [{ token: TOKEN, allow_list: ["a:1"] }, "token"],
    [{ allow_list: ["a:1"] }, "allow_list"],
  ])("as %j has two callers, or none to have a list", async (body, field) => {
    expect(await explained(body)).toMatchObject({ errors: [{ field }], asked: [] });
  });

  test("of nobody's, of scopes in one text or in a list, with a list or without", async () => {
    expect(await explained({})).toMatchObject({ reason: "token_missing" });
    expect(await explained({ scopes: " charges:read  charges:write " })).toMatchObject({ allowed: true });
    expect(await explained({ scopes: ["charges:read"] })).toMatchObject({ allowed: true });
    expect(await explained({ scopes: ["charges:read"], allow_list: ["charge:*"] })).toMatchObject({ allowed: true });
    expect(await explained({ scopes: "charges:read", allow_list: ["charge:1"] })).toMatchObject({
      reason: "resource_not_allowed",
    });
    expect(await explained({ scopes: "charges:read", allow_list: [] })).toMatchObject({ allowed: false });
  });

  test("reads a header in any case", async () => {
    const asked = { scopes: "customers:read", allow_list: ["charge:1"], path: "/v1/of" };
    expect(await explained({ ...asked, headers: { "x-CHARGE": "1" } })).toMatchObject({ allowed: true });
    expect(await explained({ ...asked, headers: { "X-Charge": "2" } })).toMatchObject({ allowed: false });
    expect(await explained(asked)).toMatchObject({ allowed: false });
  });
});
