import { expect, test } from "vitest";
import { createDecisionLog, placeOf } from "../src/decision-log.ts";

const decision = {
  requestId: "r",
  method: "GET",
  route: "GET /x",
  status: 401,
  principal: null,
  startedAtMilliseconds: 0,
  finishedAtMilliseconds: 1,
};

test("a dataset that refuses a point costs the point, neither the line nor the answer", () => {
  const lines: string[] = [];
  const dataset = {
    writeDataPoint() {
      throw new TypeError("blobs are too large");
    },
  };
  const log = createDecisionLog(
    1,
    (line) => lines.push(line),
    () => 0,
    dataset,
  );
  log.refused({ ...decision, reason: "token_missing", reported: false });
  log.allowed(() => ({ ...decision, status: 200 }));
  log.administered({ ...decision, method: "POST", status: 201 });
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(["refused", "allowed", "administered"]);
});

test("a failure is told by its name and its places, never by its message, which may quote a token", () => {
  const { error, at } = placeOf(new TypeError("the token eyJhbGciOi is broken"));
  expect(error).toBe("TypeError");
  expect(at.length).toBeGreaterThan(0);
  expect(JSON.stringify(at)).not.toContain("eyJhbGciOi");
  expect(placeOf("eyJhbGciOi")).toEqual({ error: "string", at: [] });
});
