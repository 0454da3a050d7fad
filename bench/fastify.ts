/** Fastify as a gateway, in a process of its own: `@fastify/http-proxy`, and `fast-jwt` with its cache. */
import httpProxy from "@fastify/http-proxy";
import { createVerifier } from "fast-jwt";
import Fastify from "fastify";

interface Settings {
  readonly originUrl: string;
  readonly publicKey: string;
  readonly issuer: string;
  readonly audience: string;
}

process.on("disconnect", () => process.exit(0));
process.once("message", (settings: Settings) => void start(settings));

async function start({ originUrl, publicKey, issuer, audience }: Settings): Promise<void> {
  const verify = createVerifier({
    key: publicKey,
    algorithms: ["ES256"],
    allowedIss: issuer,
    allowedAud: audience,
    cache: true,
  });
  const app = Fastify();
  await app.register(httpProxy, {
    upstream: originUrl,
    prefix: "/v1/items",
    rewritePrefix: "/v1/items",
    preHandler: async (request, reply) => {
      try {
        const { scope } = verify((request.headers.authorization ?? "").slice(7)) as { scope: string };
        if (!scope.split(" ").includes("items:read")) await reply.code(403).send();
      } catch {
        await reply.code(401).send();
      }
    },
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const address = app.server.address();
  process.send?.({ port: typeof address === "object" ? address?.port : 0 });
}
