/** A caller with a token that was never issued, to explain what such a token could do. */

import type { Policy } from "../policy.ts";
import type { AllowList } from "../resources/allow-list.ts";
import { grantOf, isWildcard } from "../scope.ts";
import type { Caller } from "./explain.ts";

export interface Hypothetical {
  readonly scopes: readonly string[];
  /** Absent: the token has no list. */
  readonly allowList?: AllowList;
  readonly nowSeconds: number;
}

/** The holder of a token of this gateway with these scopes, issued at `nowSeconds`, genuine and not revoked. */
export function holderOfScopes(policy: Policy, { scopes, allowList, nowSeconds }: Hypothetical): Caller {
  const grant = grantOf(policy.catalogue, scopes, { wildcards: true, admin: true }, nowSeconds);
  const unknown = scopes.filter((name) => !isWildcard(name) && !policy.catalogue.byName.has(name));
  const note = unknown.length === 0 ? "" : `; the policy does not know ${unknown.join(", ")}, which grants nothing`;
  return {
    kind: "holder",
    holder: { grant, allowList: allowList ?? { kind: "absent" }, conditions: [], issuedAtSeconds: nowSeconds },
    token: { detail: `taken for a token of this gateway, issued now${note}`, assumed: true },
    revocation: { detail: "taken for not revoked", assumed: true },
  };
}
