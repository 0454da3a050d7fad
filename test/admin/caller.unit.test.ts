/** What a verified token bounds its holder by, at the admin API. */
import { describe, expect, test } from "vitest";
import { changeableBy, issuerOf, visibleTo } from "../../src/admin/caller.ts";
import { readConditions } from "../../src/policy/conditions/conditions.ts";
import type { Principal } from "../../src/token/principal.ts";
import { headerOf, LOGIN, OWN, policyOf, principalOf } from "./callers.ts";
import { POLICY } from "./policy.ts";

const policy = policyOf(POLICY);
const holderOf = (scopes: readonly string[], more: Partial<Principal> = {}) => principalOf(policy, scopes, more);
const MINE = { issuer: OWN, subject: "ann", elder: null };

describe("whose tokens a caller has to do with", () => {
  test.each<[scopes: readonly string[], sees: unknown, changes: unknown]>([
    [["scopegate:admin"], null, null],
    [["scopegate:read"], null, MINE],
    [["scopegate:tokens"], MINE, MINE],
    [["scopegate:read", "scopegate:tokens"], null, MINE],
    [["*"], MINE, MINE],
    [[], MINE, MINE],
  ])("with %j: sees those of %j, ends those of %j", (scopes, sees, changes) => {
    expect(visibleTo(policy, holderOf(scopes))).toEqual(sees);
    expect(changeableBy(policy, holderOf(scopes))).toEqual(changes);
  });

  test.each<[why: string, more: Partial<Principal>, owner: unknown]>([
    ["another issuer's token", { issuer: LOGIN, own: false }, { issuer: LOGIN, subject: "ann" }],
    [
      "one that descends from another issuer's",
      { elderIssuers: [LOGIN] },
      { issuer: OWN, subject: "ann", elder: LOGIN },
    ],
    ["one without a subject", { subject: null, own: false }, { issuer: OWN, subject: "" }],
  ])("are, with %s, those of its issuer, its subject and its line", (_why, more, owner) => {
    expect(visibleTo(policy, holderOf(["scopegate:tokens"], more))).toEqual(owner);
  });

  test.each([
    [["scopegate:admin"], true],
    [["scopegate:read", "scopegate:tokens"], false],
    [["*"], false],
  ])("%j issues without bounds: %s", (scopes, isAdmin) => {
    expect(issuerOf(policy, holderOf(scopes), null).isAdmin).toBe(isAdmin);
  });
});

describe("the conditions that go on to what a caller issues", () => {
  const office = { cidr: ["10.0.0.0/8"] };
  const day = { hours: { tz: "UTC", from: "08:00", to: "18:00" } };

  test.each<[why: string, claim: unknown, told: unknown]>([
    ["one table", office, [office]],
    ["a list of one", [office], [office]],
    ["a list of two", [office, day], [office, day]],
    ["none", undefined, []],
  ])("are those of its claim: %s", (_why, claim, told) => {
    const caller = holderOf(["scopegate:tokens"], { conditions: readConditions(claim) });
    expect(issuerOf(policy, caller, headerOf(claim)).conditions).toEqual(told);
  });

  test.each<[why: string, verified: unknown, header: string | null]>([
    ["its claim cannot be read", {}, headerOf([office])],
    // As many as there are letters in what stands for them.
    ["its claim cannot be read, and the header has ten", {}, headerOf(Array.from({ length: 10 }, () => office))],
    ["the header is gone", office, null],
    ["the header has no token that can be read", office, "Bearer x"],
    ["the header has another token, with fewer", [office, day], headerOf([office])],
    ["the header has another token, with more", office, headerOf([office, day])],
    ["the header has another token, with none", office, headerOf(undefined)],
  ])("cannot be told where %s", (_why, verified, header) => {
    const caller = holderOf(["scopegate:tokens"], { conditions: readConditions(verified) });
    expect(issuerOf(policy, caller, header).conditions).toBeNull();
  });
});
