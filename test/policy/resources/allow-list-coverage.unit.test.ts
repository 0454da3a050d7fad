import { describe, expect, it } from "vitest";
import { type AllowList, readAllowList } from "../../../src/policy/resources/allow-list.ts";
import { coverage } from "../../../src/policy/resources/allow-list-coverage.ts";
import { type AllowListTemplate, parseTemplate } from "../../../src/policy/resources/allow-list-template.ts";

interface Call {
  readonly values?: readonly string[];
  readonly query?: string;
  readonly headers?: Record<string, string>;
}

function template(text: string, names: readonly string[] = ["id"], hasStar = true): AllowListTemplate {
  const parsed = parseTemplate(text, names, hasStar);
  if ("error" in parsed) throw new Error(parsed.error);
  return parsed;
}

function asked({ values = ["1", ""], query = "", headers = {} }: Call) {
  const sent = new Headers(headers);
  return { values, query, header: (name: string) => sent.get(name) };
}

/** What comes out for a list (`undefined`: the token has none) and one or more templates. */
function outcome(claim: unknown, texts: string | readonly string[], call: Call = {}): string {
  const templates = [texts].flat().map((text) => template(text));
  const result = coverage(templates, readAllowList(claim), asked(call));
  return result.kind === "not_covered" ? result.resource : result.kind;
}

const UNRESTRICTED: readonly AllowList[] = [{ kind: "absent" }, { kind: "all" }];
const NOTHING: readonly AllowList[] = [{ kind: "empty" }, { kind: "unreadable" }];

describe("a route", () => {
  it("that names no resource needs *:*", () => {
    for (const list of UNRESTRICTED) expect(coverage(null, list, asked({}))).toEqual({ kind: "covered" });
    for (const list of [...NOTHING, readAllowList(["a:*", "b:1"])]) {
      expect(coverage(null, list, asked({}))).toEqual({ kind: "not_covered", resource: "*:*" });
    }
    expect(outcome(["a:*"], "*:*")).toBe("*:*");
    expect(outcome(["*:*"], "*:*")).toBe("covered");
  });

  it("that touches none takes any list but an empty or unreadable one", () => {
    for (const list of [...UNRESTRICTED, readAllowList(["a:1"])])
      expect(coverage([], list, asked({}))).toEqual({ kind: "covered" });
    for (const list of NOTHING) expect(coverage([], list, asked({}))).toEqual({ kind: "not_covered", resource: "*:*" });
  });

  it("refuses an empty and an unreadable list whatever it touches", () => {
    for (const claim of [[], null, "charge:1", ["charge"], [["charge:1"]]]) {
      for (const text of ["charge:{id}", "charge:*", "file:{*}", "*:*"]) expect(outcome(claim, text)).toBe("*:*");
    }
  });

  it("needs each of its templates, and tells the first that is not covered", () => {
    const both = ["charge:{id}", "project:{query.p}"];
    expect(outcome(["charge:1", "project:x"], both, { query: "?p=x" })).toBe("covered");
    expect(outcome(["charge:1", "project:y"], both, { query: "?p=x" })).toBe("project:{query.p}");
    expect(outcome(["charge:2", "project:y"], both, { query: "?p=x" })).toBe("charge:{id}");
  });
});

describe("an id from the path", () => {
  it.each([
    [["charge:1"], "1", true],
    [["charge:*"], "1", true],
    [["*:*"], "1", true],
    [undefined, "1", true],
    [["charge:1"], "2", false],
    [["charge:1"], "11", false],
    [["charge:11"], "1", false],
    [["charge:A"], "a", false],
    [["Charge:1"], "1", false],
    [["file:1"], "1", false],
    [["charge:p*"], "p1", false],
    [["charge:p*"], "p*", true],
    [["charge:my%20file"], "my%20file", true],
    [["charge:@acme%2Fhello"], "@acme%2Fhello", true],
    [["charge:@acme%2Fhello"], "%40acme%2Fhello", false],
    [["charge:1:x"], "1:x", true],
    [["charge:1"], "1:x", false],
    [["charge:__proto__"], "__proto__", true],
    [["charge:1"], "constructor", false],
    [["charge:1"], "*", false],
    [["charge:*"], "*", false],
    [["*:*"], "*", false],
    [undefined, "*", false],
    [undefined, "%2A", false],
    [["charge:*"], "%2A", false],
    [["charge:*"], "x".repeat(257), true],
    [["*:*"], "x".repeat(2000), true],
    [["charge:1"], "x".repeat(257), false],
    [[`charge:${"x".repeat(256)}`], "x".repeat(256), true],
  ])("with the list %j, %s: %s", (claim, value, covered) => {
    expect(outcome(claim, "charge:{id}", { values: [value, ""] })).toBe(covered ? "covered" : "charge:{id}");
  });
});

describe("a star", () => {
  it.each([
    [["file:a/b"], "a/b", true],
    [["file:a"], "a/b", false],
    [["file:a/*"], "a/b", false],
    [["file:a%2Fb"], "a/b", false],
    [["file:*"], "a/b", true],
    [["file:a"], "", false],
    [["file:*"], "", true],
    [["*:*"], "", true],
    [undefined, "", true],
    [["file:*"], "*", false],
    [undefined, "*", false],
    [undefined, "a/*", true],
  ])("with the list %j, %j: %s", (claim, value, covered) => {
    expect(outcome(claim, "file:{*}", { values: ["1", value] })).toBe(covered ? "covered" : "file:{*}");
  });
});

describe("an id from the query", () => {
  it.each([
    [["project:p1"], "?project=p1", "covered"],
    [["project:p1"], "?project=p2", "no"],
    [["project:p1"], "?x=1&project=p1", "covered"],
    [["project:my%20file"], "?project=my+file", "covered"],
    [["project:my%20file"], "?project=my%20file", "covered"],
    [["project:@acme%2Fhello"], "?project=%40acme/hello", "covered"],
    [["project:caf%C3%A9"], "?project=caf%C3%A9", "covered"],
    [["project:caf%C3%A9"], "?project=cafe%CC%81", "no"],
    [["project:p1"], "", "no"],
    [["project:p1"], "?project", "no"],
    [["project:p1"], "?project=", "no"],
    [["project:*"], "", "covered"],
    [["project:*"], "?project=", "covered"],
    [["project:*"], "?project=p9", "covered"],
    [["project:*"], "?project=*", "no"],
    [["project:*"], "?project=%2A", "no"],
    [undefined, "?project=*", "no"],
    [undefined, "", "covered"],
    [["project:*"], `?project=${"x".repeat(257)}`, "covered"],
    [[`project:${"x".repeat(256)}`], `?project=${"x".repeat(257)}`, "no"],
  ])("with the list %j, %j: %s", (claim, query, expected) => {
    expect(outcome(claim, "project:{query.project}", { query })).toBe(
      expected === "no" ? "project:{query.project}" : expected,
    );
  });

  it.each([
    "?project=p1&project=p2",
    "?project=p1&project=p1",
    "?project=p1&project[]=p2",
    "?project=p1&Project=p2",
    "?project=%ff",
    "?project=%00",
    "?project=p1%0A",
    "?project=..",
    "?project=a/../b",
    "?project=%2500",
    "?project=p1;x",
  ])("is ambiguous for everybody in %j", (query) => {
    for (const claim of [undefined, ["*:*"], ["project:*"], ["project:p1"], ["other:1"], [], null]) {
      expect(outcome(claim, "project:{query.project}", { query })).toBe("ambiguous");
      expect(outcome(claim, ["charge:{id}", "project:{query.project}"], { query })).toBe("ambiguous");
    }
  });

  it("is not read where no template asks for it", () => {
    expect(outcome(["charge:1"], "charge:{id}", { query: "?project=p1&project=p2" })).toBe("covered");
  });
});

describe("an id from a header", () => {
  it.each([
    [["tenant:t1"], { "X-Tenant": "t1" }, "covered"],
    [["tenant:t1"], { "X-Tenant": "t2" }, "no"],
    [["tenant:t%201"], { "X-Tenant": "t 1" }, "covered"],
    [["tenant:t1"], {}, "no"],
    [["tenant:t1"], { "X-Tenant": "" }, "no"],
    [["tenant:*"], {}, "covered"],
    [["tenant:*"], { "X-Tenant": "" }, "covered"],
    [["tenant:*"], { "X-Tenant": "*" }, "no"],
    [undefined, { "X-Tenant": "*" }, "no"],
    [undefined, {}, "covered"],
    [["tenant:t1"], { "X-Tenant": "t1", Connection: "keep-alive" }, "covered"],
    [["tenant:t1"], { "X-Tenant": "t1", Connection: "X-TENANT" }, "no"],
    [["tenant:t1"], { "X-Tenant": "t1", Connection: "close , x-tenant" }, "no"],
    [["tenant:*"], { "X-Tenant": "t1", Connection: "x-tenant" }, "covered"],
  ])("with the list %j, %j: %s", (claim, headers, expected) => {
    expect(outcome(claim, "tenant:{header.x-tenant}", { headers })).toBe(
      expected === "no" ? "tenant:{header.x-tenant}" : expected,
    );
  });

  it.each([
    { "X-Tenant": "t1, t2" },
    { "X-Tenant": "t1,t1" },
    { "X-Tenant": "," },
    { "X-Tenant": "t1", X_Tenant: "t2" },
    { X_Tenant: "t1" },
    { "X-Tenant": "t\u00e9" },
    { "X-Tenant": "t\t1" },
    { "X-Tenant": "t%31" },
    { "X-Tenant": ".." },
  ])("is ambiguous for everybody in %j", (headers) => {
    for (const claim of [undefined, ["*:*"], ["tenant:*"], ["tenant:t1"]]) {
      expect(outcome(claim, "tenant:{header.x-tenant}", { headers })).toBe("ambiguous");
    }
  });
});

describe("an id of several parts", () => {
  const repo = (claim: unknown, values: readonly string[], call: Call = {}) => {
    const templates = [template("repo:{owner}/{name}", ["owner", "name"], false)];
    return coverage(templates, readAllowList(claim), asked({ ...call, values })).kind;
  };

  it("is joined as the template says", () => {
    expect(repo(["repo:acme/hello"], ["acme", "hello"])).toBe("covered");
    expect(repo(["repo:acme/hello"], ["acme", "world"])).toBe("not_covered");
    expect(repo(["repo:acme/*"], ["acme", "hello"])).toBe("not_covered");
    expect(repo(["repo:*"], ["acme", "hello"])).toBe("covered");
    expect(repo(undefined, ["*", "*"])).toBe("covered");
  });

  it("is the whole type where a slash in one part could pass for the one between them", () => {
    expect(repo(["repo:acme/a/b"], ["acme", "a/b"])).toBe("covered");
    expect(repo(["repo:acme/a/b"], ["acme/a", "b"])).toBe("not_covered");
    expect(repo(["repo:*"], ["acme/a", "b"])).toBe("covered");
  });

  it("is the whole type where one part is missing", () => {
    const call = { values: ["1", ""] };
    expect(outcome(["p:1/x"], "p:{id}/{query.q}", { ...call, query: "?q=x" })).toBe("covered");
    expect(outcome(["p:1/x", "p:1"], "p:{id}/{query.q}", call)).toBe("p:{id}/{query.q}");
    expect(outcome(["p:*"], "p:{id}/{query.q}", call)).toBe("covered");
    expect(outcome(["p:*"], "p:{id}/{query.q}", { ...call, query: "?q=1&q=2" })).toBe("ambiguous");
    expect(outcome(["p:1/.txt"], "p:{id}/{query.q}.txt", call)).toBe("p:{id}/{query.q}.txt");
  });

  it("throws rather than asks for too little where the router found too few values", () => {
    expect(() => repo(["repo:*"], ["acme"])).toThrow("fewer values");
  });
});
