/**
 * Which headers of a client's request never reach the origin (contract §4): what could speak for the gateway or to the
 * machines behind it, what belongs to one hop, and what the policy names.
 *
 * Guarantees that a name is known in any case and with any other mark for `-`: CGI, WSGI and PHP read `_` as the same name,
 * lighttpd's CGI and PHP's own server `.` and others too.
 */

/** What is removed: lower-case, with `-` for every mark. */
export interface RemovedHeaders {
  readonly names: ReadonlySet<string>;
  readonly prefixes: readonly string[];
  /** Headers that decide, in lower case. What differs from one of them in nothing but its marks is removed too. */
  readonly deciding: ReadonlySet<string>;
  readonly foldedDeciding: ReadonlySet<string>;
  /** What has been found of names before; bounded. */
  readonly verdicts: Map<string, boolean>;
}

/** RFC 9110 §7.6.1, and what belonged to an upgrade to HTTP/2. */
const HOP_BY_HOP = [
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** What names another target, method or caller to some server. */
const MISLEADING = [
  "forwarded",
  "request-uri",
  "x-accel-redirect",
  "x-envoy-original-path",
  "x-http-destinationurl",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-uri",
  "x-original-url",
  "x-override-url",
  "x-proxy-url",
  "x-real-ip",
  "x-request-id",
  "x-rewrite-url",
];

const RESERVED_PREFIXES = ["x-forwarded-", "x-scopegate-"];

/** What `Connection` may name without effect: no hop has a say in these. */
const END_TO_END = /^(?:authorization$|cdn-loop$|cf-|content-|cookie$|expect$|host$|sec-)/;

const MARKS = /[^a-z0-9-]/;

/** Computes once, from the policy, what every request loses. `deciding`: the headers that resources name, in lower case. */
export function compileRemovedHeaders(
  origin: {
    readonly authorization: "forward" | "remove";
    /** A final `*` is a wildcard. */
    readonly removeHeaders: readonly string[];
  },
  deciding: ReadonlySet<string> = new Set(),
): RemovedHeaders {
  const names = new Set([...HOP_BY_HOP, ...MISLEADING]);
  const prefixes = [...RESERVED_PREFIXES];
  if (origin.authorization === "remove") names.add("authorization");
  for (const written of origin.removeHeaders) {
    const name = written.toLowerCase();
    if (name.endsWith("*")) prefixes.push(folded(name.slice(0, -1)));
    else names.add(folded(name));
  }
  return { names, prefixes, deciding, foldedDeciding: new Set([...deciding].map(folded)), verdicts: new Map() };
}

/** `name` as the runtime gives it: lower-case. Clients send the same few dozen again and again. */
export function isRemoved(name: string, removed: RemovedHeaders): boolean {
  const known = removed.verdicts.get(name);
  if (known !== undefined) return known;
  const verdict = matches(name, removed);
  if (removed.verdicts.size >= MOST_VERDICTS) removed.verdicts.clear();
  if (name.length <= LONGEST_KEPT_NAME) removed.verdicts.set(name, verdict);
  return verdict;
}

const MOST_VERDICTS = 500;
const LONGEST_KEPT_NAME = 64;

function matches(name: string, removed: RemovedHeaders): boolean {
  const asRead = folded(name);
  if (removed.names.has(asRead)) return true;
  if (removed.foldedDeciding.has(asRead) && !removed.deciding.has(name)) return true;
  for (const prefix of removed.prefixes) if (asRead.startsWith(prefix)) return true;
  return false;
}

function folded(name: string): string {
  return MARKS.test(name) ? name.replace(/[^a-z0-9-]/g, "-") : name;
}

/** What `Connection` takes out of a request (RFC 9110 §7.6.1), in lower case: not itself, nor what belongs to the ends. */
export function namedByConnection(connection: string | null): readonly string[] {
  if (connection === null) return [];
  const names = connection.split(",").map((option) => option.trim().toLowerCase());
  // What is not a name would make `delete` throw; the upgrade is judged by itself.
  return names.filter(
    (name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && name !== "upgrade" && !END_TO_END.test(name),
  );
}
