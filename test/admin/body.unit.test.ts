/** The body of a call: how much of it is read, as what, and how its faults are told. */
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { type BodyRules, faultsOf, fieldName, readJson } from "../../src/admin/body.ts";
import { issueSchema } from "../../src/admin/tokens/request.ts";

const KIB = 1024;
const JSON_TYPE = { "Content-Type": "application/json" };

/** A call whose body comes in these pieces, without a length unless the headers tell one. */
function callOf(pieces: readonly string[], headers: Record<string, string> = JSON_TYPE) {
  const bytes = pieces.map((piece) => new TextEncoder().encode(piece));
  const state = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = bytes.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
    cancel() {
      state.cancelled = true;
    },
  });
  const request = new Request("http://g", { method: "POST", body, headers, duplex: "half" } as RequestInit);
  return { request, state };
}

async function told(pieces: readonly string[], rules?: BodyRules, headers?: Record<string, string>): Promise<unknown> {
  const outcome = await readJson(callOf(pieces, headers).request, rules);
  return outcome.ok ? outcome.value : outcome.refusal.reason;
}

/** A JSON text of exactly so many bytes. */
const objectOf = (length: number) => `{"a":"${"x".repeat(length - 8)}"}`;
const listOf = (length: number) => `["${"x".repeat(length - 4)}"]`;

describe("a body", () => {
  test.each<[why: string, pieces: string[], rules: BodyRules, isRead: boolean]>([
    ["an object of 64 KiB", [objectOf(64 * KIB)], {}, true],
    ["an object of a byte more", [objectOf(64 * KIB + 1)], {}, false],
    ["a byte more in another piece", [objectOf(64 * KIB), " "], {}, false],
    ["a list of 2 MiB where it may be one", [listOf(2 * KIB * KIB)], { list: true }, true],
    ["a list of a byte more", [listOf(2 * KIB * KIB + 1)], { list: true }, false],
    ["an object of 64 KiB where it may be a list", [objectOf(64 * KIB)], { list: true }, true],
    ["an object of a byte more there", [objectOf(64 * KIB + 1)], { list: true }, false],
    ["a list behind white space", [` \t\r\n${listOf(65 * KIB)}`], { list: true }, true],
    ["a list behind an empty piece", ["", listOf(65 * KIB)], { list: true }, true],
    ["an object behind an empty piece", ["", objectOf(65 * KIB)], { list: true }, false],
    ["a long list in pieces", ["[", `"${"x".repeat(64 * KIB)}"`, "]"], { list: true }, true],
    ["an object whose second piece looks like a list", ['{"a":', `${listOf(65 * KIB)}}`], { list: true }, false],
  ])("that is %s: read %s", async (_why, pieces, rules, isRead) => {
    expect(await told(pieces, rules)).toEqual(isRead ? JSON.parse(pieces.join("")) : "payload_too_large");
  });

  test("is not waited for where its length is told as too much, and let go where it turns out so", async () => {
    const long = callOf([], { ...JSON_TYPE, "Content-Length": String(64 * KIB + 1) });
    expect(await readJson(long.request)).toMatchObject({ refusal: { reason: "payload_too_large" } });
    expect(long.request.bodyUsed).toBe(false);
    expect(await told([objectOf(64 * KIB)], {}, { ...JSON_TYPE, "Content-Length": String(64 * KIB) })).toBeTypeOf(
      "object",
    );
    const endless = callOf([objectOf(65 * KIB), " "]);
    await readJson(endless.request);
    expect(endless.state.cancelled).toBe(true);
  });

  test.each<[pieces: string[], rules: BodyRules, headers: Record<string, string>, told: unknown]>([
    [[], { optional: true }, {}, {}],
    [[""], { optional: true }, {}, {}],
    [[], {}, JSON_TYPE, "request_invalid"],
    [[], { optional: true, list: true }, {}, {}],
    [["{}"], { optional: true }, {}, "unsupported_media_type"],
    [[" "], { optional: true }, JSON_TYPE, "request_invalid"],
  ])("of %j under %j with %j is %j", async (pieces, rules, headers, expected) => {
    expect(await told(pieces, rules, headers)).toEqual(expected);
    if (pieces.length > 0) return;
    const bare = new Request("http://g", { method: "POST", headers });
    const outcome = await readJson(bare, rules);
    expect(outcome.ok ? outcome.value : outcome.refusal.reason).toEqual(expected);
  });

  test("may be a list where it may be one, and nowhere else", async () => {
    expect(await told(["[1]"], { list: true })).toEqual([1]);
    expect(await readJson(callOf(["[1]"]).request)).toMatchObject({
      refusal: { reason: "request_invalid", errors: [{ field: "body", message: "must be an object" }] },
    });
  });

  test.each<[contentType: string, isRead: boolean]>([
    ["application/json", true],
    ["Application/JSON ; charset=UTF-8", true],
    ['application/json;charset="utf-8"', true],
    ["application/json; charset=latin1", false],
    ["application/json5", false],
    ["text/json, application/json", false],
    ["application/problem+json", false],
  ])("of the type %s is JSON: %s", async (contentType, isRead) => {
    expect(await told(["{}"], {}, { "Content-Type": contentType })).toEqual(isRead ? {} : "unsupported_media_type");
  });
});

describe("faults", () => {
  test("are told of the form of a field that was meant", () => {
    const of = (conditions: unknown) => faultsOf(issueSchema, { name: "n", conditions }).map(({ field }) => field);
    expect(of({ ip: "x", cidr: 7 })).toEqual(["conditions.cidr", "conditions.ip"]);
    expect(of([{ countries: ["DE"] }, { ip: "x" }])).toEqual(["conditions.1.ip"]);
    expect(of("x")).toEqual(["conditions"]);
    expect(faultsOf(issueSchema, { name: "n", scopes: ["a"] })).toEqual([]);
  });

  test("say what is wrong and never what was sent", () => {
    const schema = v.strictObject({
      is: v.boolean(),
      must: v.string(),
      some: v.pipe(
        v.string(),
        v.check(() => false),
      ),
      own: v.pipe(v.string(), v.nonEmpty("must not be empty")),
    });
    const sent = { is: "hush", some: "hush", own: "", ["hush".repeat(20)]: "hush" };
    const faults = new Map(faultsOf(schema, sent).map(({ field, message }) => [field, message]));
    expect(faults).toEqual(
      new Map([
        ["is", "must be boolean"],
        ["must", "is required"],
        ["some", "is not valid"],
        ["own", "must not be empty"],
        ["hush".repeat(16), "is not a field of this call"],
      ]),
    );
    expect(faultsOf(schema, "hush")).toEqual([{ field: "body", message: "must be Object" }]);
    expect(fieldName(["a", 0, "b"])).toBe("a.0.b");
  });

  test("are told up to a hundred", () => {
    const schema = v.array(v.string());
    const count = (values: number) =>
      faultsOf(
        schema,
        Array.from({ length: values }, () => 7),
      ).length;
    expect([count(99), count(100), count(101)]).toEqual([99, 100, 100]);
  });
});
