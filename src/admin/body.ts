/**
 * The body of a call: JSON, of a bounded size, in the shape of its schema, or a refusal that lists every fault.
 *
 * Guarantees: no more than the limit is ever held in memory, whatever `Content-Length` says; no message repeats a value
 * of the body, which may be a token.
 */
import * as v from "valibot";
import type { FieldError } from "../denial.ts";
import { parseStrictJson } from "./json.ts";
import { done, invalid, type Outcome, refused } from "./refusal.ts";

const LARGEST_BODY = 64 * 1024;
/** A list of 5,000 revocations in one call. */
const LARGEST_LIST = 2 * 1024 * 1024;
const MOST_FAULTS = 100;

export interface BodyRules {
  /** Whether a call without a body is one with `{}`. */
  readonly optional?: boolean;
  /** Whether a body may be a list, and then as large as `LARGEST_LIST`. */
  readonly list?: boolean;
}

/** Reads a request's JSON. 415 for another content type, 413 over the limit, 400 for what is no strict JSON. */
export async function readJson(request: Request, rules: BodyRules = {}): Promise<Outcome<unknown>> {
  const bytes = await readBytes(request, rules.list === true);
  if (bytes === null) return refused("payload_too_large", [{ field: "body", message: "is over the limit" }]);
  if (bytes.length === 0 && rules.optional === true) return done({});
  if (!isJson(request.headers.get("Content-Type"))) {
    return refused("unsupported_media_type", [{ field: "Content-Type", message: "must be application/json" }]);
  }
  const json = parseStrictJson(bytes);
  if (!json.ok) return invalid("body", json.message);
  // To a schema of optional members a list is an object that has none of them.
  if (Array.isArray(json.value) && rules.list !== true) return invalid("body", "must be an object");
  return done(json.value);
}

/** A reader that knows no more than a schema. */
export function bySchema<Schema extends v.GenericSchema>(
  schema: Schema,
): (value: unknown) => Outcome<v.InferOutput<Schema>> {
  return (value) => {
    const result = v.safeParse(schema, value);
    return result.success ? done(result.output) : refused("request_invalid", faultsIn(result.issues));
  };
}

/** Every fault that a schema finds in a value; none where it fits. */
export function faultsOf(schema: v.GenericSchema, value: unknown): FieldError[] {
  const result = v.safeParse(schema, value);
  return result.success ? [] : faultsIn(result.issues);
}

export function faultsIn(issues: readonly v.BaseIssue<unknown>[]): FieldError[] {
  return issues.flatMap((issue) => faultsOfIssue(issue, [])).slice(0, MOST_FAULTS);
}

/** A path into a body as a fault names it: `conditions.cidr.0`. What a client invented is cut short. */
export function fieldName(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "body" : path.map((key) => String(key).slice(0, 64)).join(".");
}

function faultsOfIssue(issue: v.BaseIssue<unknown>, around: readonly PropertyKey[]): FieldError[] {
  const path = [...around, ...(issue.path ?? []).map((item) => item.key as PropertyKey)];
  // Of the forms that a field may have, a table or a list of them, tell what is wrong with the one that was meant.
  if (issue.type === "union" && issue.issues !== undefined) {
    const form = Array.isArray(issue.input) ? "array" : "object";
    const deeper = issue.issues.filter(({ kind, path }) =>
      path === undefined ? kind === "validation" : path[0]?.type === form,
    );
    if (deeper.length > 0) return deeper.flatMap((inner) => faultsOfIssue(inner, path));
  }
  return [{ field: fieldName(path), message: messageOf(issue) }];
}

/** valibot's own messages quote what they received. */
function messageOf(issue: v.BaseIssue<unknown>): string {
  const isOwn = !issue.message.startsWith("Invalid ");
  if (isOwn) return issue.message;
  if (issue.expected === "never") return "is not a field of this call";
  if (issue.received === "undefined") return "is required";
  // Of several forms valibot says "(Object | Array)".
  return issue.expected === null
    ? "is not valid"
    : `must be ${issue.expected.replace(/[()]/g, "").replaceAll(" | ", " or ")}`;
}

function isJson(contentType: string | null): boolean {
  return contentType !== null && /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(contentType);
}

/** `null` where there are more bytes than the limit. */
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
