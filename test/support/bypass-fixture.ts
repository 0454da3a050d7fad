/**
 * What the bypass tests attack: a policy with a public, a wide and narrow routes, and who may reach what, written down a
 * second time and by hand, so that the gateway is not its own judge.
 */
import { policyText } from "./policy-text.ts";

/** The operator's own identity headers, of an origin that believes them, are removed as the README says. */
export const BYPASS_POLICY = policyText({
  origin: `remove_headers = ["X-Gateway-*", "X-Remote-*", "X-Authenticated-*", "CF-Access-*", "X-Access-Token"]`,
  scopes: ["projects:read", "projects:write", "projects:delete", "files:read", "admin:read", "admin:write"],
  routes: {
    "GET /v1/status": "{ public = true }",
    "GET /v1/projects": `{ all = ["projects:read"], resource = [] }`,
    "GET /v1/projects/:id": `{ all = ["projects:read"], resource = "project:{id}" }`,
    "POST /v1/projects": `"projects:write"`,
    "DELETE /v1/projects/:id": `{ all = ["projects:delete"], resource = "project:{id}" }`,
    "GET /v1/files/*": `{ all = ["files:read"], resource = "file:{*}" }`,
    "GET /v1/admin/users": `"admin:read"`,
    "POST /v1/admin/users": `"admin:write"`,
    "GET /v1/search": `{ all = ["projects:read"], resource = "project:{query.project}" }`,
    "GET /v1/current": `{ all = ["projects:read"], resource = "project:{header.X-Project}" }`,
  },
});

export const BYPASS_SCOPES = "projects:read files:read";
export const BYPASS_ALLOW_LIST = ["project:p1", "file:*"];

/** Whether a caller with the token above (or with none) may have the origin answer this. */
export function mayReach(method: string, path: string, withToken: boolean): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const plain = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  if (plain === "/v1/status") return true;
  if (!withToken) return false;
  return (
    plain === "/v1/projects" ||
    plain === "/v1/projects/p1" ||
    plain === "/v1/search" ||
    plain === "/v1/current" ||
    plain === "/v1/files" ||
    plain.startsWith("/v1/files/")
  );
}

/**
 * How servers behind a gateway read a path: what one of them makes of it must be allowed too. One that folds compatibility
 * characters (U+FF0F to a slash) after it has decoded the path is beyond what the contract promises.
 */
export const ORIGIN_READINGS: Readonly<Record<string, (path: string) => string>> = {
  "as it is": (path) => path,
  "dot segments resolved": dots,
  decoded: (path) => dots(decoded(path)),
  "decoded twice": (path) => dots(decoded(decoded(path))),
  "backslashes as slashes": (path) => dots(decoded(path).replaceAll("\\", "/")),
  "slashes merged": (path) => dots(decoded(path).replace(/\/+/g, "/")),
  "slashes merged before dots": (path) => dots(path.replace(/\/+/g, "/")),
  "matrix parameters cut": (path) => dots(decoded(path).replace(/;[^/]*/g, "")),
  "matrix parameters cut before decoding": (path) => dots(decoded(path.replace(/;[^/]*/g, ""))),
  "cut at a null": (path) => dots(decoded(path).split("\0")[0] ?? ""),
  "cut at a line end": (path) => dots(decoded(path).split(/[\r\n]/)[0] ?? ""),
  "spaces and dots trimmed": (path) =>
    decoded(path)
      .split("/")
      .map((segment) => (segment === "." || segment === ".." ? segment : segment.replace(/[ .]+$/, "")))
      .join("/"),
  "lower case": (path) => dots(decoded(path)).toLowerCase(),
};

/** RFC 3986 §5.2.4. */
function dots(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  for (const [position, segment] of segments.entries()) {
    const last = position === segments.length - 1;
    if (segment === "..") kept.pop();
    else if (segment !== ".") kept.push(segment);
    if (last && (segment === "." || segment === "..")) kept.push("");
  }
  return `/${kept.join("/")}`;
}

/** Octets decoded as UTF-8, overlong forms included, as careless decoders do; what is no escape stays. */
function decoded(path: string): string {
  const octets = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return octets
    .replace(/[\xc0-\xdf][\x80-\xbf]/g, (c) =>
      String.fromCharCode(((c.charCodeAt(0) & 0x1f) << 6) | (c.charCodeAt(1) & 0x3f)),
    )
    .replace(/[\xe0-\xef][\x80-\xbf]{2}/g, (c) =>
      String.fromCharCode(
        ((c.charCodeAt(0) & 0x0f) << 12) | ((c.charCodeAt(1) & 0x3f) << 6) | (c.charCodeAt(2) & 0x3f),
      ),
    );
}
