/** What may be asked for: of `POST /tokens` and `POST /revocations`, each at its bounds and with the field that is at fault. */
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { entryOf, revocationsSchema, warningOf } from "../../src/admin/revocations/request.ts";
import { readIssueRequest } from "../../src/admin/tokens/request.ts";
import type { NewRevocation } from "../../src/revocation/records.ts";
import { LOGIN, NOW, OWN, policyOf } from "./callers.ts";
import { POLICY } from "./policy.ts";

const policy = policyOf(`${POLICY}
[bundles.gone]
description = "Only what is past its sunset"
scopes      = ["old:read"]
[bundles.partly]
description = "Some of it is"
scopes      = ["old:read", "charges:read"]
[[issuers]]
issuer   = "${LOGIN}"
audience = "https://api.example.com"
`);
const DAY = 86_400;

describe("a token that is asked for", () => {
  const read = (body: unknown) => readIssueRequest(body, policy, NOW);
  const faults = (body: unknown) => {
    const outcome = read(body);
    return outcome.ok ? [] : outcome.refusal.errors.map(({ field, message }) => `${field} ${message}`);
  };
  const body = (more: object) => ({ name: "n", scopes: ["charges:read"], ...more });
  const office = { cidr: ["10.0.0.0/8"] };

  test("has what was said, and nothing that was not", () => {
    expect(read(body({}))).toStrictEqual({ ok: true, value: { name: "n", scopes: ["charges:read"], conditions: [] } });
    const whole = body({ subject: "s", lifetime: "1h", conditions: office, allow_list: ["*:*"] });
    expect(read(whole)).toEqual({
      ok: true,
      value: {
        name: "n",
        scopes: ["charges:read"],
        conditions: [office],
        allowList: { kind: "all" },
        lifetimeSeconds: 3600,
        subject: "s",
      },
    });
    expect(read(body({ conditions: [office, office] }))).toMatchObject({ value: { conditions: [office, office] } });
  });

  test.each<[scopes: object, told: readonly string[]]>([
    [{ scopes: ["charges:read", "customers:read", "charges:read"] }, ["charges:read", "customers:read"]],
    [{ scopes: ["*", "scopegate:tokens"] }, ["*", "scopegate:tokens"]],
    [{ scopes: undefined, bundle: "support" }, ["charges:read", "customers:read"]],
    [{ scopes: undefined, bundle: "partly" }, ["charges:read"]],
  ])("with %j has the scopes %j", (more, scopes) => {
    expect(read(body(more))).toMatchObject({ ok: true, value: { scopes } });
  });

  const text = (length: number) => "x".repeat(length);
  test.each<[why: string, more: object, fault: string | null]>([
    ["a name of 200 characters", { name: text(200) }, null],
    ["one of 201", { name: text(201) }, "name must have at most 200 characters"],
    ["one with half a character", { name: "\ud800" }, "name must not hold control characters"],
    ["one beyond ASCII", { name: "Zürich 🚆" }, null],
    ["a subject of 255 characters", { subject: text(255) }, null],
    ["one of 256", { subject: text(256) }, "subject must have at most 255 characters"],
    ["one with a control character", { subject: "a\u0085" }, "subject must not hold control characters"],
    ["128 scopes", { scopes: Array(128).fill("charges:read") }, null],
    ["129", { scopes: Array(129).fill("charges:read") }, "scopes must have at most 128 entries"],
    ["16 tables", { conditions: Array(16).fill(office) }, null],
    ["17", { conditions: Array(17).fill(office) }, "conditions must have at most 16 entries"],
    ["a bundle beside scopes", { bundle: "support" }, "bundle stands for scopes: say one of the two"],
    ["a bundle that is none", { scopes: undefined, bundle: "b" }, "bundle is not a bundle of the policy"],
    ["one of nothing any more", { scopes: undefined, bundle: "gone" }, "bundle has no scope that is still granted"],
    ["neither", { scopes: undefined }, "scopes is required, or a bundle"],
    ["text for scopes", { scopes: "charges:read" }, "scopes must be Array"],
    ["a number for a bundle", { scopes: undefined, bundle: 7 }, "bundle must be string"],
    ["no scope-token", { scopes: ['"'] }, "scopes.0 is not a scope (RFC 6749 §3.3)"],
    ["a scope past its sunset", { scopes: ["old:read"] }, "scopes.0 is past its sunset: nothing grants it"],
    ["a wildcard of nothing", { scopes: ["x:*"] }, "scopes.0 covers no scope of the catalogue"],
    ["a wildcard of the gateway's", { scopes: ["scopegate:*"] }, "scopes.0 is not a scope of the catalogue"],
    ["a scope of the gateway's that is none", { scopes: ["scopegate:x"] }, "scopes.0 is not a scope of the catalogue"],
    ["an unknown scope", { scopes: ["charges:raed"] }, "scopes.0 is not a scope of the catalogue"],
    ["an empty allow list", { allow_list: [] }, "allow_list expected at least one target"],
    ["a list for a lifetime", { lifetime: ["9999d"] }, 'lifetime expected a duration such as "15m"'],
    ["the longest lifetime", { lifetime: "365d" }, null],
    ["a second more", { lifetime: `${365 * DAY + 1}s` }, `lifetime is longer than the policy allows, ${365 * DAY}s`],
    ["a scope's longest", { scopes: ["charges:write"], lifetime: "90d" }, null],
    [
      "a second more than that",
      { scopes: ["charges:write"], lifetime: `${90 * DAY + 1}s` },
      `lifetime is longer than charges:write allows, ${90 * DAY}s`,
    ],
  ])("may have %s, or not", (_why, more, fault) => {
    expect(faults(body(more))).toEqual(fault === null ? [] : [fault]);
  });

  test("tells each fault once, and a hundred at most", () => {
    expect(faults(body({ scopes: Array(7).fill("nope") }))).toHaveLength(7);
    expect(faults(body({ scopes: Array(128).fill("nope") }))).toHaveLength(100);
    expect(faults(body({ scopes: [7] }))).toEqual(["scopes.0 must be string"]);
    for (const none of [null, 7, "x", []]) expect(faults(none)).toContain("scopes is required, or a bundle");
  });
});

describe("an entry of the list", () => {
  const KNOWN = { kind: "subject", value: "ann", reason: "r" } as const;
  type Body = Parameters<typeof entryOf>[0];

  async function read(more: Partial<Body>): Promise<NewRevocation | string[]> {
    const errors: string[] = [];
    const body = { ...KNOWN, ...more } as Body;
    const shape = v.safeParse(revocationsSchema, body);
    if (!shape.success) return ["shape"];
    const entry = await entryOf(body, policy, NOW, (field) => errors.push(field));
    if (entry === null) return errors;
    expect(errors).toEqual([]);
    return entry;
  }

  const part = (value: object) => btoa(JSON.stringify(value)).replaceAll("=", "");
  const tokenOf = (claims: object) => `${part({ alg: "RS256" })}.${part(claims)}.c2ln`;
  const name = (length: number) => "n".repeat(length);

  test.each<[body: Partial<Body>, issuer: string, value: string]>([
    [{}, OWN, "ann"],
    [{ issuer: LOGIN }, LOGIN, "ann"],
    [{ kind: "token", value: "jti" }, OWN, "jti"],
    [{ kind: "token", issuer: LOGIN, value: "jti" }, LOGIN, "jti"],
    [{ kind: "token", value: tokenOf({ iss: LOGIN, jti: "j" }) }, LOGIN, "j"],
    [{ kind: "token", issuer: LOGIN, value: tokenOf({ iss: LOGIN, jti: "j" }) }, LOGIN, "j"],
    [{ kind: "token", issuer: LOGIN, value: tokenOf({ jti: "j" }) }, LOGIN, "j"],
    [{ kind: "token", value: tokenOf({ jti: "j" }) }, OWN, "j"],
    [{ kind: "issuer", value: LOGIN }, LOGIN, LOGIN],
    [{ kind: "issuer", issuer: LOGIN, value: LOGIN }, LOGIN, LOGIN],
    [{ value: name(512), issuer: name(512) }, name(512), name(512)],
    // What is read out of a token is as long as it is; there is no token that cannot be revoked.
    [{ kind: "token", value: tokenOf({ iss: LOGIN, jti: name(600) }) }, LOGIN, name(600)],
  ])("%j is one of %s about %s", async (body, issuer, value) => {
    expect(await read(body)).toMatchObject({ issuer, value });
  });

  test.each<[why: string, body: Partial<Body>, fields: readonly string[]]>([
    ["a name of 513 characters", { value: name(513) }, ["value"]],
    ["a jti of 513 characters", { kind: "token", value: name(513) }, ["value"]],
    ["an issuer of 513 characters", { issuer: name(513) }, ["shape"]],
    [
      "an issuer of 513 characters in its token",
      { kind: "token", value: tokenOf({ iss: name(513), jti: "j" }) },
      ["value"],
    ],
    ["an issuer of 513 characters as its value", { kind: "issuer", value: name(513) }, ["value"]],
    ["an encrypted token", { kind: "token", value: `${tokenOf({})}.x.y` }, ["value"]],
    [
      "another issuer than its token's",
      { kind: "token", issuer: OWN, value: tokenOf({ iss: LOGIN, jti: "j" }) },
      ["issuer"],
    ],
    ["a token as a subject", { value: tokenOf({ iss: LOGIN }) }, ["value"]],
    ["a token as an issuer", { kind: "issuer", issuer: LOGIN, value: tokenOf({ iss: LOGIN }) }, ["value"]],
    ["another issuer than its value", { kind: "issuer", issuer: OWN, value: LOGIN }, ["issuer"]],
    ["an end at this second", { expires_at: "2026-05-28T20:26:40Z" }, ["expires_at"]],
    ["a reason of 501 characters", { reason: name(501) }, ["shape"]],
    ["half a character", { value: "\ud800" }, ["shape"]],
    ["a value of more than 16 KiB", { kind: "token", value: name(16 * 1024 + 1) }, ["shape"]],
    ["all of it", { value: name(513), expires_at: "2020-01-01T00:00:00Z" }, ["value", "expires_at"]],
  ])("with %s is none", async (_why, body, fields) => {
    expect(await read(body)).toEqual(fields);
  });

  test("rounds its times up", async () => {
    expect(await read({})).toMatchObject({ issuedBefore: null, expiresAt: null });
    expect(
      await read({ issued_before: "2026-05-28T20:26:39.001Z", expires_at: "2026-05-28T20:26:40.001Z" }),
    ).toMatchObject({ issuedBefore: NOW, expiresAt: NOW + 1 });
    expect(await read({ issued_before: "1970-01-01T00:00:00Z" })).toMatchObject({ issuedBefore: 0 });
  });

  test.each<[entry: Partial<NewRevocation>, warning: string | null]>([
    [{ kind: "subject", issuer: OWN, value: "ann" }, null],
    [{ kind: "subject", issuer: LOGIN, value: "ann" }, null],
    [{ kind: "subject", issuer: "https://x/", value: LOGIN }, "the policy does not know this issuer"],
    [{ kind: "issuer", issuer: LOGIN, value: LOGIN }, null],
    [{ kind: "issuer", issuer: OWN, value: "https://x/" }, "the policy does not know this issuer"],
    [{ kind: "subject", issuer: OWN, value: OWN }, null],
    [{ kind: "issuer", issuer: OWN, value: OWN }, "ends every token"],
    [{ kind: "issuer", issuer: OWN, value: OWN, issuedBefore: NOW + 2 }, "ends every token"],
    [{ kind: "issuer", issuer: OWN, value: OWN, issuedBefore: NOW + 1 }, null],
    [{ kind: "issuer", issuer: OWN, value: OWN, issuedBefore: NOW - 9 }, null],
  ])("%j warns of %j", (entry, warning) => {
    const whole = { issuedBefore: null, expiresAt: null, reason: "r", ...entry } as NewRevocation;
    const told = warningOf(whole, policy, NOW);
    if (warning === null) expect(told).toBeNull();
    else expect(told).toContain(warning);
  });
});
