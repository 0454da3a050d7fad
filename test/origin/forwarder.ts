/**
 * A Worker that does what the pipeline does with a call that was allowed, and nothing else: the origin room under test.
 * The header `X-Test` chooses what a policy would: `bound`, `remove`, `public`, `short` (timeout), `guarded`, `brief` (expiry).
 */
import { guardConnection, isLongLived } from "../../src/origin/connection.ts";
import { forward } from "../../src/origin/forward.ts";
import { rewriteHeaders } from "../../src/origin/headers.ts";
import { createOrigin } from "../../src/origin/origin.ts";
import { withHeaders } from "../../src/origin/response.ts";
import { callerAddress } from "../../src/request/caller.ts";
import { canonicalPath } from "../../src/request/path.ts";
import { compileRemovedHeaders } from "../../src/request/removed-headers.ts";

interface Env {
  readonly BOUND: Fetcher;
  readonly ORIGIN_URL: string;
}

let good = true;
let checks = 0;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const path = canonicalPath(request.url, request.headers.get("Host"));
    if (path === null) return new Response("ambiguous_path", { status: 400 });
    if (path.path === "/control") {
      good = path.query !== "?revoke";
      return Response.json({ checks });
    }

    const words = new Set((request.headers.get("X-Test") ?? path.query.slice(1)).split(","));
    const removed = compileRemovedHeaders({
      authorization: words.has("remove") ? "remove" : "forward",
      removeHeaders: words.has("remove") ? ["x-user-id", "x-auth-*", "x_legacy_*"] : [],
    });
    const origin = words.has("bound") ? createOrigin({ ORIGIN: env.BOUND }, null) : createOrigin(env, null);
    const identity = words.has("public")
      ? null
      : {
          issuer: "https://login.example.com/",
          subject: "Zoë 100%",
          client: null,
          tokenId: "jti-1",
          scopes: "charges:read charges:write",
        };
    const answered = await forward(
      origin,
      request,
      path,
      (headers) =>
        rewriteHeaders(headers, removed, identity, {
          requestId: "request-1",
          address: callerAddress((name) => request.headers.get(name)),
          host: request.headers.get("Host"),
          proto: "http",
          method: request.method,
        }),
      words.has("short") ? 300 : 10_000,
    );
    if (!(answered instanceof Response)) return new Response(answered.reason, { status: 502 });
    const response = words.has("extra")
      ? withHeaders(answered, [
          ["Access-Control-Allow-Origin", "https://app.example.com"],
          ["Vary", "Origin"],
          ["Sunset", "Sat, 01 Jan 2028 00:00:00 GMT"],
        ])
      : answered;
    if (!words.has("guarded") || !isLongLived(response)) return response;
    return guardConnection(response, {
      stillGood: () => {
        checks++;
        if (words.has("hanging")) return new Promise<boolean>(() => undefined);
        if (words.has("failing")) throw new Error("no knowledge");
        return good;
      },
      expiresAtSeconds: words.has("brief") ? Date.now() / 1000 + 0.4 : 4_000_000_000,
      intervalMilliseconds: words.has("brief") ? 60_000 : 100,
      now: Date.now,
    });
  },
} satisfies ExportedHandler<Env>;
