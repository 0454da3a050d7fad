/**
 * Writes one JSON line per decision to the console, from which Workers Logs and Logpush collect it. Refusals, writing
 * calls of the admin API, and failures are always logged; allowed requests at the policy's sample rate.
 *
 * Guarantees: logs no token and no text of a header or query; what an issuer wrote (subject, token id) only as JSON
 * strings. Of a failure, logs the error's name and stack frames, not its message, which may quote input.
 */
import type { Reason } from "./denial.ts";

export interface LoggedDecision {
  readonly requestId: string;
  readonly method: string;
  /** The route's key; `null` where no route was found. */
  readonly route: string | null;
  /** 0 where report mode forwards the request: there is no response yet. */
  readonly status: number;
  readonly principal: { readonly issuer: string; readonly subject: string | null; readonly tokenId: string } | null;
  readonly startedAtMilliseconds: number;
  readonly finishedAtMilliseconds: number;
}

interface LoggedRefusal extends LoggedDecision {
  readonly reason: Reason;
  /** The rule that a token broke, as a fixed word of the code; not sent to the client. */
  readonly detail?: string | undefined;
  /** Whether report mode forwarded the request all the same. */
  readonly reported: boolean;
}

export interface DecisionLog {
  /** Takes a function, because most allowed requests are not logged and need no record. */
  readonly allowed: (make: () => LoggedDecision) => void;
  readonly refused: (decision: LoggedRefusal) => void;
  /** A call of the admin API. Reads count as allowed requests. */
  readonly administered: (decision: LoggedDecision) => void;
  readonly failed: (requestId: string, error: unknown) => void;
}

/** The part of a Workers Analytics Engine dataset that is used here. */
interface Dataset {
  writeDataPoint(point: { indexes: string[]; blobs: (string | null)[]; doubles: number[] }): void;
}

/**
 * `write` takes a line without its line break; `random` is uniform in [0, 1). Every decision, sampled or not, is also a
 * data point of `dataset`, if given: index route; blobs event, method, reason, issuer, subject; doubles status and ms.
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
      // The point is too large, or the dataset fails: losing a point is better than answering 500.
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

/** An error's name and its first five stack frames, without the message with which a stack begins. */
export function placeOf(error: unknown): { error: string; at: string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { error: error.name, at: frames.slice(0, 5).map((line) => line.trim()) };
}
