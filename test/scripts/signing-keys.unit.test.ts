import { expect, test } from "vitest";
import { stepped } from "../../scripts/signing-keys.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { issueToken, newTokenId } from "../../src/token/issue.ts";
import { loadSigningKeys } from "../../src/token/signing-keys.ts";
import { createVerifier, isRefusal } from "../../src/token/verify.ts";

const NOW = 1_800_000_000;
const GATEWAY = "https://api.example.com";

/** An isolate that was started with this secret. */
function isolateWith(secret: string) {
  const loaded = loadPolicy(`
    [gateway]
    public_url = "${GATEWAY}"
    [routes]
    "GET /v1/me" = { authenticated = true, resource = [] }`);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const verifier = createVerifier({
    policy: loaded.policy,
    bindings: {},
    signingKeys: () => loadSigningKeys(secret),
    fetch: () => Promise.reject(new Error("nothing is fetched")),
    now: () => NOW,
    copies: null,
    report: () => undefined,
  });
  return {
    accepts: async (token: string) => !isRefusal(await verifier.verify(token, NOW, () => undefined)),
    issue: async () => {
      const { signer } = await loadSigningKeys(secret);
      return issueToken(signer, {
        issuer: GATEWAY,
        audience: GATEWAY,
        subject: "s",
        clientId: "c",
        tokenId: newTokenId(),
        issuedAtSeconds: NOW,
        expiresAtSeconds: NOW + 3600,
        scopes: [],
        allowList: null,
        conditions: [],
        ancestors: [],
      });
    },
  };
}

const kids = async (secret: string) => (await loadSigningKeys(secret)).publicJwks.keys.map(({ kid }) => kid);

test("a rotation by add, promote and retire refuses no token, while isolates of two neighbouring steps serve", async () => {
  const first = await stepped("new", null);
  const added = await stepped("add", first);
  const promoted = await stepped("promote", added);
  const retired = await stepped("retire", promoted);
  const sets = [first, added, promoted, retired];

  for (const [at, secret] of sets.slice(0, 3).entries()) {
    for (const issuedUnder of [secret, sets[at + 1] ?? ""]) {
      const token = await isolateWith(issuedUnder).issue();
      expect(await isolateWith(secret).accepts(token)).toBe(true);
      // The old key's tokens have expired before it is retired.
      if (at < 2) expect(await isolateWith(sets[at + 1] ?? "").accepts(token)).toBe(true);
    }
  }
  expect((await kids(retired))[0]).not.toBe((await kids(first))[0]);
  const old = await isolateWith(first).issue();
  expect(await isolateWith(retired).accepts(old)).toBe(false);
});

test("the new key is published before it signs", async () => {
  const first = await stepped("new", null);
  const added = await stepped("add", first);
  expect((await kids(added))[0]).toBe((await kids(first))[0]);
  expect(await kids(added)).toHaveLength(2);
  expect((await kids(await stepped("promote", added)))[0]).toBe((await kids(added))[1]);
});

test.each(["add", "promote", "retire"] as const)("%s refuses a set that would be left without a key", async (step) => {
  await expect(stepped(step, null)).rejects.toThrow(`no key to ${step}`);
  if (step !== "add") await expect(stepped(step, await stepped("new", null))).rejects.toThrow(`no key to ${step}`);
});
