/** A Worker without code of its own, to measure the cost of an isolate. */
export default { fetch: (): Response => new Response("ok") };
