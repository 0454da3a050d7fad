/**
 * The methods that are sent: those of the IANA registry of HTTP methods, and some that caches and older servers know. For a
 * warning alone: a route may have any method (contract §2).
 */
import { closest } from "../near.ts";

/** Those that people mean come first: they are proposed before others that are as near. */
const METHODS: readonly string[] = [
  ...["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "TRACE", "CONNECT"],
  // WebDAV, CalDAV and DeltaV.
  ...["ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LOCK", "MERGE", "MKACTIVITY"],
  ...["MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPFIND", "PROPPATCH", "REBIND"],
  ...["REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL"],
  ...["LINK", "UNLINK", "PRI"],
  // Not registered, and sent all the same: caches, Exchange, UPnP, Vault, streams.
  ...["PURGE", "BAN", "REFRESH", "BCOPY", "BDELETE", "BMOVE", "BPROPFIND", "BPROPPATCH", "NOTIFY", "POLL", "SUBSCRIBE"],
  ...["UNSUBSCRIBE", "X-MS-ENUMATTS", "RPC_IN_DATA", "RPC_OUT_DATA", "M-SEARCH", "LIST", "SOURCE", "ANNOUNCE"],
  ...["DESCRIBE", "VIEW", "TRACK"],
];
const KNOWN = new Set(METHODS);

/** What is odd about a route's method, with what was perhaps meant; `null` for `*` and for what somebody sends. */
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
