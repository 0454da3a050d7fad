/**
 * From a token's text to who is asking, or to why not (contract §3, step token).
 *
 * Guarantees: the issuer is chosen by the exact `iss`, and only its own keys, algorithms and audiences count; the algorithm is
 * decided before a key is looked for; that a token has expired is only said of one that is otherwise valid and truly signed. An
 * issuer that cannot be asked is `keys_unavailable`, never a verdict on the token.
 * Leaves to `revocation/` whether the token has been revoked, to `policy/decision.ts` what it may do.
 *
 * Claims are judged before the signature, since most refusals then cost no cryptography and no fetch; nothing of that is told,
 * because all refusals but the one for age are the same to the client.
 */

import { readConditions } from "../policy/conditions/conditions.ts";
import type { IssuerPolicy, Policy } from "../policy/policy.ts";
import { readAllowList } from "../policy/resources/allow-list.ts";
import { fingerprint } from "../revocation/fingerprint.ts";
import type { Fingerprint } from "../revocation/subject.ts";
import { signedPartName } from "../revocation/token-name.ts";
import { tokenCache } from "./cache.ts";
import {
  authenticatedAt,
  type ClaimFault,
  type ClaimsOutcome,
  judgeClaims,
  judgeOwnClaims,
  type TokenClaims,
} from "./claims.ts";
import { grantsUnder } from "./grants.ts";
import { type Jws, parseJws } from "./jws.ts";
import type { Behind, KeySource, KeyTrouble } from "./key-source.ts";
import { canonicalAlgorithm, type ImportedKey } from "./keys.ts";
import type { CopyStore } from "./keys-copy.ts";
import type { Principal } from "./principal.ts";
import type { Fetch } from "./published-keys.ts";
import { remoteKeys } from "./remote-keys.ts";
import { OWN_SCOPES, type ScopesPolicy, scopesOf } from "./scopes.ts";
import { secretKey } from "./secret-key.ts";
import { signerOf } from "./signature.ts";
import { ownKeys, type SigningKeys } from "./signing-keys.ts";

export interface Verifier {
  /** A token that this isolate has verified before and that is still good; synchronous, no I/O. */
  recall(token: string, nowSeconds: number): Principal | undefined;
  /**
   * Verifies a token. Waits for the issuer at most as long as one look takes, six seconds. Does not ask whether it has been
   * revoked.
   */
  verify(token: string, nowSeconds: number, behind: Behind): Promise<Principal | TokenRefusal>;
}

export type TokenRefusal =
  /** `detail` is for the log only: a fixed word, never a part of the token. */
  | { readonly reason: "token_invalid"; readonly detail: TokenFault }
  | { readonly reason: "token_expired" }
  | { readonly reason: "keys_unavailable"; readonly retryAfterSeconds: number };

type TokenFault = ClaimFault | "shape" | "issuer" | "algorithm" | "key" | "signature" | "ancestors";

export interface VerifierOptions {
  readonly policy: Policy;
  /** The Worker's bindings, of which the secrets that the policy names are read. */
  readonly bindings: Readonly<Record<string, unknown>>;
  readonly signingKeys: () => Promise<SigningKeys>;
  readonly fetch: Fetch;
  /** The clock, in seconds. */
  readonly now: () => number;
  /** The KV namespace that keeps copies of the issuers' keys; `null`: none are kept. */
  readonly copies: CopyStore | null;
  readonly report: (trouble: KeyTrouble) => void;
}

/** One who may sign tokens, and by what its tokens are judged. */
interface Party {
  readonly issuer: string;
  readonly own: boolean;
  /** By their canonical names. */
  readonly algorithms: ReadonlySet<string>;
  readonly scopes: ScopesPolicy;
  readonly source: KeySource;
  judge(jws: Jws, nowSeconds: number): ClaimsOutcome;
}

const MAX_ANCESTORS = 16;

/** Whether the result of `verify` is a refusal. */
export function isRefusal(result: Principal | TokenRefusal): result is TokenRefusal {
  return "reason" in result;
}

/** The verifier for one policy; holds its issuers' keys and the tokens it has verified. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { policy } = options;
  const skewSeconds = policy.gateway.clockSkewSeconds;
  const parties = partiesOf(options);
  const grants = grantsUnder(policy.catalogue);
  const cache = tokenCache();

  function principalOf(
    party: Party,
    jws: Jws,
    claims: TokenClaims,
    tokenId: string,
    key: ImportedKey,
    keysUntil: number,
    nowSeconds: number,
  ): Principal | TokenRefusal {
    const { payload } = jws;
    const ancestors = party.own ? ancestorsOf(payload) : [];
    if (ancestors === null) return invalid("ancestors");
    const issuedAtSeconds = party.own ? authenticatedAt(payload, claims.issuedAtSeconds) : claims.issuedAtSeconds;
    if (issuedAtSeconds === undefined) return invalid("times");
    const { grant, scopes, maxLifetimeSeconds } = grants(scopesOf(payload, party.scopes), nowSeconds);
    // A token of this gateway lives no longer than its scopes may, however it got them (contract §2).
    const endSeconds = party.own
      ? Math.min(claims.expiresAtSeconds, (claims.issuedAtSeconds ?? 0) + maxLifetimeSeconds)
      : claims.expiresAtSeconds;
    if (nowSeconds >= endSeconds + skewSeconds) return { reason: "token_expired" };

    return {
      issuer: party.issuer,
      subject: claims.subject,
      client: claims.client,
      tokenId,
      keyId: key.keyId,
      ancestors,
      elderIssuers: elderIssuersOf(ancestors),
      fingerprints: [
        fingerprint(party.issuer, tokenId),
        ...ancestors.map((name) => ancestorFingerprint(party.issuer, name)),
      ],
      issuedAtSeconds,
      expiresAtSeconds: endSeconds,
      goodUntilSeconds: Math.min(endSeconds + skewSeconds, grant.goodUntilSeconds, keysUntil),
      own: party.own,
      scopes,
      grant,
      allowList: readAllowList(claimOf(payload, "allow_list")),
      conditions: party.own ? readConditions(claimOf(payload, "conditions")) : [],
    };
  }

  return {
    recall(token, nowSeconds) {
      const cached = cache.get(token, nowSeconds);
      // Keys that are due are looked at behind a request, which only `verify` can do.
      return cached === undefined || cached.source.isDue(nowSeconds) ? undefined : cached.principal;
    },

    async verify(token, nowSeconds, behind) {
      const cached = cache.get(token, nowSeconds);
      if (cached !== undefined) {
        cached.source.refresh(nowSeconds, behind);
        return cached.principal;
      }
      const jws = parseJws(token);
      if (jws === null) return invalid("shape");
      const { alg, kid } = jws.header;
      const issuer = claimOf(jws.payload, "iss");
      const party = typeof issuer === "string" ? parties.get(issuer) : undefined;
      if (party === undefined) return invalid("issuer");
      if (!party.algorithms.has(canonicalAlgorithm(alg))) return invalid("algorithm");
      const outcome = party.judge(jws, nowSeconds);
      if (outcome.kind === "invalid") return invalid(outcome.fault);

      const { source } = party;
      const looked = source.find(kid, alg, nowSeconds, behind);
      const found = looked instanceof Promise ? await looked : looked;
      if ("retryAfterSeconds" in found)
        return { reason: "keys_unavailable", retryAfterSeconds: found.retryAfterSeconds };
      if (found.keys.length === 0) return invalid("key");
      const key = await signerOf(token, alg, found.keys);
      if (key === null) return invalid("signature");
      if (outcome.kind === "expired") return { reason: "token_expired" };

      const tokenId = outcome.claims.jti ?? (await signedPartName(jws.signedPart));
      const principal = principalOf(party, jws, outcome.claims, tokenId, key, found.goodUntilSeconds, nowSeconds);
      if (!isRefusal(principal)) cache.set(token, { principal, source, generation: found.generation });
      return principal;
    },
  };
}

function partiesOf(options: VerifierOptions): ReadonlyMap<string, Party> {
  const { policy, signingKeys, report } = options;
  const { publicUrl, clockSkewSeconds } = policy.gateway;
  const parties = new Map<string, Party>();
  for (const issuer of policy.issuers) {
    parties.set(issuer.issuer, {
      issuer: issuer.issuer,
      own: false,
      algorithms: new Set(issuer.algorithms.map(canonicalAlgorithm)),
      scopes: issuer,
      source: sourceOf(issuer, options),
      judge: (jws, nowSeconds) => judgeClaims(jws, issuer, nowSeconds, clockSkewSeconds),
    });
  }
  // Last: no entry of the policy can stand in for the gateway itself.
  parties.set(publicUrl, {
    issuer: publicUrl,
    own: true,
    algorithms: new Set(["ES256", "EdDSA"]),
    scopes: OWN_SCOPES,
    source: ownKeys(publicUrl, signingKeys, report),
    judge: (jws, nowSeconds) => judgeOwnClaims(jws, policy.tokens.audience, nowSeconds, clockSkewSeconds),
  });
  return parties;
}

function sourceOf(issuer: IssuerPolicy, options: VerifierOptions): KeySource {
  const { bindings, fetch, copies, now, report } = options;
  const { issuer: name, jwksUri, secret } = issuer;
  if (secret === null) return remoteKeys({ issuer: name, jwksUri, fetch, copies, now, report });
  return secretKey(name, secret, Object.hasOwn(bindings, secret) ? bindings[secret] : undefined, report);
}

/** The issuers that the ancestors name, each once; of those without one this gateway is the issuer. */
function elderIssuersOf(ancestors: readonly string[]): readonly string[] {
  const foreign = ancestors.filter((name) => name.includes(" "));
  return [...new Set(foreign.map((name) => name.slice(0, name.indexOf(" "))))];
}

/** An ancestor that another issuer signed is named by its issuer, a space and its id; no id of this gateway has a space. */
function ancestorFingerprint(issuer: string, name: string): Fingerprint {
  const space = name.indexOf(" ");
  return space < 0 ? fingerprint(issuer, name) : fingerprint(name.slice(0, space), name.slice(space + 1));
}

/** The ids in the claim `ancestors`; `null` where it is no list of them. */
function ancestorsOf(payload: Jws["payload"]): readonly string[] | null {
  const claim = claimOf(payload, "ancestors");
  if (claim === undefined) return [];
  if (!Array.isArray(claim) || claim.length > MAX_ANCESTORS) return null;
  return claim.every((id) => typeof id === "string" && id !== "") ? claim : null;
}

function claimOf(payload: Jws["payload"], name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

function invalid(detail: TokenFault): TokenRefusal {
  return { reason: "token_invalid", detail };
}
