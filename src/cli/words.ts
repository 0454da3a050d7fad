/** Lists in one argument: `"a b"`, separated by white space. */
import { type IssuableAllowList, parseAllowList } from "../policy/resources/allow-list.ts";
import { UsageError } from "./command.ts";

export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** The argument of `--allow-list`; `null` where it is absent. A target that is none is wrong usage. */
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
