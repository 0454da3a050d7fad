/** What the oracle is asked about: a policy as TOML has it, a token's claims, a request. Plain data, no code of src/. */

export interface OraclePolicy {
  readonly caseSensitivePaths: boolean;
  readonly scopes: ReadonlyMap<string, OracleScope>;
  /** By key: `GET,POST /v1/charges/:charge`. */
  readonly routes: ReadonlyMap<string, OracleRoute>;
}

export interface OracleConditions {
  readonly cidr?: readonly string[];
  readonly not_cidr?: readonly string[];
  readonly hours?: {
    readonly tz: string;
    readonly days: readonly string[];
    readonly from: string;
    readonly to: string;
  };
  readonly countries?: readonly string[];
  readonly max_token_age?: string;
}

export interface OracleScope extends OracleConditions {
  readonly implies: readonly string[];
  /** A day, `2027-03-01`. */
  readonly sunset?: string;
}

export interface OracleRoute extends OracleConditions {
  readonly all?: readonly string[];
  readonly any?: readonly (string | readonly string[])[];
  readonly authenticated?: true;
  readonly public?: true;
  readonly resource?: readonly string[];
  readonly encoded_slash?: boolean;
}

export interface OracleToken {
  readonly scopes: readonly string[];
  /** Of its issuer: whether a trailing `*` is a wildcard. */
  readonly wildcards: boolean;
  readonly allowList?: unknown;
  readonly conditions?: unknown;
  readonly iat?: number;
}

export interface OracleRequest {
  readonly method: string;
  /** As it came: a path, perhaps with a query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly address: string | null;
  readonly country: string | null;
  readonly nowSeconds: number;
}

export type Verdict =
  | { readonly allowed: true; readonly route: string; readonly scopes: readonly string[] }
  | {
      readonly allowed: false;
      readonly reason: string;
      readonly route: string | null;
      /** What the refusal may name: methods, scopes, a resource, a condition. All of them, or one of them. */
      readonly allOf?: readonly string[];
      readonly oneOf?: readonly string[];
    };
