/** What an isolate costs by itself. */
export default { fetch: (): Response => new Response("ok") };
