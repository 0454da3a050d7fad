/**
 * One JSON line a decision, on the console, where Workers Logs and Logpush take it from. Refusals, calls of the admin
 * API that write, and failures always; allowed requests by the policy's sample rate.
 *
 * Guarantees: never a token, never a header's or a query's text; what an issuer wrote (subject, token id) only as JSON
 * strings. A failure's message is not logged, since messages quote their input: its name and the places in the code are.
 */
import type { Reason } from "./denial.ts";

export interface LoggedDecision {
  readonly requestId: string;
  readonly method: string;
  /** The route's key; `null` where none was found. */
  readonly route: string | null;
  /** 0 where the request was forwarded for a report and has no answer yet. */
  readonly status: number;
  readonly principal: { readonly issuer: string; readonly subject: string | null; readonly tokenId: string } | null;
  readonly startedAtMilliseconds: number;
  readonly finishedAtMilliseconds: number;
}

interface LoggedRefusal extends LoggedDecision {
  readonly reason: Reason;
  /** What the client is not told, as a fixed word of the code: which rule a token broke. */
  readonly detail?: string | undefined;
  /** Whether it was forwarded all the same, in report mode. */
  readonly reported: boolean;
}

export interface DecisionLog {
  /** Most are not told, and need no decision to be put together. */
  readonly allowed: (make: () => LoggedDecision) => void;
  readonly refused: (decision: LoggedRefusal) => void;
  /** A call of the admin API. Reads count as allowed requests. */
  readonly administered: (decision: LoggedDecision) => void;
  readonly failed: (requestId: string, error: unknown) => void;
}

/** Workers Analytics Engine, as far as it is used here. */
interface Dataset {
  writeDataPoint(point: { indexes: string[]; blobs: (string | null)[]; doubles: number[] }): void;
}

/**
 * `write` takes a line without its end; `random` is uniform in [0, 1). Every decision is also a data point of `dataset`,
 * where there is one: index the route; blobs event, method, reason, issuer, subject; doubles status and milliseconds.
 */
export function createDecisionLog(
  sampleRate: number,
  write: (line: string) => void,
  random: () => number,
  dataset: Dataset | null = null,
): DecisionLog {
  const count = (event: string, decision: LoggedDecision, reason: Reason | null): void => {
    if (dataset === null) return;
    const { route, method, principal, status, startedAtMilliseconds, finishedAtMilliseconds } = decision;
    try {
      dataset.writeDataPoint({
        indexes: [(route ?? "").slice(0, 96)],
        blobs: [event, method, reason, principal?.issuer ?? null, principal?.subject ?? null],
        doubles: [status, finishedAtMilliseconds - startedAtMilliseconds],
      });
    } catch {
      // Too large, or the dataset fails: a point is lost, and no answer turns into a 500 for it.
    }
  };
  const allowed = (make: () => LoggedDecision): void => {
    const isSampled = sampleRate > 0 && random() < sampleRate;
    if (!isSampled && dataset === null) return;
    const decision = make();
    count("allowed", decision, null);
    if (isSampled) write(lineOf("allowed", decision, {}));
  };
  return {
    allowed,
    refused: (decision) => {
      const { reason, detail, reported } = decision;
      const event = reported ? "would_refuse" : "refused";
      count(event, decision, reason);
      write(lineOf(event, decision, detail === undefined ? { reason } : { reason, detail }));
    },
    administered: (decision) => {
      if (decision.method === "GET" || decision.method === "HEAD") {
        allowed(() => decision);
        return;
      }
      count("administered", decision, null);
      write(lineOf("administered", decision, {}));
    },
    failed: (requestId, error) => {
      write(JSON.stringify({ event: "failed", request_id: requestId, ...placeOf(error) }));
    },
  };
}

function lineOf(event: string, decision: LoggedDecision, more: Record<string, string>): string {
  const { principal } = decision;
  return JSON.stringify({
    event,
    time: new Date(decision.startedAtMilliseconds).toISOString(),
    request_id: decision.requestId,
    method: decision.method,
    route: decision.route,
    status: decision.status,
    ...more,
    issuer: principal?.issuer ?? null,
    subject: principal?.subject ?? null,
    token_id: principal?.tokenId ?? null,
    duration_ms: decision.finishedAtMilliseconds - decision.startedAtMilliseconds,
  });
}

/** An error's name and the first places of its stack; its message, which leads the stack, is left out. */
export function placeOf(error: unknown): { error: string; at: string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { error: error.name, at: frames.slice(0, 5).map((line) => line.trim()) };
}
