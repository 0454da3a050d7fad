import { describe, expect, test } from "vitest";
import { createOpen } from "../src/open.ts";
import { loadPolicy } from "../src/policy/load.ts";
import type { Route } from "../src/policy/route.ts";
import { policyText } from "./support/policy-text.ts";

const loaded = loadPolicy(policyText({ routes: {} }));
if (!loaded.ok) throw new Error("the test's policy does not load");
const { policy } = loaded;

const open = createOpen({ policy, publicKeys: async () => ({ keys: [] }), revocationState: () => null });
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
  const metadata = async (text: string): Promise<string[]> => {
    const other = loadPolicy(text);
    if (!other.ok) throw new Error(other.faults.map(({ message }) => message).join());
    const found = other.policy.router.find("GET", "/.well-known/oauth-protected-resource");
    if (found.kind !== "found") throw new Error("there is no metadata");
    const serve = createOpen({
      policy: other.policy,
      publicKeys: async () => ({ keys: [] }),
      revocationState: () => null,
    });
    const served = await serve(found.route, found.values);
    return served instanceof Response ? Object.keys((await served.json()) as object) : [served.reason];
  };

  test("leaves out what has no values (RFC 9728 §3.2)", async () => {
    expect(await metadata('[gateway]\npublic_url = "https://api.example.com"\n[routes]\n')).toEqual([
      "resource",
      "jwks_uri",
      "bearer_methods_supported",
    ]);
  });
});
