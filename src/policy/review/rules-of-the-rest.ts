/** The rules of `scopegate check` about scopes, issuers, the origin and the mode. */
import type { Policy } from "../policy.ts";
import type { Route } from "../route.ts";
import { isPastSunset, isReserved, type Scope } from "../scope.ts";
import { isSecureUrl } from "../urls.ts";
import { answers } from "./cover.ts";
import { WRITES } from "./method.ts";
import { atScope, listOf, type Rule } from "./rule.ts";

const READS = ["GET", "HEAD"];
const YEAR_SECONDS = 365 * 86_400;

export const RULES_OF_THE_REST: readonly Rule[] = [
  {
    id: "SG101",
    severity: "warning",
    title: "A scope that no route needs",
    why: "tokens carry a name that opens nothing, and nobody notices when a route forgets to ask for it",
    mend: "let a route need it, let it imply one that a route needs, or remove it",
    *find(policy) {
      const opening = openingScopes(policy);
      for (const scope of declared(policy)) {
        if (!opening.has(scope)) yield atScope(scope.name, `no route needs "${scope.name}"`);
      }
    },
  },
  {
    id: "SG102",
    severity: "warning",
    title: "A scope that both reads and writes",
    why: "who is to look only must be given the power to change",
    mend: "split it in two, and let the one that writes imply the one that reads",
    *find(policy) {
      for (const scope of declared(policy)) {
        const routes = policy.routes.filter((route) => namesOf(route).includes(scope.name));
        const read = routes.find((route) => READS.some((method) => answers(route, method)));
        const write = routes.find((route) => WRITES.some((method) => answers(route, method)));
        if (read === undefined || write === undefined) continue;
        const routesNamed = read === write ? `"${read.key}"` : `"${read.key}" and "${write.key}"`;
        yield atScope(scope.name, `"${scope.name}" both reads and writes: ${routesNamed}`);
      }
    },
  },
  {
    id: "SG107",
    severity: "warning",
    title: "A sunset in the past",
    why: "nothing grants the scope any more, and a route that needs it refuses everybody",
    mend: "remove the scope and what needs it, or move its sunset",
    *find(policy, nowSeconds) {
      for (const scope of declared(policy)) {
        if (scope.sunsetAtSeconds === null || !isPastSunset(scope, nowSeconds)) continue;
        const keys = policy.routes.filter((route) => namesOf(route).includes(scope.name)).map(({ key }) => `"${key}"`);
        const needed =
          keys.length === 0 ? "" : `, and ${listOf(keys)} still ${keys.length === 1 ? "names" : "name"} it`;
        const day = new Date(scope.sunsetAtSeconds * 1000).toISOString().slice(0, 10);
        yield atScope(scope.name, `"${scope.name}" has set on ${day}${needed}`);
      }
    },
  },
  {
    id: "SG108",
    severity: "warning",
    title: "An issuer over plain http",
    why: "whoever can answer on that address signs tokens that this gateway believes",
    mend: "use https; plain http is for tests on one machine",
    *find(policy) {
      for (const [index, issuer] of policy.issuers.entries()) {
        const plain = [issuer.issuer, issuer.jwksUri ?? ""].find((url) => url.toLowerCase().startsWith("http:"));
        if (plain === undefined) continue;
        yield {
          at: issuer.issuer,
          path: ["issuers", index],
          message: `the issuer "${issuer.issuer}" speaks plain http`,
        };
      }
    },
  },
  {
    id: "SG109",
    severity: "warning",
    title: "A max_lifetime over a year",
    why: "a token that leaks unnoticed works on for all of it",
    mend: "set 365d or less, and rotate",
    *find(policy) {
      if (policy.tokens.maxLifetimeSeconds > YEAR_SECONDS) {
        const message = "[tokens] max_lifetime is longer than 365d";
        yield { at: "tokens", path: ["tokens", "max_lifetime"], message };
      }
      for (const scope of declared(policy)) {
        if (scope.maxLifetimeSeconds === null || scope.maxLifetimeSeconds <= YEAR_SECONDS) continue;
        yield atScope(scope.name, `the max_lifetime of "${scope.name}" is longer than 365d`);
      }
    },
  },
  {
    id: "SG110",
    severity: "warning",
    title: "Tokens without scopes that may do everything",
    why: "a token that was never meant for this API, and so names no scope, opens all of it",
    mend: "list the scopes that legacy_scopes is to grant",
    *find(policy) {
      for (const [index, issuer] of policy.issuers.entries()) {
        if (!issuer.legacyScopes?.includes("*")) continue;
        const message = `tokens of "${issuer.issuer}" without the claim "${issuer.scopeClaim}" may do everything`;
        yield { at: issuer.issuer, path: ["issuers", index, "legacy_scopes"], message };
      }
    },
  },
  {
    id: "SG111",
    severity: "warning",
    title: "Report mode",
    why: "nothing is refused for its token, its scopes, its resources or its conditions",
    mend: 'set mode = "enforce" once the log shows no refusal that was not meant',
    *find(policy) {
      if (policy.gateway.mode !== "report") return;
      yield { at: "gateway", path: ["gateway", "mode"], message: "the gateway reports and does not enforce" };
    },
  },
  {
    id: "SG112",
    severity: "warning",
    title: "An origin over plain http",
    why: "whoever is between the gateway and the API reads and changes what passes, tokens too",
    mend: "use https, or the service binding ORIGIN",
    *find(policy) {
      const { url } = policy.origin;
      if (url === null || isSecureUrl(url)) return;
      yield { at: "origin", path: ["origin", "url"], message: `the origin ${url} is reached over plain http` };
    },
  },
  {
    id: "SG116",
    severity: "warning",
    title: "An origin at the gateway's own address",
    why: "the gateway would forward each call to itself, in a loop; only a Worker on a route of its zone passes itself by",
    mend: "name the API's own address or use the service binding ORIGIN; silence this where the Worker is on such a route",
    *find({ origin: { url }, gateway: { publicUrl } }) {
      if (url === null || new URL(url).origin !== publicUrl) return;
      yield {
        at: "origin",
        path: ["origin", "url"],
        message: `the origin ${url} is at public_url, this gateway's own`,
      };
    },
  },
];

function declared(policy: Policy) {
  return policy.catalogue.scopes.filter((scope) => !isReserved(scope.name));
}

/** The scopes that any route names, and the scopes that imply one of these, transitively. */
function openingScopes({ routes, catalogue }: Policy): ReadonlySet<Scope> {
  const impliedBy = new Map<Scope, Scope[]>();
  for (const scope of catalogue.scopes) {
    for (const implied of catalogue.implied[scope.index] ?? []) {
      const others = impliedBy.get(implied);
      if (others === undefined) impliedBy.set(implied, [scope]);
      else others.push(scope);
    }
  }
  const opening = new Set<Scope>();
  const queue = [...new Set(routes.flatMap(namesOf))].flatMap((name) => catalogue.byName.get(name) ?? []);
  for (let scope = queue.pop(); scope !== undefined; scope = queue.pop()) {
    if (opening.has(scope)) continue;
    opening.add(scope);
    queue.push(...(impliedBy.get(scope) ?? []));
  }
  return opening;
}

function namesOf({ requirement }: Route): readonly string[] {
  return requirement.kind === "scopes" ? requirement.names : [];
}
