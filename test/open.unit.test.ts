import { describe, expect, test } from "vitest";
import { createOpen } from "../src/open.ts";
import { loadPolicy } from "../src/policy/load.ts";
import type { Route } from "../src/policy/route.ts";
import { policyText } from "./support/policy-text.ts";

const loaded = loadPolicy(policyText({ routes: {} }));
if (!loaded.ok) throw new Error("the test's policy does not load");
const { policy } = loaded;

const SURROUNDINGS = {
  publicKeys: async () => ({ keys: [] }),
  revocationState: () => null,
  now: () => Date.parse("2026-11-22T00:00:00Z"),
};
const open = createOpen({ policy, ...SURROUNDINGS });
const page = async (reason: string): Promise<string> => {
  const found = policy.router.find("GET", `/_scopegate/problems/${reason}`);
  if (found.kind !== "found") throw new Error("there is no page");
  const served = await open(found.route satisfies Route, found.values);
  return served instanceof Response ? served.text() : served.reason;
};

describe("the page that a problem's type names", () => {
  test("shows what a header looks like instead of taking it for markup", async () => {
    expect(await page("token_missing")).toContain("Send 'Authorization: Bearer &lt;token>'.");
    expect(await page("credentials_malformed")).not.toContain("<token>");
  });
});

describe("the metadata of the protected resource", () => {
  const metadata = async (text: string): Promise<Record<string, unknown>> => {
    const other = loadPolicy(text);
    if (!other.ok) throw new Error(other.faults.map(({ message }) => message).join());
    const found = other.policy.router.find("GET", "/.well-known/oauth-protected-resource");
    if (found.kind !== "found") throw new Error("there is no metadata");
    const served = await createOpen({ policy: other.policy, ...SURROUNDINGS })(found.route, found.values);
    if (!(served instanceof Response)) throw new Error(served.reason);
    return served.json();
  };
  const GATEWAY = '[gateway]\npublic_url = "https://api.example.com"\n[routes]\n';

  test("leaves out what has no values (RFC 9728 §3.2)", async () => {
    expect(Object.keys(await metadata(GATEWAY))).toEqual(["resource", "jwks_uri", "bearer_methods_supported"]);
  });

  test("offers no scope that is past its sunset, and none of the admin API", async () => {
    const scope = (name: string, sunset: string): string =>
      `[scopes.${name}]\ndescription = "d"\nowner = "o"\ndeprecated = "2026-01-01"\nsunset = "${sunset}"\n`;
    const text = GATEWAY + scope("gone", "2026-11-22") + scope("going", "2026-11-23");
    expect(await metadata(text)).toMatchObject({ scopes_supported: ["going"] });
  });
});
