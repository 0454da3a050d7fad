/**
 * Which headers of a client's request never reach the origin (contract §4): those that could pass for the gateway's
 * own or direct the servers behind it, hop-by-hop headers, and those that the policy names.
 *
 * Guarantees that a name is recognised in any case and with any other mark for `-`, as some servers read it: CGI, WSGI
 * and PHP take `_` for `-`; lighttpd's CGI and PHP's own server also take `.` and others.
 */

/** The names to remove: lower-case, with `-` for every mark. */
export interface RemovedHeaders {
  readonly names: ReadonlySet<string>;
  readonly prefixes: readonly string[];
  /** Headers that decisions read, in lower case. A name that differs from one of these only in its marks is removed. */
  readonly deciding: ReadonlySet<string>;
  readonly foldedDeciding: ReadonlySet<string>;
  /** Cache of `isRemoved` by name; bounded. */
  readonly verdicts: Map<string, boolean>;
}

/** Hop-by-hop headers (RFC 9110 §7.6.1), and the one of the former upgrade to HTTP/2. */
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

/** Headers that some servers obey as another target, method, caller or request id. */
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

/** End-to-end headers, which `Connection` names without effect. */
const END_TO_END = /^(?:authorization$|cdn-loop$|cf-|content-|cookie$|expect$|host$|sec-|true-client-ip$)/;

const MARKS = /[^a-z0-9-]/;

/** Compiles, once per policy, what every request loses. `deciding`: the headers that resources name, lower-case. */
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

/** Whether a header is removed. `name`: lower-case, as the runtime gives it. Cached: most clients send the same few. */
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

/** The headers that `Connection` lists for removal (RFC 9110 §7.6.1), in lower case, without end-to-end headers. */
export function namedByConnection(connection: string | null): readonly string[] {
  if (connection === null) return [];
  const names = connection.split(",").map((option) => option.trim().toLowerCase());
  // An invalid name would make `delete` throw; `rewriteHeaders` decides about `Upgrade`.
  return names.filter(
    (name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && name !== "upgrade" && !END_TO_END.test(name),
  );
}
