/**
 * Turns a token's text into a principal or a refusal (contract §3, step token).
 *
 * Guarantees: the exact `iss` selects the issuer, and only its own keys, algorithms and audiences count; the algorithm is
 * checked before any key is looked up; `token_expired` is only returned for a token that is otherwise valid and correctly
 * signed. If the issuer's keys cannot be obtained, the result is `keys_unavailable`, never a verdict on the token.
 * Leaves to `revocation/` whether the token has been revoked, to `policy/decision.ts` what it may do.
 *
 * Claims are judged before the signature, because most refusals then cost no cryptography and no fetch. This order reveals
 * nothing: the client sees the same refusal for every invalid token, and `token_expired` only after the signature check.
 */

import type { Behind } from "../deadline.ts";
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
import type { KeySource, KeyTrouble } from "./key-source.ts";
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
  /** The principal of a token that this isolate has verified before and that is still valid; synchronous, no I/O. */
  recall(token: string, nowSeconds: number): Principal | undefined;
  /**
   * Verifies a token. Waits at most six seconds for the issuer's keys. Does not check whether the token has been
   * revoked.
   */
  verify(token: string, nowSeconds: number, behind: Behind): Promise<Principal | TokenRefusal>;
}

export type TokenRefusal =
  /** `detail` is for the log only: a fixed word, never text from the token. */
  | { readonly reason: "token_invalid"; readonly detail: TokenFault }
  | { readonly reason: "token_expired" }
  | { readonly reason: "keys_unavailable"; readonly retryAfterSeconds: number };

type TokenFault = ClaimFault | "shape" | "issuer" | "algorithm" | "key" | "signature" | "ancestors";

export interface VerifierOptions {
  readonly policy: Policy;
  /** The Worker's bindings; only the secrets that the policy names are read. */
  readonly bindings: Readonly<Record<string, unknown>>;
  readonly signingKeys: () => Promise<SigningKeys>;
  readonly fetch: Fetch;
  /** The clock, in seconds. */
  readonly now: () => number;
  /** The store for copies of the issuers' keys; `null`: no copies are kept. */
  readonly copies: CopyStore | null;
  readonly report: (trouble: KeyTrouble) => void;
}

/** An accepted issuer (or this gateway), and how its tokens are judged. */
interface Party {
  readonly issuer: string;
  readonly own: boolean;
  /** As `canonicalAlgorithm` names them. */
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

/** Creates the verifier for one policy. It holds the issuers' keys and the principals of the tokens it has verified. */
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
    // `max_lifetime` applies whatever the token's `exp` is, and however the token came to hold the scope (contract §2).
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
      // A due refresh needs `behind`, which only `verify` has.
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
  // Set last, so that no `[[issuers]]` entry can replace the gateway itself.
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

/** The other issuers that the ancestors name, each once. An ancestor without an issuer is this gateway's own. */
function elderIssuersOf(ancestors: readonly string[]): readonly string[] {
  const foreign = ancestors.filter((name) => name.includes(" "));
  return [...new Set(foreign.map((name) => name.slice(0, name.indexOf(" "))))];
}

/** `name` is an id of this gateway, or another issuer, a space and an id; no id of this gateway contains a space. */
function ancestorFingerprint(issuer: string, name: string): Fingerprint {
  const space = name.indexOf(" ");
  return space < 0 ? fingerprint(issuer, name) : fingerprint(name.slice(0, space), name.slice(space + 1));
}

/** The names in the claim `ancestors`; `null` where it is not a valid list. */
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
