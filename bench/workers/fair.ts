/** The fair limit: a Worker that forwards requests with the same header changes as scopegate, and does nothing else. */
import { fairRequest } from "./fair-headers.ts";

export default {
  fetch: (request: Request, env: { ORIGIN_URL: string }): Promise<Response> =>
    fetch(fairRequest(request, env.ORIGIN_URL)),
};
