/**
 * `npx node scripts/signing-keys.ts new|add|promote|retire FILE`: creates the secret `SIGNING_KEYS` and performs the steps of
 * its rotation (README, "Rotate the signing keys"). FILE holds private keys: keep it outside the checkout, mode 600.
 *
 * Prints the `kid`s, the signing key's first; never a private part. Leaves to the operator: waiting between two steps.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { generateSigningKeys, loadSigningKeys } from "../src/token/signing-keys.ts";

const STEPS = ["new", "add", "promote", "retire"] as const;
type Step = (typeof STEPS)[number];

interface KeySet {
  readonly keys: readonly object[];
}

/**
 * The set after one step. `new`: one new key. `add`: appends a new key, which verifies but does not sign yet. `promote`: moves
 * the last key to the front, so that it signs. `retire`: removes the last key. Throws if there are too few keys for the step.
 */
export async function stepped(step: Step, before: string | null): Promise<string> {
  const fresh: KeySet = JSON.parse(await generateSigningKeys());
  if (step === "new") return JSON.stringify(fresh);
  const { keys }: KeySet = JSON.parse(before ?? '{"keys":[]}');
  const last = keys.at(-1);
  if (last === undefined || (step !== "add" && keys.length < 2)) throw new Error(`there is no key to ${step}`);
  if (step === "add") return JSON.stringify({ keys: [...keys, ...fresh.keys] });
  const others = keys.slice(0, -1);
  return JSON.stringify({ keys: step === "promote" ? [last, ...others] : others });
}

async function main(args: readonly string[]): Promise<number> {
  const [name, file] = args;
  const step = STEPS.find((each) => each === name);
  if (step === undefined || file === undefined || args.length > 2) {
    console.error(`Usage: npx node scripts/signing-keys.ts ${STEPS.join("|")} FILE`);
    return 2;
  }
  const there = existsSync(file);
  if (there === (step === "new")) {
    console.error(there ? `${file} is there already` : `there is no ${file}; begin with "new"`);
    return 1;
  }
  try {
    const after = await stepped(step, there ? readFileSync(file, "utf8") : null);
    const { publicJwks } = await loadSigningKeys(after);
    // Under its name only once it is whole: the file may be the only copy of the private keys.
    const whole = `${file}.new`;
    writeFileSync(whole, `${after}\n`, { mode: 0o600, flag: "wx" });
    renameSync(whole, file);
    for (const [at, { kid }] of publicJwks.keys.entries()) console.log(`${kid}${at === 0 ? "  signs" : "  verifies"}`);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await main(process.argv.slice(2));
}
