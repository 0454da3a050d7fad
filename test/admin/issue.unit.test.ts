/** Signing what was granted: how long a token may get, and whose age it tells. */
import { decodeJwt } from "jose";
import { expect, test } from "vitest";
import type { Grant } from "../../src/admin/tokens/grant.ts";
import { type Issuance, sign } from "../../src/admin/tokens/issue.ts";
import { generateSigningKeys, loadSigningKeys } from "../../src/token/signing-keys.ts";
import { NOW, policyOf } from "./callers.ts";
import { POLICY } from "./policy.ts";

const { signer } = await loadSigningKeys(await generateSigningKeys());
const issuance: Issuance = { policy: policyOf(POLICY), signer, db: undefined as unknown as D1Database };
const grant: Grant = {
  subject: "s",
  client: "s",
  scopes: ["charges:read"],
  allowList: null,
  conditions: [],
  issuedAtSeconds: NOW,
  authenticatedAtSeconds: NOW,
  expiresAtSeconds: NOW + 60,
  parent: null,
  ancestors: [],
};

test("a token of 16,384 characters is signed, and none that is longer", async () => {
  const lengths: number[] = [];
  // Three bytes are four characters: with one of these keys' ids a token can have that very number.
  for (const keyId of ["k", "kk", "kkk"]) {
    for (let bytes = 11_950; bytes < 12_100; bytes++) {
      const signed = await sign({ ...issuance, signer: { ...signer, keyId } }, "x".repeat(bytes), grant);
      if (signed.ok) lengths.push(signed.value.length);
      else {
        expect(signed.refusal.errors[0]?.message).toMatch(/^makes a token of 163\d\d characters/);
        break;
      }
    }
  }
  expect(Math.max(...lengths)).toBe(16_384);
});

test.each<[why: string, more: Partial<Grant>, told: number | undefined]>([
  ["a root", {}, undefined],
  ["a root that rotated itself", { authenticatedAtSeconds: NOW - 60 }, NOW - 60],
  ["a child", { ancestors: ["id"], authenticatedAtSeconds: NOW - 60 }, NOW - 60],
  ["a child as old as itself", { ancestors: ["id"] }, NOW],
])("%s tells since when it counts as %o", async (_why, more, told) => {
  const signed = await sign(issuance, "id", { ...grant, ...more });
  expect(signed.ok && decodeJwt(signed.value)["auth_time"]).toBe(told);
});
