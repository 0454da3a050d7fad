/** Loads a policy on request, so that loading can be measured without the start of workerd. */
import { loadPolicy } from "../../src/policy/load.ts";

export default {
  fetch(request: Request, { POLICY }: { POLICY: string }): Response {
    if (!request.url.endsWith("/load")) return new Response("ready");
    const loaded = loadPolicy(POLICY);
    return new Response(String(loaded.ok && loaded.policy.routes.length));
  },
};
