/**
 * The HTTP methods in use: those of the IANA registry, and some unregistered ones of caches and older servers. For a
 * warning only: a route may have any method (contract §2).
 */
import { closest } from "../near.ts";

/** The methods that change what lies behind a route. */
export const WRITES = ["POST", "PUT", "PATCH", "DELETE"];

/** The most common methods come first: of several equally near names, the first is proposed. */
const METHODS: readonly string[] = [
  ...["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "TRACE", "CONNECT"],
  // WebDAV, CalDAV and DeltaV.
  ...["ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LOCK", "MERGE", "MKACTIVITY"],
  ...["MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPFIND", "PROPPATCH", "REBIND"],
  ...["REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL"],
  ...["LINK", "UNLINK", "PRI"],
  // In use without registration: caches, Exchange, UPnP, Vault, streams.
  ...["PURGE", "BAN", "REFRESH", "BCOPY", "BDELETE", "BMOVE", "BPROPFIND", "BPROPPATCH", "NOTIFY", "POLL", "SUBSCRIBE"],
  ...["UNSUBSCRIBE", "X-MS-ENUMATTS", "RPC_IN_DATA", "RPC_OUT_DATA", "M-SEARCH", "LIST", "SOURCE", "ANNOUNCE"],
  ...["DESCRIBE", "VIEW", "TRACK"],
];
const KNOWN = new Set(METHODS);

/** What is odd about a route's method, and what was perhaps meant; `null` for `*` and for a method in use. */
export function oddMethod(method: string): string | null {
  if (method === "*" || KNOWN.has(method)) return null;
  const words = method.split(/[^A-Z]+/).filter((word) => word !== "");
  const near = closest(method, METHODS);
  let hint = "";
  if (words.length > 1 && words.some((word) => KNOWN.has(word))) {
    hint = `; several are written with commas: "${words.join(",")}"`;
  } else if (near !== null) hint = `; did you mean "${near}"?`;
  return `"${method}" is no method that anybody sends${hint}`;
}
