/**
 * A real binding (D1, KV, a cache) with a tap before it: calls can be counted, fail, hang, or be held and let go. What passes is
 * answered by the real one.
 */
export interface Tap {
  /** Calls that reached the binding or the tap, since the last reset. */
  calls: number;
  mode: "pass" | "fail" | "hang";
  /** Called with the name of each call before it goes through; what it returns is awaited. */
  before: ((call: string) => unknown) | null;
  /** Called after the binding has answered, before the caller learns it. */
  after: ((call: string) => unknown) | null;
}

const CALLS = new Set(["all", "batch", "delete", "first", "get", "list", "match", "put", "raw", "run"]);
const originals = new WeakMap<object, object>();

export function breakable<Binding extends object>(binding: Binding): { binding: Binding; tap: Tap } {
  const tap: Tap = { calls: 0, mode: "pass", before: null, after: null };
  return { binding: wrap(binding, tap), tap };
}

/** A promise that others wait for, and the function that lets them go. */
export function latch(): { readonly closed: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { closed: promise, open: resolve };
}

function wrap<Target extends object>(target: Target, tap: Tap): Target {
  const proxy = new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      const call = (given: unknown[]): unknown => Reflect.apply(member, target, given.map(unwrap));
      if (!CALLS.has(String(name))) return (...given: unknown[]) => wrapResult(call(given), tap);
      return async (...given: unknown[]) => {
        tap.calls++;
        if (tap.mode === "fail") throw new Error("the neighbour is broken");
        if (tap.mode === "hang") await new Promise(() => {});
        await tap.before?.(String(name));
        const result = await call(given);
        await tap.after?.(String(name));
        return result;
      };
    },
  });
  originals.set(proxy, target);
  return proxy;
}

function wrapResult(result: unknown, tap: Tap): unknown {
  return typeof result === "object" && result !== null && !(result instanceof Promise) ? wrap(result, tap) : result;
}

function unwrap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrap);
  return (typeof value === "object" && value !== null && originals.get(value)) || value;
}
