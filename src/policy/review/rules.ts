/**
 * The numbered rules of `scopegate check`: what each looks for, why it matters and how to mend it. The table in
 * docs/checks.md is made from this one. A number, once given, keeps its meaning.
 */

import type { Policy } from "../policy.ts";
import type { Route } from "../route.ts";
import { type Pattern, parsePattern } from "../routing/pattern.ts";
import { isReserved, type Scope } from "../scope.ts";
import { isSecureUrl } from "../urls.ts";
import { answers, coversPattern, lets, shareMethod } from "./cover.ts";
import { oddMethod } from "./method.ts";
import { whyUnreached } from "./reach.ts";

export type Severity = "error" | "warning";

interface Hit {
  readonly at: string;
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  readonly why: string;
  readonly mend: string;
  readonly find: (policy: Policy, nowSeconds: number) => Iterable<Hit>;
}

const WRITES = ["POST", "PUT", "PATCH", "DELETE"];
const READS = ["GET", "HEAD"];
const YEAR_SECONDS = 365 * 86_400;
const NAMED_AT_MOST = 3;

/** What the command says of a policy that does not load; `load.ts` finds these. */
export const INVALID: Omit<Rule, "find"> = {
  id: "SG001",
  severity: "error",
  title: "The policy does not load",
  why: "a policy with a fault never serves",
  mend: "correct what the message names",
};

/** Found by `checkPolicy` itself, once all other rules have spoken. */
export const STALE_SILENCE: Omit<Rule, "find"> = {
  id: "SG190",
  severity: "warning",
  title: "A silence that silences nothing",
  why: "it would hide the next finding of its kind, for a reason that no longer holds",
  mend: "remove it from [[checks.silence]]",
};

export const RULES: readonly Rule[] = [
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
    id: "SG103",
    severity: "warning",
    title: "A route that writes and needs no scope",
    why: "anybody, or anybody with a token of any kind, can change what lies behind it",
    mend: "let it need a scope that says what it changes",
    *find(policy) {
      for (const route of policy.routes) {
        if (route.requirement.kind === "scopes" || !WRITES.some((method) => answers(route, method))) continue;
        const who = route.requirement.kind === "public" ? "is public" : "asks for any token";
        yield atRoute(route, `"${route.key}" writes and ${who}`);
      }
    },
  },
  {
    id: "SG104",
    severity: "warning",
    title: "A wide route that asks for less than a narrower one under it",
    why: "a sibling of the narrow route that is forgotten, or misspelt, falls through to the wide one",
    mend: "let the wide route ask for as much, make it narrower, or map every call by itself",
    *find(policy) {
      const routes = policy.routes.map((route) => ({ route, pattern: patternOf(route) }));
      for (const wide of routes) {
        if (!isWide(wide.pattern) && !wide.route.methods.includes("*")) continue;
        const under = routes.filter(
          (narrow) =>
            narrow !== wide &&
            narrow.route.requirement.kind !== "public" &&
            coversPattern(wide.pattern, narrow.pattern) &&
            isNarrower(narrow, wide) &&
            shareMethod(wide.route, narrow.route) &&
            !lets(wide.route.requirement, narrow.route.requirement, policy.catalogue),
        );
        if (under.length === 0) continue;
        const keys = listOf(under.map(({ route }) => `"${route.key}"`));
        yield atRoute(wide.route, `"${wide.route.key}" lets in whom ${keys} would refuse`);
      }
    },
  },
  {
    id: "SG105",
    severity: "warning",
    title: "A path that can be written and not be read",
    why: "the read is forgotten, or another route that was not meant for it answers it",
    mend: "map its GET, or silence this for a path that only takes commands",
    *find(policy) {
      const readers = policy.routes.filter((route) => answers(route, "GET")).map(patternOf);
      for (const route of policy.routes) {
        if (answers(route, "GET") || !WRITES.some((method) => answers(route, method))) continue;
        const pattern = patternOf(route);
        if (readers.some((reader) => coversPattern(reader, pattern))) continue;
        yield atRoute(route, `"${route.key}" writes and no route reads ${route.pattern}`);
      }
    },
  },
  {
    id: "SG106",
    severity: "warning",
    title: "A wildcard route without a resource",
    why: "it needs an allow list of *:*, so tokens that are cut to some resources can never use it",
    mend: 'name what the star stands for (resource = "file:{*}"), or say that it touches none (resource = [])',
    *find(policy) {
      for (const route of policy.routes) {
        if (route.requirement.kind === "public" || route.resources !== null || !isWide(patternOf(route))) continue;
        yield atRoute(route, `"${route.key}" has a wildcard and names no resource`);
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
        if (scope.sunsetAtSeconds === null || scope.sunsetAtSeconds > nowSeconds) continue;
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
    id: "SG113",
    severity: "warning",
    title: "A method that nobody sends",
    why: "the route answers no call, and those that were meant for it are refused or fall on another",
    mend: 'write the methods as they are sent, several with commas ("GET,PUT")',
    *find(policy) {
      for (const route of policy.routes) {
        for (const method of route.methods) {
          const odd = oddMethod(method);
          if (odd !== null) yield atRoute(route, `"${route.key}": ${odd}`);
        }
      }
    },
  },
  {
    id: "SG114",
    severity: "warning",
    title: "A resource that takes a name to the letter",
    why: "every call asks for one and the same target, so no allow list can tell the resources apart",
    mend: 'write the name in braces (resource = "charge:{charge}")',
    *find(policy) {
      for (const route of policy.routes) {
        for (const { text, type } of route.resources ?? []) {
          const id = text.slice(type.length + 1);
          const meant = bracedNames(id, patternOf(route).names);
          if (!id.startsWith(":") && meant === id) continue;
          const hint = meant === id ? "" : `; did you mean "${type}:${meant}"?`;
          yield atRoute(route, `"${route.key}" takes "${text}" to the letter${hint}`);
        }
      }
    },
  },
  {
    id: "SG115",
    severity: "warning",
    title: "A route that no request can reach",
    why: "its calls are refused with ambiguous_path, whatever their token",
    mend: "remove it; or say encoded_slash = true on it, or case_sensitive_paths = true if the origin tells cases apart",
    *find(policy) {
      for (const route of policy.routes) {
        const why = whyUnreached(policy, route, patternOf(route));
        if (why !== null) yield atRoute(route, why);
      }
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

/** The scopes that a route needs, and those that imply one of them, transitively. */
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

function patternOf(route: Route): Pattern {
  const pattern = parsePattern(route.pattern);
  if ("error" in pattern) throw new Error(`a loaded policy has the pattern ${route.pattern}: ${pattern.error}`);
  return pattern;
}

/** An id with the pattern's names in braces where it has them behind a colon, at the beginning of a segment. */
function bracedNames(id: string, names: readonly string[]): string {
  return id.replace(/(^|\/):(\w+)/g, (written, before: string, name: string) =>
    names.includes(name) ? `${before}{${name}}` : written,
  );
}

function isWide(pattern: Pattern): boolean {
  return pattern.star || pattern.segments.some((segment) => segment.kind === "rest");
}

/** Given that `wide` covers it: whether `narrow` has fewer paths, or the same ones for fewer methods. */
function isNarrower(narrow: { route: Route; pattern: Pattern }, wide: { route: Route; pattern: Pattern }): boolean {
  if (!coversPattern(narrow.pattern, wide.pattern)) return true;
  return wide.route.methods.includes("*") && !narrow.route.methods.includes("*");
}

function listOf(names: readonly string[]): string {
  if (names.length <= NAMED_AT_MOST) return names.join(", ");
  return `${names.slice(0, NAMED_AT_MOST).join(", ")} and ${names.length - NAMED_AT_MOST} more`;
}

function atRoute(route: Route, message: string): Hit {
  return { at: route.key, path: ["routes", route.key], message };
}

function atScope(name: string, message: string): Hit {
  return { at: name, path: ["scopes", name], message };
}
