/**
 * The header changes of contract §4, implemented straightforwardly. Removes the headers of scopegate's own list, so that both
 * remove the same; sets headers of the same length as scopegate does in the benchmark.
 */
import { compileRemovedHeaders } from "../../src/request/removed-headers.ts";

const removed = compileRemovedHeaders({ authorization: "forward", removeHeaders: [] });

export function fairRequest(request: Request, originUrl: string): Request {
  const { url } = request;
  const outgoing = new Request(originUrl + url.slice(url.indexOf("/", 8)), request);
  const { headers } = outgoing;
  for (const name of [...headers.keys()]) {
    const asRead = name.replaceAll("_", "-");
    if (removed.names.has(asRead) || removed.prefixes.some((prefix) => asRead.startsWith(prefix))) headers.delete(name);
  }
  headers.set("X-Request-Id", crypto.randomUUID());
  headers.set("X-Forwarded-Proto", "http");
  headers.set("X-Forwarded-Host", request.headers.get("Host") ?? "");
  headers.set("X-Forwarded-For", request.headers.get("CF-Connecting-IP") ?? "");
  headers.set("X-Scopegate-Issuer", "http://127.0.0.1:40000");
  headers.set("X-Scopegate-Token-Id", "00000000-0000-0000-0000-000000000000");
  headers.set("X-Scopegate-Subject", "bench-subject");
  headers.set("X-Scopegate-Client", "bench-client");
  headers.set("X-Scopegate-Scopes", "items:read");
  return outgoing;
}
