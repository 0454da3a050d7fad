/**
 * The load generator, in a process of its own: keep-alive connections with one request in progress each, for a given time or
 * number of requests. Uses raw sockets and prepared requests, so that it takes little of the machine's CPU time.
 */
import { connect, type Socket } from "node:net";

export interface Job {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Used in turn, one per request; `null`: no Authorization header. */
  readonly tokens: readonly string[] | null;
  readonly connections: number;
  /** Ends after so many requests, or after so many seconds, whichever comes first. */
  readonly requests: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly requests: number;
  /** The number of answers by status; 0: the connection broke. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly medianMilliseconds: number;
  readonly p99Milliseconds: number;
}

process.on("message", (job: Job) => {
  void run(job).then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit(0));

function run(job: Job): Promise<LoadResult> {
  const requests = requestsOf(job);
  const statuses: Record<string, number> = {};
  const latencies: number[] = [];
  let sent = 0;
  let next = 0;
  const start = performance.now();
  const deadline = start + job.seconds * 1000;

  const connection = (): Promise<void> =>
    new Promise((resolve) => {
      const socket: Socket = connect({ port: job.port, host: "127.0.0.1", noDelay: true });
      let sentAt = 0;
      let buffered = "";
      let missing = -1;
      const send = (): void => {
        if (sent >= job.requests || performance.now() >= deadline) {
          socket.end();
          socket.destroy();
          resolve();
          return;
        }
        sent++;
        sentAt = performance.now();
        const request = requests[next] ?? Buffer.alloc(0);
        next = next + 1 === requests.length ? 0 : next + 1;
        socket.write(request);
      };
      const answered = (status: string): void => {
        statuses[status] = (statuses[status] ?? 0) + 1;
        latencies.push(performance.now() - sentAt);
        send();
      };
      let status = "0";
      socket.on("connect", send);
      socket.on("data", (chunk: Buffer) => {
        if (missing > 0) {
          missing -= chunk.length;
          if (missing > 0) return;
          missing = -1;
          answered(status);
          return;
        }
        buffered += chunk.toString("latin1");
        const end = buffered.indexOf("\r\n\r\n");
        if (end < 0) return;
        status = buffered.slice(9, 12);
        const length = /\r\ncontent-length: (\d+)/i.exec(buffered.slice(0, end))?.[1];
        const body = buffered.length - end - 4;
        if (length === undefined) {
          // Chunked: the answers of this benchmark are short, so the data ends with the last chunk.
          if (!buffered.endsWith("0\r\n\r\n") && body > 0) return;
          if (body === 0 && /\r\ntransfer-encoding/i.test(buffered)) return;
        } else if (body < Number(length)) {
          missing = Number(length) - body;
          buffered = "";
          return;
        }
        buffered = "";
        answered(status);
      });
      socket.on("error", () => undefined);
      socket.on("close", () => {
        if (sent < job.requests && performance.now() < deadline) statuses["0"] = (statuses["0"] ?? 0) + 1;
        resolve();
      });
    });

  return Promise.all(Array.from({ length: job.connections }, connection)).then(() => {
    latencies.sort((a, b) => a - b);
    const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
    return {
      requests: latencies.length,
      statuses,
      seconds: (performance.now() - start) / 1000,
      medianMilliseconds: at(0.5),
      p99Milliseconds: at(0.99),
    };
  });
}

function requestsOf({ port, method, path, headers, tokens }: Job): Buffer[] {
  const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join("")}`;
  if (tokens === null) return [Buffer.from(`${head}\r\n`, "latin1")];
  return tokens.map((token) => Buffer.from(`${head}Authorization: Bearer ${token}\r\n\r\n`, "latin1"));
}
