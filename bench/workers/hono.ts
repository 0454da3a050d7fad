/** A gateway as Hono's documentation shows it: the `jwk` middleware, a revocation look-up in KV, and `proxy`. */
import { Hono } from "hono";
import { jwk } from "hono/jwk";
import { proxy } from "hono/proxy";

interface Env {
  readonly ORIGIN_URL: string;
  readonly JWKS: string;
  readonly REVOKED: KVNamespace;
}

const app = new Hono<{ Bindings: Env; Variables: { jwtPayload: { jti: string; scope: string } } }>();
let keys: { kty: string; kid: string }[] | undefined;

app.use("*", (c, next) => {
  keys ??= (JSON.parse(c.env.JWKS) as { keys: { kty: string; kid: string }[] }).keys;
  return jwk({ keys, alg: ["ES256", "RS256"] })(c, next);
});
app.get("/v1/items/:item", async (c) => {
  const { jti, scope } = c.get("jwtPayload");
  if ((await c.env.REVOKED.get(jti)) !== null) return c.text("revoked", 401);
  if (!scope.split(" ").includes("items:read")) return c.text("forbidden", 403);
  const { method, headers } = c.req.raw;
  return proxy(c.env.ORIGIN_URL + c.req.path, {
    method,
    headers: { ...Object.fromEntries(headers), "X-Subject": "bench" },
  });
});

export default app;
