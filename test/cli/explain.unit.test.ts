/** What `scopegate explain` prints for people, to the letter but for the details, and what its options say of the call. */
import { afterAll, describe, expect, test } from "vitest";
import { directoryWith, scopegate } from "./run.ts";

const POLICY = `
[gateway]
public_url = "https://api.example.com"
[scopes."a:read"]
description = "d"
owner = "o"
[scopes."a:write"]
description = "d"
owner = "o"
[scopes.office]
description = "d"
owner = "o"
cidr = ["10.0.0.0/8"]
countries = ["DE"]
[routes]
"GET /a" = "a:read"
"PUT /a" = { any = ["a:read", ["a:write", "office"]], resource = ["a:1", "b:1"] }
"GET /a/:id" = { all = ["a:read"], resource = "a:{id}" }
"GET /a/all" = { all = ["a:read"], resource = [] }
"GET /office" = { all = ["office"], resource = [], max_token_age = "1h" }
"GET /header" = { all = ["a:read"], resource = "p:{header.X-Project}" }
`;
const directory = directoryWith({
  "scopegate.toml": POLICY,
  "report.toml": POLICY.replace("[gateway]", '[gateway]\nmode = "report"'),
});
afterAll(() => directory.remove());

const explain = (...args: readonly string[]) => scopegate(directory.path, ["explain", ...args]);

test.each<[string[], number, string[]]>([
  [
    ["GET", "/a/all", "--scopes", "a:read"],
    0,
    [
      "GET /a/all  allowed",
      "  ✓ path        is canonical",
      "  ✓ route       GET /a/all: is the most specific pattern that has GET",
      "  ✓ credentials one bearer token",
      "  ~ token       taken for a token of this gateway, issued now",
      "  ~ revocation  taken for not revoked",
      "  ✓ scopes      holds a:read",
      "  ✓ resources   the route touches none",
      "  ✓ conditions  there are none",
      "",
      "Other routes whose pattern has this path:",
      '  GET /a/:id  is less specific: its segment 2 is ":id", not "all"',
    ],
  ],
  [
    ["PUT", "/a"],
    1,
    [
      "PUT /a  401 token_missing",
      "  ✓ path        is canonical",
      "  ✓ route       PUT /a: is the most specific pattern that has PUT",
      "  ✗ credentials there is no token",
      "                needs Authorization: Bearer <token>",
      "  ✗ scopes      nothing grants a scope",
      "                needs a:read, or a:write and office",
      "  ✗ resources   nothing covers them",
      "                needs a:1, b:1",
      "  ✓ conditions  there are none",
      "",
      "Other routes whose pattern has this path:",
      "  GET /a  does not have PUT",
    ],
  ],
  [
    ["GET", "/office", "--scopes", "office", "--policy", "report.toml"],
    1,
    [
      "GET /office  403 condition_not_met",
      "  ✓ path        is canonical",
      "  ✓ route       GET /office: is the only pattern that has the path",
      "  ✓ credentials one bearer token",
      "  ~ token       taken for a token of this gateway, issued now",
      "  ~ revocation  taken for not revoked",
      "  ✓ scopes      holds office",
      "  ✓ resources   the route touches none",
      "  ✗ conditions  does not hold: cidr (office), countries (office)",
      "                needs an address in 10.0.0.0/8; a caller from DE",
      "",
      "Report mode: the refusal would be logged and the call forwarded.",
    ],
  ],
  [
    ["DELETE", "/office", "--policy", "report.toml"],
    1,
    [
      "DELETE /office  405 method_not_allowed",
      "  ✓ path        is canonical",
      "  ✗ route       no route has DELETE here",
      "                needs GET, HEAD",
      "",
      "Other routes whose pattern has this path:",
      "  GET /office  does not have DELETE",
      "",
      "Report mode: this is refused there too.",
    ],
  ],
  [
    ["GET", "/nowhere"],
    1,
    [
      "GET /nowhere  404 route_not_found",
      "  ✓ path        is canonical",
      "  ✗ route       no route has this path, and what is not mapped is refused",
    ],
  ],
  [
    ["GET", "/a%2Fb"],
    1,
    [
      "GET /a%2Fb  400 ambiguous_path",
      "  ✗ path        the path holds an encoded slash, and no route that says encoded_slash = true decides it",
    ],
  ],
])("prints of %j, with exit code %i, what each step comes to", async (args, code, lines) => {
  const ran = await explain(...args);
  expect({ ...ran, stdout: ran.stdout.split("\n") }).toEqual({ code, stdout: [...lines, ""], stderr: "" });
});

test.each([
  [["GET", "/a", "--scopes", "a:read"], undefined],
  [["GET", "/a"], "the refusal would be logged and the call forwarded"],
  [["GET", "/a/%2e"], "this is refused there too"],
  [["GET", "/_scopegate/routes"], "this is refused there too"],
])("says of %j what report mode makes of it: %s", async (args, effect) => {
  const { stdout } = await explain(...args, "--policy", "report.toml");
  expect(/Report mode: (.*)\.\n$/.exec(stdout)?.[1]).toBe(effect);
});

describe("asks as the call is described:", () => {
  const office = ["GET", "/office", "--scopes", "office"];
  const header = ["GET", "/header", "--scopes", "a:read", "--allow-list", "p:1"];

  test.each<[string[], string | undefined]>([
    [["GET", "/a", "--scopes", "a:read"], undefined],
    [["GET", "/a", "--scopes", "a:write\toffice"], "scope_insufficient"],
    [["GET", "/a", "--scopes", "a:read", "--allow-list", "a:1"], "resource_not_allowed"],
    [["GET", "/a/1", "--scopes", "a:read", "--allow-list", "b:1 a:1"], undefined],
    [["GET", "/a/2", "--scopes", "a:read", "--allow-list", "b:1 a:1"], "resource_not_allowed"],
    [[...office, "--ip", "10.1.2.3", "--country", "DE"], undefined],
    [[...office, "--ip", "10.1.2.3", "--country", "FR"], "condition_not_met"],
    [[...office, "--ip", "11.1.2.3", "--country", "DE"], "condition_not_met"],
    [[...header, "--header", "X-Project: 1"], undefined],
    [[...header, "--header", "x-PROJECT:1"], undefined],
    [[...header, "--header", "X-Other: 1"], "resource_not_allowed"],
    [[...header, "--header", "X-Project: 12"], "resource_not_allowed"],
    [[...header, "--header", "X-Project: 1", "--header", "X-Other: 2"], undefined],
    [[...header, "--header", "X-Project: 1", "--header", "x-project: 1"], "ambiguous_request"],
  ])("%j: %s", async (args, reason) => {
    const { code, stdout } = await explain(...args, "--json");
    const explanation = JSON.parse(stdout);
    expect([explanation.reason, explanation.allowed, code]).toEqual([reason, reason === undefined, reason ? 1 : 0]);
  });
});

test("writes nothing to the terminal that the call itself brings", async () => {
  const path = await explain("GET", "/a\u001b[2J\u009b\u202e");
  expect(path.stdout).toMatch(/^GET \/a\\u001b\[2J\\u009b\\u202e {2}400 ambiguous_path\n/);
  const scopes = await explain("GET", "/a", "--scopes", "a:read \u001b[2J");
  expect(scopes.stdout).toContain("the policy does not know \\u001b[2J, which grants nothing\n");
  const method = await explain("\u001b[2J", "/a");
  expect(method.stderr).toBe('scopegate: "\\u001b[2J" is no method\nSee npx scopegate explain --help.\n');
});

test("shows in colour what is in order, taken for granted and refused, where there are colours", async () => {
  const { stdout } = await scopegate(directory.path, ["explain", "GET", "/office", "--scopes", "office"], {
    FORCE_COLOR: "1",
  });
  for (const text of ["\u001b[32m✓\u001b[39m", "\u001b[33m~\u001b[39m", "\u001b[31m✗\u001b[39m", "\u001b[31m403 "]) {
    expect(stdout).toContain(text);
  }
});
