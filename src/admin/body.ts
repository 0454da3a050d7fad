/**
 * Reads a request body: JSON of a bounded size that fits its schema, or a refusal that lists every fault.
 *
 * Guarantees: never buffers more than the limit, whatever `Content-Length` says; no message repeats a value of the body,
 * because it may be a token.
 */
import * as v from "valibot";
import type { FieldError } from "../denial.ts";
import { parseStrictJson } from "./json.ts";
import { done, invalid, type Outcome, refused } from "./refusal.ts";

const LARGEST_BODY = 64 * 1024;
/** Enough for a list of 5,000 revocations in one call. */
const LARGEST_LIST = 2 * 1024 * 1024;
const MOST_FAULTS = 100;

export interface BodyRules {
  /** Whether a missing body counts as `{}`. */
  readonly optional?: boolean;
  /** Whether the body may be a list, which may be as large as `LARGEST_LIST`. */
  readonly list?: boolean;
}

/** Reads a request's JSON. Refuses another content type (415), a body over the limit (413) and invalid JSON (400). */
export async function readJson(request: Request, rules: BodyRules = {}): Promise<Outcome<unknown>> {
  const bytes = await readBytes(request, rules.list === true);
  if (bytes === null) return refused("payload_too_large", [{ field: "body", message: "is over the limit" }]);
  if (bytes.length === 0 && rules.optional === true) return done({});
  if (!isJson(request.headers.get("Content-Type"))) {
    return refused("unsupported_media_type", [{ field: "Content-Type", message: "must be application/json" }]);
  }
  const json = parseStrictJson(bytes);
  if (!json.ok) return invalid("body", json.message);
  // A schema whose members are all optional would accept a list.
  if (Array.isArray(json.value) && rules.list !== true) return invalid("body", "must be an object");
  return done(json.value);
}

/** A reader that checks a value against a schema only. */
export function bySchema<Schema extends v.GenericSchema>(
  schema: Schema,
): (value: unknown) => Outcome<v.InferOutput<Schema>> {
  return (value) => {
    const result = v.safeParse(schema, value);
    return result.success ? done(result.output) : refused("request_invalid", faultsIn(result.issues));
  };
}

/** Every fault that a schema finds in a value; empty if it fits. */
export function faultsOf(schema: v.GenericSchema, value: unknown): FieldError[] {
  const result = v.safeParse(schema, value);
  return result.success ? [] : faultsIn(result.issues);
}

export function faultsIn(issues: readonly v.BaseIssue<unknown>[]): FieldError[] {
  return issues.flatMap((issue) => faultsOfIssue(issue, [])).slice(0, MOST_FAULTS);
}

/** The name of a field in a fault: `conditions.cidr.0`. Truncates keys, because a client may invent them. */
export function fieldName(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "body" : path.map((key) => String(key).slice(0, 64)).join(".");
}

function faultsOfIssue(issue: v.BaseIssue<unknown>, around: readonly PropertyKey[]): FieldError[] {
  const path = [...around, ...(issue.path ?? []).map((item) => item.key as PropertyKey)];
  // A field may be one object or a list of them: report the faults of the form that the client used.
  if (issue.type === "union" && issue.issues !== undefined) {
    const form = Array.isArray(issue.input) ? "array" : "object";
    const deeper = issue.issues.filter(({ kind, path }) =>
      path === undefined ? kind === "validation" : path[0]?.type === form,
    );
    if (deeper.length > 0) return deeper.flatMap((inner) => faultsOfIssue(inner, path));
  }
  return [{ field: fieldName(path), message: messageOf(issue) }];
}

/** Replaces valibot's own messages, because they quote the received value. */
function messageOf(issue: v.BaseIssue<unknown>): string {
  const isOwn = !issue.message.startsWith("Invalid ");
  if (isOwn) return issue.message;
  if (issue.expected === "never") return "is not a field of this call";
  if (issue.received === "undefined") return "is required";
  // For a union valibot's `expected` is "(Object | Array)".
  return issue.expected === null
    ? "is not valid"
    : `must be ${issue.expected.replace(/[()]/g, "").replaceAll(" | ", " or ")}`;
}

function isJson(contentType: string | null): boolean {
  return contentType !== null && /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(contentType);
}

/** The bytes of the body; `null` if there are more than the limit. */
async function readBytes(request: Request, mayBeList: boolean): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let limit = mayBeList ? LARGEST_LIST : LARGEST_BODY;
  if (Number(request.headers.get("Content-Length") ?? 0) > limit) return null;
  if (request.body === null) return new Uint8Array();
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done: ended, value } = await reader.read();
    if (ended) break;
    if (length === 0 && value.length > 0 && !beginsList(value)) limit = LARGEST_BODY;
    length += value.length;
    if (length > limit) {
      await reader.cancel().catch(() => undefined);
      return null;
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function beginsList(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === 0x5b;
}
