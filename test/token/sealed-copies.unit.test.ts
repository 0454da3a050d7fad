import { expect, test } from "vitest";
import type { CopyStore } from "../../src/token/keys-copy.ts";
import { sealedCopies } from "../../src/token/sealed-copies.ts";
import { generateSigningKeys, loadSigningKeys } from "../../src/token/signing-keys.ts";

const VALUE = JSON.stringify({ issuer: "https://login.example.com/", fetched_at: 1, keys: [] });
const own = loadSigningKeys(await generateSigningKeys());
const others = loadSigningKeys(await generateSigningKeys());

function memory(): CopyStore & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return {
    texts,
    get: async (name) => texts.get(name) ?? null,
    put: async (name, value) => void texts.set(name, value),
  };
}

async function sealed() {
  const store = memory();
  const copies = sealedCopies(store, () => own);
  await copies.put("a", VALUE, { expirationTtl: 60 });
  return { store, copies, text: store.texts.get("a") ?? "" };
}

test("a copy comes back as it was put", async () => {
  const { copies, text } = await sealed();
  expect(text.split(".")).toHaveLength(3);
  expect(await copies.get("a")).toBe(VALUE);
  expect(await copies.get("b")).toBeNull();
});

test("a copy survives the rotation of the signing keys while the old one verifies", async () => {
  const { store } = await sealed();
  const both = Promise.all([others, own]).then(([{ signer }, { publicJwks }]) => ({ signer, publicJwks }));
  expect(await sealedCopies(store, () => both).get("a")).toBe(VALUE);
});

test.each<[string, (text: string) => string]>([
  ["a plain copy, as whoever can write KV would make one", () => VALUE],
  ["a copy without a signature", (text) => `${text.split(".").slice(0, 2).join(".")}.`],
  [
    "a copy of another payload",
    (text) => [text.split(".")[0], Buffer.from("{}").toString("base64url"), text.split(".")[2]].join("."),
  ],
  [
    "an unsigned one",
    () => `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from(VALUE).toString("base64url")}.`,
  ],
  ["what is too long", (text) => text + "A".repeat(1024 * 1024)],
  ["nothing", () => ""],
])("%s is as if it were not there", async (_what, forge) => {
  const { store, copies, text } = await sealed();
  store.texts.set("a", forge(text));
  expect(await copies.get("a")).toBeNull();
});

test("a copy by another gateway's keys is as if it were not there", async () => {
  const { store } = await sealed();
  expect(await sealedCopies(store, () => others).get("a")).toBeNull();
});

test("what these keys signed for another purpose is no copy", async () => {
  const { CompactSign } = await import("jose");
  const { signer } = await own;
  const store = memory();
  for (const typ of ["at+jwt", undefined]) {
    const header = { alg: signer.algorithm, kid: signer.keyId, ...(typ === undefined ? {} : { typ }) };
    const token = await new CompactSign(Buffer.from(VALUE)).setProtectedHeader(header).sign(signer.key);
    store.texts.set("a", token);
    expect(await sealedCopies(store, () => own).get("a")).toBeNull();
  }
});

test("without usable keys none is read and none is kept; what fails in the store fails here", async () => {
  const { store } = await sealed();
  const keyless = sealedCopies(store, () => Promise.reject(new Error("no keys")));
  expect(await keyless.get("a")).toBeNull();
  await keyless.put("b", VALUE, { expirationTtl: 60 });
  expect(store.texts.has("b")).toBe(false);

  const failing: CopyStore = {
    get: () => Promise.reject(new Error("down")),
    put: () => Promise.reject(new Error("down")),
  };
  await expect(sealedCopies(failing, () => own).get("a")).rejects.toThrow("down");
  await expect(sealedCopies(failing, () => own).put("a", VALUE, { expirationTtl: 60 })).rejects.toThrow("down");
});
