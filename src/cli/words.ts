/** Arguments that are lists, separated by white space: `"a b"`. */
import type { Policy } from "../policy/policy.ts";
import { type IssuableAllowList, parseAllowList } from "../policy/resources/allow-list.ts";
import { UsageError } from "./command.ts";

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** The scopes of `--scopes`, each once. A name with a comma is wrong usage, unless the policy has a scope of that name. */
export function scopesArgument({ catalogue }: Policy, text: string): string[] {
  const names = [...new Set(wordsOf(text))];
  const joined = names.find((name) => name.includes(",") && !catalogue.byName.has(name));
  if (joined !== undefined) throw new UsageError(`scopes are separated by spaces, unlike "${joined}"`);
  return names;
}

/** The list of `--allow-list`; `null` if it is absent. An invalid target is wrong usage. */
export function allowListArgument(text: string | undefined): IssuableAllowList | null {
  if (text === undefined) return null;
  const targets = wordsOf(text);
  const parsed = parseAllowList(targets);
  if (parsed.ok) return parsed.list;
  const faults = parsed.errors.map(({ index, message }) =>
    index === null ? message : `"${targets[index] ?? ""}": ${message}`,
  );
  throw new UsageError(`--allow-list: ${faults.join("; ")}`);
}
