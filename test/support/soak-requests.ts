/** The requests of the soak: a route of the policy with words in it, as it is or changed, and what the origin must see of it. */
import type { OracleRequest } from "./oracle-policy.ts";
import { pick } from "./soak-callers.ts";
import { SOAK_POLICY } from "./soak-policy.ts";

const ROUTES = [...SOAK_POLICY.routes.keys()].map((key) => {
  const [methods = "", pattern = ""] = key.split(" ");
  return { methods: methods === "*" ? ["GET", "PATCH", "OPTIONS"] : methods.split(","), pattern };
});
const WORDS = ["a1", "a1", "b2", "my%20file", "caf%C3%A9", "@acme%2Fhello", "*", "export", "%61%31", "a+b"];
const QUERIES = [
  "",
  "",
  "?project=a1",
  "?project=b2",
  "?project=a1&project=b2",
  "?project=",
  "?project=caf%C3%A9",
  "?x=1",
];
const ADDRESSES = ["192.0.2.7", "192.0.2.200", "10.1.2.3", "203.0.113.9", "2001:db8::1", "::ffff:192.0.2.7"];
/** What the URL parser before the gateway leaves as it is. */
const SUFFIXES = [
  "%2f",
  "%5C..",
  "%252e",
  "%00",
  ";a=b",
  "%3B",
  "//x",
  "%zz",
  "%c0%af",
  "%ff",
  "/",
  "/more",
  "%20",
  "%2e",
];

/** A request; its headers are what it carries besides the token. */
export function drawnRequest(random: () => number): OracleRequest {
  const { methods, pattern } = pick(ROUTES, random);
  let path = pattern
    .replace(/:[a-z]+/g, () => pick(WORDS, random))
    .replace("*", () => pick(["", "a1", "a1/b2", "x/y/z"], random));
  const change = random();
  if (change < 0.06) path += pick(SUFFIXES, random);
  else if (change < 0.09) path = path.toUpperCase();
  else if (change < 0.12) path = path.replace(/[a-z](?=[^a-z]*$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
  else if (change < 0.14) path = `/unknown${path}`;
  // What the parser would rewrite is the business of tests that send raw bytes (path-bypass).
  if (new URL(path, "http://h").pathname !== path) path = pattern.startsWith("/v1") ? "/v1/me" : "/health";
  const method = random() < 0.93 ? pick(methods, random) : pick(["GET", "HEAD", "POST", "DELETE", "PUT"], random);
  const tenant = random();
  return {
    method,
    target: path + pick(QUERIES, random),
    headers: tenant < 0.4 ? {} : { "x-tenant": pick(["a1", "b2", "a1, b2", "*"], random) },
    address: pick(ADDRESSES, random),
    country: null,
    nowSeconds: 0,
  };
}

/** The target in its canonical spelling, for one that is not ambiguous. */
export function canonicalTarget(target: string): string {
  const [path = "", ...query] = target.split("?");
  const canonical = path.replace(/%[0-9a-f]{2}/gi, (octet) => {
    const char = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(char) ? char : octet.toUpperCase();
  });
  return [canonical, ...query].join("?");
}
