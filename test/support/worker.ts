/** The Worker in whose isolate the worker tests run. They import the rooms themselves; it answers nothing. */
export default {
  fetch: () => new Response(null, { status: 404 }),
} satisfies ExportedHandler;
