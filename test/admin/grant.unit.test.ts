/** The law of issuing: whatever the last token of a chain may do, the first may do, at every time of its life. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  childGrant,
  DEEPEST,
  type Grant,
  type Issuer,
  longestLifetime,
  rootGrant,
} from "../../src/admin/tokens/grant.ts";
import { readIssueRequest } from "../../src/admin/tokens/request.ts";
import { readConditions } from "../../src/policy/conditions/conditions.ts";
import { type Asked, decide, type Holder } from "../../src/policy/decision.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { readAllowList } from "../../src/policy/resources/allow-list.ts";
import { grantOf, has } from "../../src/policy/scope.ts";

const NOW = Date.UTC(2026, 5, 1) / 1000;
const DAY = 86_400;

const POLICY = policyOf(`
[gateway]
public_url = "https://gateway.example.com"
[tokens]
audience = "https://api.example.com"
default_lifetime = "30d"
max_lifetime = "365d"
[scopes."a:read"]
description = "-"
owner = "-"
[scopes."a:write"]
description = "-"
owner = "-"
implies = ["a:read"]
max_lifetime = "90d"
[scopes."a:old"]
description = "-"
owner = "-"
implies = ["a:write", "b:read"]
deprecated = "2026-01-01"
sunset = "2026-06-11"
[scopes."b:read"]
description = "-"
owner = "-"
max_lifetime = "365d"
cidr = ["10.0.0.0/8"]
[scopes."b:gone"]
description = "-"
owner = "-"
sunset = "2026-01-01"
[routes]
"GET /a/:a" = { all = ["a:read"], resource = "a:{a}" }
"POST /a/:a" = { all = ["a:write"], resource = "a:{a}" }
"GET /b/:b" = { any = ["b:read", ["a:read", "a:write"]], resource = "b:{b}" }
"GET /any" = { authenticated = true, resource = [] }
"GET /all" = "a:read"
"GET /young" = { all = ["a:read"], resource = [], max_token_age = "2d" }
`);

function policyOf(text: string): Policy {
  const loaded = loadPolicy(text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.policy;
}

/** A token as the verifier would read it at `atSeconds`. */
function holderOf(grant: Grant, atSeconds: number): Holder {
  return {
    grant: grantOf(POLICY.catalogue, grant.scopes, { wildcards: true, admin: true }, atSeconds),
    allowList: readAllowList(grant.allowList ?? undefined),
    conditions: readConditions(grant.conditions.length === 0 ? undefined : grant.conditions),
    issuedAtSeconds: grant.authenticatedAtSeconds,
  };
}

function issuerOf(grant: Grant, id: string, atSeconds: number): Issuer {
  return {
    ...holderOf(grant, atSeconds),
    issuer: "https://gateway.example.com",
    subject: grant.subject,
    client: grant.client,
    tokenId: id,
    ancestors: grant.ancestors,
    own: true,
    scopes: grant.scopes,
    conditions: grant.conditions,
    expiresAtSeconds: grant.expiresAtSeconds,
  };
}

/** The gateway's own judgement of a token's times: `exp`, and what its scopes allow, plus the skew. */
function isLive(grant: Grant, atSeconds: number): boolean {
  const { seconds, scope } = longestLifetime(POLICY, grant.scopes, atSeconds);
  const end =
    scope === null ? grant.expiresAtSeconds : Math.min(grant.expiresAtSeconds, grant.issuedAtSeconds + seconds);
  return atSeconds < end + POLICY.gateway.clockSkewSeconds;
}

const scope = fc.constantFrom(
  "a:read",
  "a:write",
  "a:old",
  "b:read",
  "*",
  "a:*",
  "b:*",
  "scopegate:tokens",
  "scopegate:admin",
  "scopegate:read",
);
const target = fc.constantFrom("*:*", "a:*", "b:*", "a:1", "a:2", "b:1");
const conditions = fc.constantFrom(
  { cidr: ["10.0.0.0/8"] },
  { not_cidr: ["10.1.0.0/16"] },
  { max_token_age: "3d" },
  { hours: { tz: "UTC", from: "08:00", to: "18:00" } },
  { countries: ["DE"] },
);
const request = fc.record(
  {
    scopes: fc.uniqueArray(scope, { minLength: 1, maxLength: 3 }),
    allow_list: fc.uniqueArray(target, { minLength: 1, maxLength: 3 }),
    lifetime: fc.constantFrom("1h", "1d", "9d", "10d", "30d", "90d", "365d"),
    conditions: fc.oneof(conditions, fc.array(conditions, { minLength: 1, maxLength: 2 })),
  },
  { requiredKeys: ["scopes"] },
);
const asked: fc.Arbitrary<readonly [string, string, readonly string[], Omit<Asked, "values" | "nowSeconds">]> = fc
  .record({
    address: fc.constantFrom("10.0.0.1", "10.1.0.1", "192.0.2.1", null),
    country: fc.constantFrom("DE", "FR", null),
    call: fc.constantFrom<[string, string, string[]]>(
      ["GET", "/a/1", ["1"]],
      ["GET", "/a/2", ["2"]],
      ["POST", "/a/1", ["1"]],
      ["GET", "/b/1", ["1"]],
      ["GET", "/any", []],
      ["GET", "/all", []],
      ["GET", "/young", []],
    ),
  })
  .map(({ address, country, call: [method, path, values] }) => [
    method,
    path,
    values,
    { query: "", header: () => null, address, country: () => country },
  ]);

describe("a chain of issues", () => {
  test("ends in a token that may do nothing the first may not, whenever it is used", () => {
    let issued = 0;
    let allowed = 0;
    fc.assert(
      fc.property(
        request,
        fc.array(fc.tuple(fc.integer({ min: 0, max: 12 * DAY }), request), { minLength: 1, maxLength: 5 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 100 * DAY }), asked), { minLength: 20, maxLength: 20 }),
        (first, steps, calls) => {
          const root = readIssueRequest(
            { name: "root", ...first, scopes: [...first.scopes, "scopegate:tokens"] },
            POLICY,
            NOW,
          );
          if (!root.ok) return;
          const rooted = rootGrant(POLICY, { subject: "s" }, root.value, NOW);
          if (!rooted.ok) return;
          const chain = [rooted.value];
          let now = NOW;
          for (const [wait, step] of steps) {
            now += wait;
            const parent = chain.at(-1) ?? rooted.value;
            // The gateway lets nobody issue whose token has ended or has no scope to issue.
            if (!isLive(parent, now)) break;
            const caller = issuerOf(parent, `id-${chain.length}`, now);
            const wanted = readIssueRequest({ name: "child", ...step }, POLICY, now);
            const child = wanted.ok ? childGrant(POLICY, caller, wanted.value, now) : wanted;
            if (child.ok) chain.push(child.value);
          }
          if (chain.length > 1) issued++;
          const last = chain.at(-1) ?? rooted.value;
          expect(last.ancestors.length).toBeLessThanOrEqual(DEEPEST);
          for (const [later, [method, path, values, more]] of calls) {
            const nowSeconds = now + later;
            const found = POLICY.router.find(method, path);
            if (found.kind !== "found") throw new Error(`${path} has no route`);
            const call: Asked = { ...more, values, nowSeconds };
            const may = (grant: Grant) =>
              isLive(grant, nowSeconds) && decide(found.route, holderOf(grant, nowSeconds), call).allowed;
            if (!may(last)) continue;
            allowed++;
            for (const elder of chain) expect(may(elder)).toBe(true);
          }
        },
      ),
      { numRuns: 3000 },
    );
    // A property over nothing would hold too.
    expect(issued).toBeGreaterThan(300);
    expect(allowed).toBeGreaterThan(300);
  });

  test("never gives a scope of the gateway that the first did not hold", () => {
    fc.assert(
      fc.property(fc.uniqueArray(scope, { minLength: 1 }), request, (held, wanted) => {
        const scopes = held.filter((name) => !name.startsWith("scopegate:"));
        const root = rootGrant(
          POLICY,
          { subject: "s" },
          { scopes: [...scopes, "scopegate:tokens"], conditions: [] },
          NOW,
        );
        const request = readIssueRequest({ name: "n", ...wanted }, POLICY, NOW);
        if (!root.ok || !request.ok) return;
        const child = childGrant(POLICY, issuerOf(root.value, "id", NOW), request.value, NOW);
        if (!child.ok) return;
        expect(child.value.scopes).not.toContain("scopegate:admin");
        expect(child.value.scopes).not.toContain("scopegate:read");
      }),
    );
  });
});

describe("a token that an administrator issues", () => {
  test.each<[scopes: readonly string[], seconds: number, scope: string | null]>([
    [["a:read"], 365 * DAY, null],
    [["a:write"], 90 * DAY, "a:write"],
    // Through another, and through wildcards.
    [["a:old"], 90 * DAY, "a:write"],
    [["a:*"], 90 * DAY, "a:write"],
    [["*"], 90 * DAY, "a:write"],
    // Its bound is the policy's.
    [["b:read"], 365 * DAY, null],
    [["nobody's"], 365 * DAY, null],
  ])("with %j lives %i seconds at most, because of %s", (scopes, seconds, scope) => {
    expect(longestLifetime(POLICY, scopes, NOW)).toEqual({ seconds, scope });
  });

  test("is for the subject that is asked for, else for the administrator, and for nobody else", () => {
    const asked = { scopes: ["a:read"], conditions: [] };
    expect(rootGrant(POLICY, { subject: "s" }, asked, NOW)).toMatchObject({ value: { subject: "s", client: "s" } });
    expect(rootGrant(POLICY, { subject: null }, { ...asked, subject: "t" }, NOW)).toMatchObject({
      value: { subject: "t", client: "t", parent: null, ancestors: [], allowList: null },
    });
    expect(rootGrant(POLICY, { subject: null }, asked, NOW)).toMatchObject({
      refusal: { reason: "request_invalid", errors: [{ field: "subject" }] },
    });
  });
});

describe("a token that is issued under another", () => {
  const tokens = ["scopegate:tokens"];
  const root = (scopes: readonly string[], more: Partial<Grant> = {}): Issuer => {
    const made = rootGrant(POLICY, { subject: "s" }, { scopes: [...scopes, ...tokens], conditions: [] }, NOW);
    if (!made.ok) throw new Error("the root is not issued");
    return issuerOf({ ...made.value, ...more }, "root", NOW);
  };
  const child = (caller: Issuer, scopes: readonly string[], lifetimeSeconds?: number) =>
    childGrant(
      POLICY,
      caller,
      { scopes, conditions: [], ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }) },
      NOW,
    );

  test("with what a scope implies ends before that scope's sunset", () => {
    const granted = child(root(["a:old"]), ["b:read"]);
    const sunset = Date.UTC(2026, 5, 11) / 1000;
    expect(granted.ok && granted.value.expiresAtSeconds).toBe(sunset - 30);
    expect(child(root(["a:old"]), ["b:read"], 20 * DAY).ok).toBe(false);
    // The scope itself ends at its sunset in both.
    const same = child(root(["a:old"]), ["a:old"], 20 * DAY);
    expect(same.ok).toBe(true);
  });

  test("ends with the caller's, however long ago the eldest of its line was issued", () => {
    // As after a rotation by an administrator: 95 days of age, and 84 of the 90 that a:write may live still ahead.
    const caller = { ...root(["a:write"]), issuedAtSeconds: NOW - 95 * DAY, expiresAtSeconds: NOW + 84 * DAY };
    const granted = child(caller, ["a:read"], 84 * DAY);
    expect(granted.ok && granted.value.expiresAtSeconds).toBe(NOW + 84 * DAY);
    expect(granted.ok && granted.value.authenticatedAtSeconds).toBe(NOW - 95 * DAY);
    expect(child(caller, ["a:read"], 84 * DAY + 1).ok).toBe(false);
  });

  test("is named by the issuer too where the caller's token is another issuer's", () => {
    const granted = child({ ...root(["a:read"]), own: false, issuer: "https://login.example.com/", tokenId: "t 1" }, [
      "a:read",
    ]);
    expect(granted.ok && granted.value.ancestors).toEqual(["https://login.example.com/ t 1"]);
    expect(granted.ok && granted.value.parent).toBe("https://login.example.com/ t 1");
  });

  test.each<[why: string, caller: Partial<Issuer>, field: string]>([
    ["no subject", { subject: null }, "subject"],
    ["no iat", { issuedAtSeconds: null }, "token"],
    ["conditions that cannot be told", { conditions: null }, "conditions"],
    ["an unreadable allow list", { allowList: { kind: "unreadable" } }, "allow_list"],
    ["an empty allow list", { allowList: { kind: "empty" } }, "allow_list"],
    ["an id that another issuer's could have", { tokenId: "https://login.example.com/ t" }, "token"],
    ["ended within the skew", { expiresAtSeconds: NOW - 1 }, "lifetime"],
    ["ended at this second", { expiresAtSeconds: NOW }, "lifetime"],
  ])("is not, where the caller's has %s, and is told why", (_why, caller, field) => {
    const granted = child({ ...root(["a:read"]), ...caller }, ["a:read"]);
    expect(granted).toMatchObject({ ok: false, refusal: { reason: "grant_exceeds_issuer", errors: [{ field }] } });
  });

  test("may last as long as the caller's has left, and not a second more", () => {
    const caller = { ...root(["a:read"]), expiresAtSeconds: NOW + 60.5 };
    expect(child(caller, ["a:read"], 60)).toMatchObject({ ok: true, value: { expiresAtSeconds: NOW + 60 } });
    expect(child(caller, ["a:read"])).toMatchObject({ ok: true, value: { expiresAtSeconds: NOW + 60 } });
    expect(child(caller, ["a:read"], 61)).toMatchObject({
      refusal: { errors: [{ field: "lifetime", message: "the caller's own ends in 60s" }] },
    });
    expect(child({ ...caller, expiresAtSeconds: NOW - 5 }, ["a:read"], 1)).toMatchObject({
      refusal: { errors: [{ field: "lifetime", message: "the caller's own ends in 0s" }] },
    });
    expect(child({ ...caller, expiresAtSeconds: NOW + 1 }, ["a:read"]).ok).toBe(true);
  });

  test("is as old as the caller's, and no younger where that comes from a clock ahead", () => {
    const aged = (issuedAtSeconds: number) => child({ ...root(["a:read"]), issuedAtSeconds }, ["a:read"]);
    expect(aged(NOW - 7.5)).toMatchObject({ value: { authenticatedAtSeconds: NOW - 8, issuedAtSeconds: NOW } });
    expect(aged(NOW + 20)).toMatchObject({ value: { authenticatedAtSeconds: NOW } });
  });

  test("is of the caller's client, or where it has none of its subject's", () => {
    expect(child({ ...root(["a:read"]), client: "app" }, ["a:read"])).toMatchObject({ value: { client: "app" } });
    expect(child({ ...root(["a:read"]), client: null }, ["a:read"])).toMatchObject({ value: { client: "s" } });
  });

  test("with a scope of the catalogue that the caller does not hold is not, nor with one that it does not have", () => {
    for (const scope of ["b:read", "a:write", "nobody's", "scopegate:admin"]) {
      expect(child(root(["a:read"]), [scope])).toMatchObject({ refusal: { errors: [{ field: "scopes" }] } });
    }
  });

  test("is refused for a scope alone, at the second of another's sunset too", () => {
    const sunset = Date.UTC(2026, 5, 11) / 1000;
    const caller = { ...root(["a:read"]), expiresAtSeconds: sunset + DAY };
    expect(childGrant(POLICY, caller, { scopes: ["b:read"], conditions: [] }, sunset)).toMatchObject({
      refusal: { errors: [{ field: "scopes", message: "the caller does not hold b:read" }] },
    });
  });

  test("for the caller's own subject, said by name, is; for another is not", () => {
    const of = (subject: string) =>
      childGrant(POLICY, root(["a:read"]), { scopes: ["a:read"], conditions: [], subject }, NOW);
    expect(of("s")).toMatchObject({ ok: true, value: { subject: "s" } });
    expect(of("t")).toMatchObject({ refusal: { errors: [{ field: "subject" }] } });
  });

  test.each<[held: unknown, asked: readonly string[], isGiven: boolean]>([
    [undefined, ["*:*"], true],
    [["*:*"], ["*:*"], true],
    [["*:*"], ["a:1"], true],
    [["a:*"], ["*:*"], false],
    [["a:*"], ["a:*"], true],
    [["a:*"], ["a:1", "a:2"], true],
    [["a:*"], ["a:1", "b:1"], false],
    [["a:1"], ["a:1"], true],
    [["a:1"], ["a:*"], false],
  ])("from %j gives away %j: %s", (held, asked, isGiven) => {
    const allowList = readAllowList(asked);
    if (allowList.kind !== "all" && allowList.kind !== "listed") throw new Error("no list to ask for");
    const caller = { ...root(["a:read"]), allowList: readAllowList(held) };
    const granted = childGrant(POLICY, caller, { scopes: ["a:read"], conditions: [], allowList }, NOW);
    expect(granted).toMatchObject(
      isGiven ? { ok: true, value: { allowList: [...asked] } } : { refusal: { errors: [{ field: "allow_list" }] } },
    );
  });

  test("descends from four others at most", () => {
    const deep = (count: number) => ({
      ...root(["a:read"]),
      ancestors: Array.from({ length: count }, (_, at) => `id-${at}`),
    });
    expect(child(deep(DEEPEST - 1), ["a:read"]).ok).toBe(true);
    expect(child(deep(DEEPEST), ["a:read"]).ok).toBe(false);
  });

  test("does not get a wildcard from somebody who holds all that it covers today", () => {
    expect(child(root(["a:read", "a:write", "a:old"]), ["a:*"]).ok).toBe(false);
    expect(child(root(["a:*"]), ["*"]).ok).toBe(false);
    expect(child(root(["a:x"]), ["a:*"]).ok).toBe(false);
    expect(child(root(["a:*"]), ["a:*"]).ok).toBe(true);
  });

  test("may name a scope that the caller holds through another", () => {
    const granted = child(root(["a:write"]), ["a:read"]);
    expect(
      granted.ok &&
        has(
          grantOf(POLICY.catalogue, granted.value.scopes, { wildcards: true, admin: true }, NOW).granted,
          POLICY.catalogue.scopes.find(({ name }) => name === "a:write") ?? POLICY.catalogue.scopes[0] ?? never(),
        ),
    ).toBe(false);
  });
});

function never(): never {
  throw new Error("the catalogue is empty");
}
