/** The bare limit: a Worker that forwards requests and does nothing else. */
export default {
  fetch(request: Request, env: { ORIGIN_URL: string }): Promise<Response> {
    const { url } = request;
    return fetch(new Request(env.ORIGIN_URL + url.slice(url.indexOf("/", 8)), request));
  },
};
