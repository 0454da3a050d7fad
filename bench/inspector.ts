/** A client for workerd's inspector (the Chrome DevTools Protocol), as far as the profile needs it. */

export interface Inspector {
  readonly call: (method: string, params?: object) => Promise<unknown>;
  readonly close: () => void;
}

/** Connects to the inspector of the user's Worker. */
export async function connectInspector(port: number): Promise<Inspector> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
    title: string;
  }[];
  const url =
    targets.find(({ title }) => title.includes("user"))?.webSocketDebuggerUrl ?? targets[0]?.webSocketDebuggerUrl ?? "";
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  const waiting = new Map<
    number,
    { readonly resolve: (result: unknown) => void; readonly reject: (e: Error) => void }
  >();
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
    const caller = message.id === undefined ? undefined : waiting.get(message.id);
    if (message.error !== undefined) caller?.reject(new Error(message.error.message));
    else caller?.resolve(message.result);
  });
  let last = 0;
  return {
    call: (method, params = {}) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, method, params }));
      }),
    close: () => socket.close(),
  };
}
