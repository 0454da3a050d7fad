/** Which URLs a policy may name: https (or http on a loopback host) for issuers and keys, http or https for origins. */

/** Whether `text` is an https URL, or an http URL on a loopback host, without credentials or a fragment. */
export function isSecureUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || text.includes("#")) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

/** What is wrong with the URL of an origin; `null` where nothing is. */
export function addressError(text: string): string | null {
  if (!URL.canParse(text)) return "must be an http or https URL";
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return "must be an http or https URL";
  if (url.username !== "" || url.password !== "") return "must not hold credentials";
  if (text.includes("?") || text.includes("#")) return "must have no query and no fragment";
  return null;
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
