/**
 * Whether any request can reach a route. Asks the router itself for sample paths of the pattern, so that the answer
 * agrees with it. For the checks only; errs on the side of "yes".
 */
import type { Policy } from "../policy.ts";
import type { Route } from "../route.ts";
import type { Pattern } from "../routing/pattern.ts";

/** Sample values of a name: two, and unlikely in any pattern, so that a chance match of one is not a match of both. */
const VALUES = ["0", "~-~"];
/** How many segments are tried for a `/*`, and for a `:name+` after its first. */
const LENGTHS = [0, 1, 2, 3];

/** Why no request, or none with some of its methods, can reach the route; `null` where requests may. */
export function whyUnreached({ router }: Policy, route: Route, pattern: Pattern): string | null {
  if (!route.encodedSlash && /%(?:2F|5C)/.test(route.pattern)) {
    return `"${route.key}" can never be reached: its path holds an encoded slash, and it does not say encoded_slash = true`;
  }
  const paths = samplesOf(pattern);
  // `*` is passed to the router as it is, like a method that no route names.
  const lost = route.methods.filter((method) => paths.every((path) => router.find(method, path).kind === "ambiguous"));
  const [first] = lost;
  const [path] = paths;
  if (first === undefined || path === undefined) return null;
  const which = lost.length === route.methods.length ? "" : ` with ${lost.join(", ")}`;
  const refused = router.find(first, path);
  const other = refused.kind === "ambiguous" ? router.find(first, refused.read) : refused;
  const whose =
    other.kind === "found" && other.route !== route ? `"${other.route.key}"` : "another route or the gateway itself";
  return `"${route.key}" can never be reached${which}: its paths are those of ${whose} in another spelling`;
}

/** Paths that match the pattern, of several lengths where it allows more than one. */
function samplesOf({ segments, star }: Pattern): readonly string[] {
  const paths = LENGTHS.flatMap((length) =>
    VALUES.map((value) => {
      const below = `/${value}`.repeat(length);
      const path = segments.map((segment) => {
        if (segment.kind === "literal") return `/${segment.text}`;
        if (segment.kind === "mixed") return `/${segment.pieces.map((piece) => piece ?? value).join("")}`;
        return segment.kind === "rest" ? `/${value}${below}` : `/${value}`;
      });
      return `${path.join("")}${star ? below : ""}` || "/";
    }),
  );
  return [...new Set(paths)];
}
