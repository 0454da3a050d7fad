import { describe, expect, test } from "vitest";
import { compileRemovedHeaders, isRemoved, namedByConnection } from "../../src/request/removed-headers.ts";

describe("what Connection names", () => {
  test.each<[string | null, string[]]>([
    [null, []],
    ["", []],
    ["close", ["close"]],
    ["X-Tenant , X-OTHER", ["x-tenant", "x-other"]],
    ["upgrade, Upgrade", []],
    [
      "authorization, cdn-loop, cf-connecting-ip, content-length, cookie, expect, host, sec-websocket-key, true-client-ip",
      [],
    ],
    ["authorization-x, hosts", ["authorization-x", "hosts"]],
    ['not a name, "x", a(b)', []],
  ])("in %j is %j: nothing that belongs to the ends, and only names", (value, names) => {
    expect(namedByConnection(value)).toEqual(names);
  });
});

describe("what is found of names", () => {
  const removed = () => compileRemovedHeaders({ authorization: "forward", removeHeaders: ["X-Gone"] });

  test("is kept, five hundred of them at most, and no long ones", () => {
    const one = removed();
    for (let n = 0; n < 500; n++) expect(isRemoved(`x-${n}`, one)).toBe(false);
    expect(one.verdicts.size).toBe(500);
    expect(isRemoved("x-gone", one)).toBe(true);
    expect([...one.verdicts]).toEqual([["x-gone", true]]);
    isRemoved("a".repeat(65), one);
    expect(one.verdicts.size).toBe(1);
    isRemoved("a".repeat(64), one);
    expect(one.verdicts.size).toBe(2);
  });

  test("is not looked for again", () => {
    const one = removed();
    one.verdicts.set("x-kept", true);
    expect(isRemoved("x-kept", one)).toBe(true);
  });
});
