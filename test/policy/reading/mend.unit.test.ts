/** What is wrong in one place hides nothing that is wrong in another, and makes nothing up. */
import { expect, test } from "vitest";
import { loadPolicy } from "../../../src/policy/load.ts";

const GATEWAY = '[gateway]\npublic_url = "https://api.example.com"\n';
const scope = (name: string, lines = 'description = "d"\nowner = "o"'): string => `[scopes.${name}]\n${lines}\n`;
const ROUTES = '[routes]\n"GET /good" = "a"\n"GET /bad" = "nope"\n';
const BAD = 'routes."GET /bad"';

function pathsOf(text: string): string[] {
  const loaded = loadPolicy(text);
  return loaded.ok ? [] : loaded.faults.map(({ path }) => path).sort();
}

test.each<[string, string, string[]]>([
  ["a scope without an owner", GATEWAY + scope("a", 'description = "d"') + ROUTES, [BAD, "scopes.a.owner"]],
  [
    "a scope with an owner of another type",
    GATEWAY + scope("a", 'description = "d"\nowner = 5') + ROUTES,
    [BAD, "scopes.a.owner"],
  ],
  ["a scope that is no table", `${GATEWAY}[scopes]\na = 5\n${ROUTES}`, [BAD, "scopes.a"]],
  [
    "a scope whose name begins with another's",
    `${GATEWAY}[scopes]\na = 5\n${scope("ab", 'description = "d"\nowner = "o"\nimplies = ["zz"]')}${ROUTES}`,
    [BAD, "scopes.a", "scopes.ab.implies[0]"],
  ],
  ["a misspelt table of scopes", `${GATEWAY + scope("a")}[scope.b]\ndescription = "d"\n${ROUTES}`, [BAD, "scope"]],
  ["a misspelt table of routes", `${GATEWAY + scope("a")}[route]\n"GET /x" = "a"\n${ROUTES}`, [BAD, "route"]],
  ["no gateway", scope("a") + ROUTES, ["gateway", BAD]],
  ["a gateway that is no table", `gateway = 5\n${scope("a")}${ROUTES}`, ["gateway", BAD]],
  ["no public_url", `[gateway]\n${scope("a")}${ROUTES}`, ["gateway.public_url", BAD]],
  [
    "an issuer without an audience",
    `${GATEWAY}${scope("a")}[[issuers]]\nissuer = "https://i.example"\n[[issuers]]\nissuer = "x"\naudience = "y"\n${ROUTES}`,
    ["issuers[0].audience", "issuers[1].issuer", BAD],
  ],
  ["issuers that are no list", `issuers = 5\n${GATEWAY}${scope("a")}${ROUTES}`, ["issuers", BAD]],
  [
    "a bundle without scopes",
    `${GATEWAY}${scope("a")}[bundles.b]\ndescription = "d"\n${ROUTES}`,
    ["bundles.b.scopes", BAD],
  ],
  [
    "a wrong entry in a list",
    `${GATEWAY}${scope("a")}${ROUTES}"GET /list" = { all = ["a", 5] }\n`,
    [BAD, 'routes."GET /list".all[1]'],
  ],
  [
    "hours that lack two keys",
    `${GATEWAY}${scope("a")}${ROUTES}"GET /hours" = { all = ["a"], hours = { from = "08:00" } }\n`,
    [BAD, 'routes."GET /hours".hours.to', 'routes."GET /hours".hours.tz'],
  ],
  [
    "no routes",
    `${GATEWAY}${scope("a", 'description = "d"\nowner = "o"\nimplies = ["zz"]')}`,
    ["routes", "scopes.a.implies[0]"],
  ],
  [
    "routes that are no table",
    `routes = 5\n${GATEWAY}${scope("a", 'description = "d"\nowner = "o"\nimplies = ["zz"]')}`,
    ["routes", "scopes.a.implies[0]"],
  ],
])("%s", (_name, text, paths) => {
  expect(pathsOf(text)).toEqual([...paths].sort());
});

test.each([
  ['resource = "t:{header.x-gone}"', "{header.x-gone} is a header that the origin never gets from a client"],
  ['resource = ["t:*", "t:{header.y_z}"]', "{header.y_z}"],
  ['resource = "t:{header.x-forwarded-host}"', "{header.x-forwarded-host}"],
  ['resource = "t:{header.authorization}"', "{header.authorization}"],
])("a resource of a header that the gateway takes out is a fault: %s", (resource, message) => {
  const origin = '[origin]\nauthorization = "remove"\nremove_headers = ["X-Gone", "Y-*"]\n';
  const loaded = loadPolicy(`${GATEWAY}${origin}${scope("a")}[routes]\n"GET /x" = { all = ["a"], ${resource} }\n`);
  expect(loaded.ok ? [] : loaded.faults.map((fault) => fault.message)).toEqual([expect.stringContaining(message)]);
});
