import { describe, expect, test } from "vitest";
import { faultWords, issuerWords, missingScopesWords } from "../../src/cli/claim-words.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import type { IssuerPolicy, Policy } from "../../src/policy/policy.ts";

const GATEWAY = "https://api.example.com";

function policyOf(issuers: string): Policy {
  const loaded = loadPolicy(`
    [gateway]
    public_url = "${GATEWAY}"
    [scopes."a:read"]
    description = "d"
    owner = "o"
    ${issuers}
    [routes]
    "GET /a" = "a:read"`);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.policy;
}

const entry = (issuer: string, rest = ""): string => `[[issuers]]\nissuer = "${issuer}"\naudience = "x"\n${rest}\n`;

function issuerOf(rest: string): IssuerPolicy {
  const [issuer] = policyOf(entry("https://login.example.com/", rest)).issuers;
  if (issuer === undefined) throw new Error("no issuer");
  return issuer;
}

describe("of an issuer that is unknown", () => {
  const policy = policyOf(entry("https://login.example.com/"));

  test.each<[unknown, string]>([
    [
      "https://login.example.com",
      'its iss is "https://login.example.com"; the policy has "https://login.example.com/"',
    ],
    [`${GATEWAY}/`, `its iss is "${GATEWAY}/"; the policy has "${GATEWAY}"`],
    ["x", `its iss is "x"; the policy has "${GATEWAY}", "https://login.example.com/"`],
    [7, `its iss is 7; the policy has "${GATEWAY}", "https://login.example.com/"`],
    ['\u001b[2J"\u009b\u202e', String.raw`its iss is "\u001b[2J\"\u009b\u202e"; the policy has`],
  ])("%j is quoted beside what is meant", (iss, expected) => {
    expect(issuerWords(policy, { iss })).toContain(`that the policy does not name: ${expected}`);
  });

  test("a long one is cut, many are counted, and one that is missing is told", () => {
    const many = policyOf(Array.from({ length: 9 }, (_, at) => entry(`https://${at}.example.org/`)).join(""));
    const short = `"${"y".repeat(198)}"`;
    expect(issuerWords(policy, { iss: "y".repeat(198) })).toContain(`its iss is ${short}; the policy has`);
    expect(issuerWords(policy, { iss: "y".repeat(199) })).toContain(`its iss is "${"y".repeat(199)}…; the policy has`);
    expect(issuerWords(many, { iss: "x" })).toMatch(/"https:\/\/3\.example\.org\/" and 5 more$/);
    const five = policyOf(Array.from({ length: 4 }, (_, at) => entry(`https://${at}.example.org/`)).join(""));
    expect(issuerWords(five, { iss: "x" })).toMatch(/"https:\/\/2\.example\.org\/", "https:\/\/3\.example\.org\/"$/);
    expect(issuerWords(policy, {})).toContain("it has no iss; the policy has ");
  });
});

test.each<[object, string]>([
  [{ aud: "api" }, 'is not valid here: audience: its aud is "api"; the policy wants "https://api", "other"'],
  [{ aud: ["othr"] }, 'is not valid here: audience: its aud is ["othr"]; the policy wants "https://api", "other"'],
  [{ aud: "othr" }, 'is not valid here: audience: its aud is "othr"; the policy wants "other"'],
  [{}, 'is not valid here: audience: it has no aud; the policy wants "https://api", "other"'],
])("of an audience that is another's, %j: %s", (payload, expected) => {
  expect(faultWords("audience", { ...payload }, ["https://api", "other"])).toBe(expected);
  expect(faultWords("typ", { ...payload }, ["https://api"])).toBe("is not valid here: typ");
});

describe("of a token without the claim that names its scopes", () => {
  test.each<[string, string, object, string]>([
    ["says so", "", {}, '; the token has no claim "scope" (scope_claim)'],
    [
      "names the claim of the policy",
      'scope_claim = "scp"',
      { scope: "a:read" },
      '; the token has no claim "scp" (scope_claim)',
    ],
    [
      "says what counts",
      'legacy_scopes = ["a:read"]',
      {},
      '; the token has no claim "scope" (scope_claim): its legacy_scopes count',
    ],
    ["is silent where it is there", "", { scope: "a:read legacy" }, ""],
    ["is silent where it is empty", "", { scope: "" }, ""],
    ["is silent where it cannot be read", "", { scope: 7 }, ""],
    ["is silent where a path leads to it", 'scope_claim = "realm.roles"', { realm: { roles: [] } }, ""],
    [
      "follows a path",
      'scope_claim = "realm.roles"',
      { realm: {} },
      '; the token has no claim "realm.roles" (scope_claim)',
    ],
  ])("%s: %s %j", (_, rest, payload, expected) => {
    expect(missingScopesWords({ ...payload }, issuerOf(rest))).toBe(expected);
  });

  test("says so of this gateway's own", () => {
    expect(missingScopesWords({}, null)).toBe('; the token has no claim "scope" (scope_claim)');
    expect(missingScopesWords({ scope: "legacy" }, null)).toBe("");
  });
});
