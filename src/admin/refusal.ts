/** The admin API's refusals, as values; `app.ts` renders them with `denialResponse`, as the gateway does its own. */
import type { Denial, FieldError } from "../denial.ts";

export type Refusal = Extract<Denial, { readonly errors: readonly FieldError[] }>;

/** A result, or the reason why there is none. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | Refused;

export interface Refused {
  readonly ok: false;
  readonly refusal: Refusal;
}

export function done<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

/** `record`: the record that caused the refusal, if the caller may see it; it becomes part of the problem document. */
export function refused(reason: Refusal["reason"], errors: readonly FieldError[], record?: unknown): Refused {
  return { ok: false, refusal: { reason, errors, ...(record === undefined ? {} : { record }) } };
}

export function invalid(field: string, message: string): Refused {
  return refused("request_invalid", [{ field, message }]);
}
