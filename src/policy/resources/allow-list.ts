/**
 * Allow lists: which resources a token may touch, as targets `charge:ch_1`, `charge:*` or `*:*` (contract §2).
 *
 * Guarantees: absent, empty and all are three kinds; a list is valid as a whole or not at all; an intersection of lists
 * is never wider than either. A type is 1 to 256 of RFC 3986's unreserved characters, an id 1 to 256 characters in
 * the spelling of a canonical path (slashes included). Both are compared by character, case included. A target is split
 * at its first colon; a `*` inside an id is a character like any other; the id `%2A`, an escaped `*`, is refused, since
 * no request's id can match it.
 * Accepted: an intersection may have more than 128 targets.
 */
import { isCanonicalId } from "../../request/segment.ts";

export type AllowList =
  /** The token has no list: it may touch anything, as with `*:*`. */
  | { readonly kind: "absent" }
  /** `*:*` */
  | { readonly kind: "all" }
  /** `types`: the types of the targets `type:*`. `targets`: all other targets, in full; none is of these types. */
  | { readonly kind: "listed"; readonly types: ReadonlySet<string>; readonly targets: ReadonlySet<string> }
  /** A list with nothing in it, or two lists that have nothing in common: it covers nothing. */
  | { readonly kind: "empty" }
  /** The claim is not a list of targets: it covers nothing. */
  | { readonly kind: "unreadable" };

export type IssuableAllowList = Extract<AllowList, { readonly kind: "all" | "listed" }>;

/** What is wrong with a list: with the entry at `index`, or with the list as a whole (`null`). */
export interface AllowListError {
  readonly index: number | null;
  readonly message: string;
}

const MOST_TARGETS = 128;
const LONGEST_ID = 256;
const TYPE = /^[A-Za-z0-9._~-]{1,256}$/;

/** Reads the claim `allow_list` of a verified token. */
export function readAllowList(claim: unknown): AllowList {
  if (claim === undefined) return { kind: "absent" };
  if (Array.isArray(claim) && claim.length === 0) return { kind: "empty" };
  const parsed = parseAllowList(claim);
  return parsed.ok ? parsed.list : { kind: "unreadable" };
}

/** Reads and normalises a list of targets; or returns all its errors. */
export function parseAllowList(
  value: unknown,
): { readonly ok: true; readonly list: IssuableAllowList } | { readonly ok: false; readonly errors: AllowListError[] } {
  if (!Array.isArray(value)) return { ok: false, errors: [{ index: null, message: "expected a list of targets" }] };
  const entries: readonly unknown[] = value;
  const errors: AllowListError[] = [];
  const targets = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const message = typeof entry === "string" ? targetError(entry) : "expected a target, as text";
    if (message !== null) errors.push({ index, message });
    else targets.add(String(entry));
  }
  if (entries.length === 0) errors.push({ index: null, message: "expected at least one target" });
  if (targets.size > MOST_TARGETS) {
    errors.push({ index: null, message: `expected at most ${MOST_TARGETS} targets, found ${targets.size}` });
  }
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, list: normalised(targets) };
}

/** The targets of a list in normal form, sorted; `null` for an absent list, `[]` for one that covers nothing. */
export function formatAllowList(list: AllowList): string[] | null {
  switch (list.kind) {
    case "absent":
      return null;
    case "all":
      return ["*:*"];
    case "listed":
      return [...[...list.types].map((type) => `${type}:*`), ...list.targets].sort();
    case "empty":
    case "unreadable":
      return [];
  }
}

/** The list that covers exactly the targets that both lists cover. */
export function intersectAllowLists(a: AllowList, b: AllowList): AllowList {
  if (a.kind === "unreadable" || b.kind === "unreadable") return { kind: "unreadable" };
  if (a.kind === "empty" || b.kind === "empty") return { kind: "empty" };
  if (a.kind === "absent") return b;
  if (b.kind === "absent") return a;
  if (a.kind === "all") return b;
  if (b.kind === "all") return a;

  const types = new Set([...a.types].filter((type) => b.types.has(type)));
  const targets = new Set([...a.targets].filter((target) => listCovers(b, target)));
  for (const target of b.targets) if (listCovers(a, target)) targets.add(target);
  return types.size + targets.size === 0 ? { kind: "empty" } : { kind: "listed", types, targets };
}

/** Whether a list covers one target: by itself, by `type:*` or by `*:*`. */
export function listCovers(list: AllowList, target: string): boolean {
  switch (list.kind) {
    case "absent":
    case "all":
      return true;
    case "listed":
      return list.targets.has(target) || list.types.has(typeOf(target));
    case "empty":
    case "unreadable":
      return false;
  }
}

/** Whether a text can be the type of a target. */
export function isTargetType(text: string): boolean {
  return TYPE.test(text);
}

/** Whether an id is `*`, which in a request is never a wildcard; or `%2A`, which an origin decodes to `*`. */
export function isStarId(id: string): boolean {
  return id === "*" || id === "%2A";
}

function typeOf(target: string): string {
  return target.slice(0, target.indexOf(":"));
}

function targetError(entry: string): string | null {
  if (entry === "*:*") return null;
  const colon = entry.indexOf(":");
  if (colon < 0) return 'expected "type:id", "type:*" or "*:*"';
  const type = entry.slice(0, colon);
  const id = entry.slice(colon + 1);
  if (type === "*") return 'only "*:*" has "*" for its type';
  if (!isTargetType(type)) return 'a type is 1 to 256 letters, digits or "-._~"';
  if (id === "*") return null;
  if (id.length === 0 || id.length > LONGEST_ID) return `an id has 1 to ${LONGEST_ID} characters`;
  if (!isCanonicalId(id) || isStarId(id)) return "an id is spelt as in a canonical path, such as my%20file";
  return null;
}

/** `*:*` replaces all other targets, `type:*` those of its type. */
function normalised(entries: ReadonlySet<string>): IssuableAllowList {
  if (entries.has("*:*")) return { kind: "all" };
  const types = new Set<string>();
  for (const entry of entries) if (entry === `${typeOf(entry)}:*`) types.add(typeOf(entry));
  const targets = new Set([...entries].filter((entry) => !types.has(typeOf(entry))));
  return { kind: "listed", types, targets };
}
