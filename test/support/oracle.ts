/**
 * A second, slow and obvious implementation of the whole decision, written from the contract alone. It shares no code
 * with src/: a fault would have to be made twice, in two ways, to pass both.
 *
 * Leaves out what other tests hold: whether the token is genuine, revocation, report mode, the gateway's own routes.
 */
import type { OracleConditions, OraclePolicy, OracleRequest, OracleToken, Verdict } from "./oracle-policy.ts";
import { type Match, routeOf } from "./oracle-route.ts";

/** What the contract says of one call. `token` is `null` where there is none. */
export function verdict(policy: OraclePolicy, token: OracleToken | null, request: OracleRequest): Verdict {
  const [path = "", ...rest] = request.target.split("?");
  const routed = routeOf(policy, request.method, path);
  if (routed.kind === "ambiguous") return no("ambiguous_path", null);
  if (routed.kind === "unknown") return no("route_not_found", null);
  if (routed.kind === "no_method") return { ...no("method_not_allowed", null), allOf: routed.allow };

  const { match } = routed;
  const { key, route } = match;
  if (route.public === true) {
    const failing = failingKeys([route], request, undefined);
    return failing.length > 0
      ? { ...no("condition_not_met", key), oneOf: failing }
      : { allowed: true, route: key, scopes: [] };
  }
  if (token === null) return no("token_missing", key);

  const granted = grantedBy(policy, token, request.nowSeconds);
  const alternatives = alternativesOf(match).filter((scopes) => scopes.every((scope) => granted.has(scope)));
  if (alternatives.length === 0) return { ...no("scope_insufficient", key), allOf: alternativesOf(match).flat() };

  const resources = resourceStep(match, token, request, rest.join("?"));
  if (resources === "ambiguous") return no("ambiguous_request", key);
  if (resources.length > 0) return { ...no("resource_not_allowed", key), oneOf: resources };

  const tables = conditionTables(token.conditions);
  if (tables === null) {
    const others = failingKeys([route], request, token.iat);
    return { ...no("condition_not_met", key), oneOf: [...others, "token"] };
  }
  const always = failingKeys([route, ...tables], request, token.iat);
  if (always.length > 0) return { ...no("condition_not_met", key), oneOf: always };
  const failing: string[] = [];
  for (const scopes of alternatives) {
    const keys = failingKeys(
      scopes.map((scope) => policy.scopes.get(scope) ?? {}),
      request,
      token.iat,
    );
    if (keys.length === 0) return { allowed: true, route: key, scopes };
    failing.push(...keys);
  }
  return { ...no("condition_not_met", key), oneOf: failing };
}

function no(reason: string, route: string | null) {
  return { allowed: false, reason, route } as const;
}

function alternativesOf({ route }: Match): string[][] {
  if (route.all !== undefined) return [[...new Set(route.all)]];
  if (route.any !== undefined)
    return route.any.map((entry) => (typeof entry === "string" ? [entry] : [...new Set(entry)]));
  return [[]];
}

/** Every scope that a token has, by name, by wildcard or by implication, at a time. */
function grantedBy(policy: OraclePolicy, token: OracleToken, nowSeconds: number): ReadonlySet<string> {
  const alive = [...policy.scopes.keys()].filter((name) => {
    const sunset = policy.scopes.get(name)?.sunset;
    return sunset === undefined || nowSeconds < Date.parse(`${sunset}T00:00:00Z`) / 1000;
  });
  const granted = new Set<string>();
  for (const name of alive) {
    for (const held of token.scopes) {
      const isWildcard = token.wildcards && /^(.*[:.])?\*$/s.test(held);
      if (held === name || (isWildcard && name.startsWith(held.slice(0, -1)))) granted.add(name);
    }
  }
  for (let before = -1; before !== granted.size; ) {
    before = granted.size;
    for (const name of [...granted]) {
      for (const implied of policy.scopes.get(name)?.implies ?? []) if (alive.includes(implied)) granted.add(implied);
    }
  }
  return granted;
}

interface Target {
  readonly type: string;
  /** `null`: the whole type. */
  readonly id: string | null;
}

/** The templates that the token's list does not cover. */
function resourceStep(match: Match, token: OracleToken, request: OracleRequest, query: string): string[] | "ambiguous" {
  const templates = match.route.resource ?? ["*:*"];
  const targets = templates.map((template) => targetOf(template, match, request, query));
  if (targets.includes("ambiguous")) return "ambiguous";
  const list = token.allowList === undefined ? ["*:*"] : token.allowList;
  if (!isAllowList(list)) return ["*:*"];
  return templates.filter((_, index) => {
    const target = targets[index];
    if (target === undefined || target === "ambiguous" || target.id === "*" || target.id === "%2A") return true;
    const { type, id } = target;
    const byItself = id !== null && id.length <= 256 && list.includes(`${type}:${id}`);
    return !byItself && !list.includes(`${type}:*`) && !list.includes("*:*");
  });
}

function targetOf(template: string, match: Match, request: OracleRequest, query: string): Target | "ambiguous" {
  const colon = template.indexOf(":");
  const type = template.slice(0, colon);
  const id = template.slice(colon + 1);
  if (id === "*") return { type, id: null };
  const values = [...id.matchAll(/\{([^}]*)\}/g)].map((found) => meaningOf(found[1] ?? "", match, request, query));
  if (values.includes(null)) return "ambiguous";
  // Two requests must not ask for one id: only the last may bring slashes of its own.
  if (values.includes("") || values.slice(0, -1).some((value) => value?.includes("/"))) return { type, id: null };
  return { type, id: id.replace(/\{[^}]*\}/g, () => values.shift() ?? "") };
}

/** What a placeholder stands for; empty for nothing; `null` where that is ambiguous. */
function meaningOf(name: string, match: Match, request: OracleRequest, query: string): string | null {
  if (name.startsWith("query.")) {
    const all = new URLSearchParams(query).getAll(name.slice("query.".length));
    return all.length > 1 ? null : spelt(all[0] ?? "");
  }
  if (name.startsWith("header.")) {
    const value = request.headers[name.slice("header.".length)] ?? "";
    return value.includes(",") ? null : spelt(value);
  }
  const value = match.values.get(name);
  if (value === undefined) throw new Error(`no value for ${name}`);
  return value;
}

/** A decoded value in the spelling of a path segment. */
function spelt(value: string): string {
  return encodeURIComponent(value).replace(/%(24|26|2B|2C|3A|3D|40)/g, decodeURIComponent);
}

/** Not empty, and each entry `*:*`, `type:*` or `type:id`. */
function isAllowList(list: unknown): list is string[] {
  if (!Array.isArray(list) || list.length === 0 || new Set(list).size > 128) return false;
  return list.every((entry) => {
    if (typeof entry !== "string") return false;
    if (entry === "*:*") return true;
    const [, id] = /^[A-Za-z0-9._~-]{1,256}:(.{1,256})$/.exec(entry) ?? [];
    return id !== undefined && id !== "%2A" && /^([A-Za-z0-9._~!$&'()*+,=:@/-]|%[0-9A-F]{2})+$/.test(id);
  });
}

const KEYS = ["cidr", "not_cidr", "hours", "countries", "max_token_age"];

function conditionTables(claim: unknown): OracleConditions[] | null {
  if (claim === undefined) return [];
  const tables: unknown[] = Array.isArray(claim) ? claim : [claim];
  const readable = tables.every(
    (table) =>
      typeof table === "object" &&
      table !== null &&
      !Array.isArray(table) &&
      Object.keys(table).length > 0 &&
      Object.keys(table).every((key) => KEYS.includes(key)),
  );
  return tables.length > 0 && readable ? (tables as OracleConditions[]) : null;
}

/** The keys that do not hold, in any of the tables. */
function failingKeys(tables: readonly OracleConditions[], request: OracleRequest, iat: number | undefined): string[] {
  return tables.flatMap((table) => {
    const { cidr, not_cidr, hours, countries, max_token_age } = table;
    const address = bitsOf(request.address ?? "");
    const failing: string[] = [];
    if (cidr !== undefined && (address === null || !cidr.some((block) => isIn(block, address)))) failing.push("cidr");
    if (not_cidr !== undefined && (address === null || not_cidr.some((block) => isIn(block, address))))
      failing.push("not_cidr");
    if (hours !== undefined && !isWithin(hours, request.nowSeconds)) failing.push("hours");
    if (countries !== undefined && (request.country === null || !countries.includes(request.country)))
      failing.push("countries");
    if (max_token_age !== undefined && (iat === undefined || request.nowSeconds - iat > seconds(max_token_age))) {
      failing.push("max_token_age");
    }
    return failing;
  });
}

/** An address as a string of 32 or 128 bits; `null` where it is none. Mapped addresses are IPv4. */
function bitsOf(address: string): string | null {
  const text = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (/^(0|[1-9]\d*)(\.(0|[1-9]\d*)){3}$/.test(text)) {
    const octets = text.split(".").map(Number);
    return octets.some((octet) => octet > 255)
      ? null
      : octets.map((octet) => octet.toString(2).padStart(8, "0")).join("");
  }
  if (!/^[0-9a-f:]+$/i.test(text) || text.split("::").length > 2) return null;
  const [head = "", tail] = text.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...(tail ?? [])];
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}

function isIn(block: string, address: string): boolean {
  const [network = "", length] = block.split("/");
  const bits = bitsOf(network);
  if (bits === null || bits.length !== address.length) return false;
  const mapped = network.includes(":") && bits.length === 32;
  return address.startsWith(bits.slice(0, length === undefined ? 128 : Number(length) - (mapped ? 96 : 0)));
}

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const wallClocks = new Map<string, Intl.DateTimeFormat>();

function isWithin({ tz, days, from, to }: NonNullable<OracleConditions["hours"]>, nowSeconds: number): boolean {
  const format =
    wallClocks.get(tz) ?? new Intl.DateTimeFormat("sv-SE", { timeZone: tz, dateStyle: "short", timeStyle: "short" });
  wallClocks.set(tz, format);
  // The Swedish short form is ISO 8601: 2026-03-29 03:00.
  const wall = format.format(nowSeconds * 1000);
  const weekday = new Date(`${wall.slice(0, 10)}T00:00:00Z`).getUTCDay();
  const time = wall.slice(11, 16);
  const today = days.includes(DAYS[weekday] ?? "");
  const yesterday = days.includes(DAYS[(weekday + 6) % 7] ?? "");
  return from < to ? today && from <= time && time < to : (today && from <= time) || (yesterday && time < to);
}

function seconds(duration: string): number {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
  return Number.parseInt(duration, 10) * (units[duration.slice(-1)] ?? Number.NaN);
}
