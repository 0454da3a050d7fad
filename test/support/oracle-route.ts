/**
 * The oracle's steps path and route, slow and obvious: each pattern becomes a regular expression, all are tried, and
 * those that match are sorted. Written from the contract alone (§2 "Routes", "Paths").
 */
import type { OraclePolicy, OracleRoute } from "./oracle-policy.ts";

export interface Match {
  readonly key: string;
  readonly route: OracleRoute;
  readonly values: ReadonlyMap<string, string>;
}

export type Routed =
  | { readonly kind: "route"; readonly match: Match }
  | { readonly kind: "ambiguous" }
  | { readonly kind: "unknown" }
  | { readonly kind: "no_method"; readonly allow: readonly string[] };

/** The one spelling of a path; `null` where there is none. `%2F` and `%5C` are left to the route. */
function canonical(path: string): string | null {
  if (!path.startsWith("/") || /[;\\]/.test(path)) return null;
  let spelt: string;
  try {
    spelt = path.replace(/(?:%..?)+|%/gs, (escapes) => {
      const text = decodeURIComponent(escapes);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      if (/[\u0000-\u001f\u007f-\u009f%;]/.test(text)) throw new Error("refused");
      return [...text].map((char) => (/[A-Za-z0-9._~-]/.test(char) ? char : escaped(char))).join("");
    });
  } catch {
    return null;
  }
  const segments = spelt.split("/").slice(1);
  if (segments.some((segment, index) => segment === "" && index < segments.length - 1)) return null;
  for (const part of segments.flatMap((segment) => segment.split(/%2F|%5C/))) {
    const decoded = part.replaceAll("%20", " ");
    if (decoded === "." || decoded === ".." || (/^[. ]+$/.test(decoded) && decoded.includes(" "))) return null;
  }
  return spelt;
}

function escaped(char: string): string {
  return [...new TextEncoder().encode(char)]
    .map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}

/** Which route decides a call. */
export function routeOf(policy: OraclePolicy, method: string, path: string): Routed {
  const spelt = canonical(path);
  if (spelt === null) return { kind: "ambiguous" };
  const found = find(policy, method, spelt);
  if (/%2F|%5C/.test(spelt) && !(found.kind === "route" && found.match.route.encoded_slash === true)) {
    return { kind: "ambiguous" };
  }
  if (!policy.caseSensitivePaths && found.kind === "route") {
    const lower = find(policy, method, lowered(spelt), lowered);
    if (lower.kind === "route" && lower.match.key !== found.match.key) return { kind: "ambiguous" };
  }
  return found;
}

/** As an origin reads it that does not tell cases apart. Escapes stay as they are. */
function lowered(text: string): string {
  return text.replace(/%..|[^%]+/g, (part) => (part.startsWith("%") ? part : part.toLowerCase()));
}

function find(
  policy: OraclePolicy,
  method: string,
  path: string,
  read: (pattern: string) => string = (as) => as,
): Routed {
  const matching = [...policy.routes].flatMap(([key, route]) => {
    const values = valuesOf(read(patternOf(key)), path);
    return values === null ? [] : [{ key, route, values }];
  });
  if (matching.length === 0) return { kind: "unknown" };
  const having = matching.filter(({ key }) => rankOfMethod(key, method) < NONE);
  // Where two patterns differ only in case, the one that is spelt as it is read comes first.
  const spelling = (key: string) => (read(patternOf(key)) === patternOf(key) ? 0 : 1);
  having.sort(
    (a, b) =>
      moreSpecific(a, b) ||
      rankOfMethod(a.key, method) - rankOfMethod(b.key, method) ||
      spelling(a.key) - spelling(b.key),
  );
  const [first] = having;
  if (first !== undefined) return { kind: "route", match: first };
  const methods = matching.flatMap(({ key }) => methodsOf(key));
  return { kind: "no_method", allow: [...new Set(methods.includes("GET") ? [...methods, "HEAD"] : methods)] };
}

const NONE = 3;

/** A method by its name, `HEAD` by `GET`, any method by `*`; or not at all. */
function rankOfMethod(key: string, method: string): number {
  const methods = methodsOf(key);
  if (methods.includes(method)) return 0;
  if (method === "HEAD" && methods.includes("GET")) return 1;
  return methods.includes("*") ? 2 : NONE;
}

function methodsOf(key: string): string[] {
  return key.slice(0, key.indexOf(" ")).split(",");
}

function patternOf(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}

/** What a pattern's names and star stand for in a path; `null` where it does not match. */
function valuesOf(pattern: string, path: string): ReadonlyMap<string, string> | null {
  const names: string[] = [];
  const source = withoutTrailingSlash(pattern).replace(
    /\/\*$|:([A-Za-z_][A-Za-z0-9_]*)(\+?)|[^:]/g,
    (part, name, plus) => {
      if (part === "/*") {
        names.push("*");
        return "(?:/(.*))?";
      }
      if (name === undefined) return part.replace(/[^A-Za-z0-9]/, "\\$&");
      names.push(name);
      return plus === "+" ? "([^/]+?(?:/[^/]+?)*?)" : "([^/]+?)";
    },
  );
  const match = new RegExp(`^${source}$`).exec(withoutTrailingSlash(path));
  return match === null ? null : new Map(names.map((name, index) => [name, match[index + 1] ?? ""]));
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

/**
 * Literal before mixed before `:name` before `:name+` before nothing more before `/*`, from the left. Where neither is
 * more specific, the one whose names take less, from the left.
 */
function moreSpecific(a: Match, b: Match): number {
  const left = segmentsOf(a.key);
  const right = segmentsOf(b.key);
  for (let index = 0; index <= Math.max(left.length, right.length); index++) {
    const one = left[index];
    const other = right[index];
    const difference = rankOf(one) - rankOf(other) || compared(inside(one), inside(other));
    if (difference !== 0) return difference;
  }
  const taken = [...a.values.values()].map((value) => value.length);
  const takenByOther = [...b.values.values()].map((value) => value.length);
  return taken.map((length, index) => length - (takenByOther[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function segmentsOf(key: string): string[] {
  return withoutTrailingSlash(patternOf(key)).split("/").slice(1);
}

function rankOf(segment: string | undefined): number {
  if (segment === undefined) return 4;
  if (segment === "*") return 5;
  if (!segment.includes(":")) return 0;
  if (segment.endsWith("+")) return 3;
  return /^:[A-Za-z0-9_]+$/.test(segment) ? 2 : 1;
}

/** A mixed segment as letters that sort: a for each literal character, b for a name, c for its end; else nothing. */
function inside(segment: string | undefined): string {
  if (segment === undefined || rankOf(segment) !== 1) return "";
  return `${segment.replace(/:[A-Za-z_][A-Za-z0-9_]*|./g, (mark) => (mark.startsWith(":") ? "b" : "a"))}c`;
}

function compared(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
