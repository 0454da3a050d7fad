import { toJsonSchema } from "@valibot/to-json-schema";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import {
  type ConditionFacts,
  type ConditionTable,
  compileConditions,
  conditionsSchema,
  failingCondition,
  readConditions,
} from "../../../src/policy/conditions/conditions.ts";

const NOW = Date.parse("2026-03-02T12:00:00Z") / 1000;
const FACTS: ConditionFacts = { address: "192.0.2.7", country: () => "DE", nowSeconds: NOW, issuedAtSeconds: NOW - 60 };

function failing(table: ConditionTable, facts: Partial<ConditionFacts> = {}): string | null {
  const conditions = compileConditions(v.parse(conditionsSchema, table));
  if (conditions === null) throw new Error("no condition");
  return failingCondition(conditions, { ...FACTS, ...facts });
}

describe("a condition on the address", () => {
  it("holds where the address is in one of the blocks", () => {
    expect(failing({ cidr: ["10.0.0.0/8", "192.0.2.0/24"] })).toBeNull();
    expect(failing({ cidr: ["10.0.0.0/8", "2001:db8::/32"] })).toBe("cidr");
    expect(failing({ cidr: ["192.0.2.7"] }, { address: "::ffff:192.0.2.7" })).toBeNull();
  });

  it("holds where the address is in none of those excluded", () => {
    expect(failing({ not_cidr: ["10.0.0.0/8"] })).toBeNull();
    expect(failing({ not_cidr: ["10.0.0.0/8", "192.0.2.0/24"] })).toBe("not_cidr");
    expect(failing({ not_cidr: ["192.0.2.0/24"] }, { address: "::ffff:c000:207" })).toBe("not_cidr");
    expect(failing({ cidr: ["192.0.2.0/24"], not_cidr: ["192.0.2.7"] })).toBe("not_cidr");
  });

  it.each([null, "", "unknown", "192.0.2.07", "192.0.2.7:443", "[2001:db8::1]", "fe80::1%eth0", "192.0.2.7, 10.0.0.1"])(
    "does not hold, nor does its opposite, for the unreadable address %j",
    (address) => {
      expect(failing({ cidr: ["0.0.0.0/0", "::/0"] }, { address })).toBe("cidr");
      expect(failing({ not_cidr: ["10.0.0.0/8"] }, { address })).toBe("not_cidr");
      expect(failing({ not_cidr: [] }, { address })).toBe("not_cidr");
    },
  );

  it("holds for nobody where the list is empty, and excludes nobody where that list is empty", () => {
    expect(failing({ cidr: [] })).toBe("cidr");
    expect(failing({ not_cidr: [] })).toBeNull();
  });
});

describe("a condition on the country", () => {
  it("holds for a listed country only", () => {
    expect(failing({ countries: ["FR", "DE"] })).toBeNull();
    expect(failing({ countries: ["FR"] })).toBe("countries");
    expect(failing({ countries: [] })).toBe("countries");
  });

  it.each([null, "", "de", "XX", "T1"])("does not hold for the country %j", (country) => {
    expect(failing({ countries: ["DE", "XK"] }, { country: () => country })).toBe("countries");
  });
});

describe("a condition on the token's age", () => {
  it.each([
    [0, null],
    [900, null],
    [901, "max_token_age"],
    [-30, null],
  ])("of 15m, at an age of %d seconds: %s", (age, expected) => {
    expect(failing({ max_token_age: "15m" }, { issuedAtSeconds: NOW - age })).toBe(expected);
  });

  it("does not hold for a token without iat", () => {
    expect(failing({ max_token_age: "365d" }, { issuedAtSeconds: null })).toBe("max_token_age");
    expect(failing({ max_token_age: "365d" }, { issuedAtSeconds: Number.NaN })).toBe("max_token_age");
  });
});

describe("a table of conditions", () => {
  const all: ConditionTable = {
    cidr: ["192.0.2.0/24"],
    not_cidr: ["192.0.2.128/25"],
    hours: { tz: "UTC", from: "08:00", to: "18:00" },
    countries: ["DE"],
    max_token_age: "15m",
  };

  it("tells the first that does not hold, in the order of the contract", () => {
    const night = Date.parse("2026-03-02T20:00:00Z") / 1000;
    expect(failing(all)).toBeNull();
    const worst = { address: "192.0.3.1", country: () => "FR", nowSeconds: night, issuedAtSeconds: 0 };
    expect(failing(all, worst)).toBe("cidr");
    expect(failing(all, { ...worst, address: "192.0.2.200" })).toBe("not_cidr");
    expect(failing(all, { ...worst, address: "192.0.2.7" })).toBe("hours");
    expect(failing(all, { ...worst, address: "192.0.2.7", nowSeconds: NOW })).toBe("countries");
    expect(failing(all, { ...worst, address: "192.0.2.7", nowSeconds: NOW, country: () => "DE" })).toBe(
      "max_token_age",
    );
  });

  it("is none where none of its keys is there", () => {
    expect(compileConditions({})).toBeNull();
    expect(compileConditions({ cidr: undefined, hours: undefined })).toBeNull();
  });

  it.each([
    ["an unknown key", { cdir: ["10.0.0.0/8"] }],
    ["one block outside a list", { cidr: "10.0.0.0/8" }],
    ["a bad block", { cidr: ["10.0.0.0/8", "10.0.0.0/08"] }],
    ["a block with host bits", { not_cidr: ["10.0.0.1/8"] }],
    ["a number", { cidr: [10] }],
    ["an unknown time zone", { hours: { tz: "Mars/Olympus", from: "00:00", to: "01:00" } }],
    ["hours that end where they begin", { hours: { tz: "UTC", from: "00:00", to: "00:00" } }],
    ["a country in lower case", { countries: ["de"] }],
    ["a country of three letters", { countries: ["DEU"] }],
    ["a code that no country has", { countries: ["UK"] }],
    ["Cloudflare's code for unknown", { countries: ["XX"] }],
    ["a bad duration", { max_token_age: "15 minutes" }],
    ["a duration of nothing", { max_token_age: "0s" }],
    ["a number of seconds", { max_token_age: 900 }],
    ["null", { cidr: null }],
    ["nothing", {}],
  ])("refuses %s", (_, table) => {
    const parsed = v.safeParse(conditionsSchema, table);
    expect(parsed.success).toBe(false);
    expect(parsed.issues?.map(({ message }) => message).join()).not.toBe("");
    expect(readConditions(table)).toBe("unreadable");
    expect(readConditions([all, table])).toBe("unreadable");
  });

  it("says what is wrong, and where", () => {
    const parsed = v.safeParse(conditionsSchema, { cidr: ["10.0.0.7/24"], countries: ["UK"] });
    expect(parsed.issues?.map((issue) => [v.getDotPath(issue), issue.message])).toEqual([
      ["cidr.0", 'the address lies inside the block: did you mean "10.0.0.0/24"?'],
      ["countries.0", "expected a country code of ISO 3166-1"],
    ]);
  });

  it("has a JSON Schema", () => {
    const schema = toJsonSchema(conditionsSchema, { errorMode: "ignore" });
    expect(Object.keys(schema.properties ?? {})).toEqual(["cidr", "not_cidr", "hours", "countries", "max_token_age"]);
    expect(schema.additionalProperties).toBe(false);
  });
});

describe("a token's conditions", () => {
  it("are none where the claim is absent", () => {
    expect(readConditions(undefined)).toEqual([]);
  });

  it("are one table or a list of tables", () => {
    expect(readConditions({ countries: ["DE"] })).toHaveLength(1);
    expect(readConditions([{ countries: ["DE"] }, { max_token_age: "1h" }])).toHaveLength(2);
    expect(readConditions([{ countries: ["DE"] }])).toEqual(readConditions({ countries: ["DE"] }));
  });

  it.each([
    ["null", null],
    ["text", "cidr"],
    ["a number", 1],
    ["true", true],
    ["an empty list", []],
    ["an empty table", {}],
    ["a list with an empty table", [{ countries: ["DE"] }, {}]],
    ["a nested list", [[{ countries: ["DE"] }]]],
    ["a list of text", ["DE"]],
    ["a list with null", [{ countries: ["DE"] }, null]],
    ["a prototype key", JSON.parse('{"__proto__": {"countries": ["DE"]}}')],
    ["a prototype key beside a condition", JSON.parse('{"countries": ["DE"], "__proto__": {"countries": ["FR"]}}')],
    ["a constructor", { countries: ["DE"], constructor: "x" }],
  ])("are unreadable where they are %s", (_, claim) => {
    expect(readConditions(claim)).toBe("unreadable");
  });

  it("never throw, whatever the claim is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (claim) => {
        const read = readConditions(claim);
        expect(read === "unreadable" || read.length > 0).toBe(true);
      }),
    );
  });
});
