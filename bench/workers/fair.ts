/** The fair limit: a Worker that only forwards, and removes and sets the same headers as scopegate. */
import { fairRequest } from "./fair-headers.ts";

export default {
  fetch: (request: Request, env: { ORIGIN_URL: string }): Promise<Response> =>
    fetch(fairRequest(request, env.ORIGIN_URL)),
};
