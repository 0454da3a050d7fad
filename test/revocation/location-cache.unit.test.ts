import { expect, test } from "vitest";
import { continuation } from "../../src/revocation/location-cache.ts";
import type { RevocationRow } from "../../src/revocation/revocation.ts";
import type { LogPosition } from "../../src/revocation/revocation-log.ts";

function row(sequence: number): RevocationRow {
  const times = { issuedBefore: null, effectiveAt: 1_000, expiresAt: null, createdAt: 1_000 + sequence };
  return { sequence, kind: "token", issuer: "https://i", value: `t${sequence}`, ...times, withdraws: false };
}
const at = (sequence: number, over: Partial<LogPosition> = {}): LogPosition => ({
  history: "h",
  sequence,
  createdAt: 1_000 + sequence,
  ...over,
});
const tail = { from: at(4), rows: [5, 6, 7, 8].map(row) };

test.each<[string, LogPosition, number[] | null]>([
  ["at its beginning takes all of its rows", at(4), [5, 6, 7, 8]],
  ["at its first row takes the rows behind it", at(5), [6, 7, 8]],
  ["within it takes the rows behind its place", at(7), [8]],
  ["at its end takes nothing, and is up to date", at(8), []],
  ["before its beginning cannot go on with it", at(3), null],
  ["behind its end cannot go on with it", at(9), null],
  ["at a row that was written at another time cannot go on with it", at(6, { createdAt: 9 }), null],
  ["at another row of the same second cannot go on with it", at(99, { createdAt: 1_006 }), null],
  ["in another history cannot go on with it", at(6, { history: "x" }), null],
  ["at its beginning, in another history, cannot go on with it", at(4, { history: "x" }), null],
])("a reader of a shared tail that is %s", (_, position, expected) => {
  expect(continuation(tail, position)?.map(({ sequence }) => sequence) ?? null).toEqual(expected);
});
