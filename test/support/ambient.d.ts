/** What the tests of the worker project see beyond TypeScript's own knowledge: the bindings and texts imported raw. */
declare namespace Cloudflare {
  interface Env {
    readonly DB: D1Database;
    readonly REVOCATIONS: KVNamespace;
  }
}

declare module "*?raw" {
  const text: string;
  export default text;
}
