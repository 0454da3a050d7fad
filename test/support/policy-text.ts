/** The text of a policy for one test: what every policy needs, and what the test is about. */

export const PUBLIC_URL = "https://gateway.example.com";
export const AUDIENCE = "https://api.example.com";

export interface PolicyText {
  /** Lines of `[gateway]`, `[origin]` and `[revocation]`. */
  readonly gateway?: string;
  readonly origin?: string;
  readonly revocation?: string;
  /** Whole tables: `[cors]`, `[[issuers]]`, … */
  readonly tables?: string;
  /** Names of the catalogue; with a table's lines where there is more to say. */
  readonly scopes?: readonly (string | readonly [name: string, lines: string])[];
  /** Requirements by key, in TOML. */
  readonly routes: Readonly<Record<string, string>>;
}

export function policyText(policy: PolicyText): string {
  const scopes = (policy.scopes ?? []).map((scope) => {
    const [name, lines] = typeof scope === "string" ? [scope, ""] : scope;
    return `[scopes.${JSON.stringify(name)}]\ndescription = "Does ${name}"\nowner = "tests"\n${lines}\n`;
  });
  const routes = Object.entries(policy.routes).map(([key, requirement]) => `${JSON.stringify(key)} = ${requirement}`);
  return `
[gateway]
public_url = "${PUBLIC_URL}"
${policy.gateway ?? ""}

[origin]
${policy.origin ?? ""}

[revocation]
${policy.revocation ?? ""}

[log]
sample_rate = 1

[tokens]
audience = "${AUDIENCE}"

${policy.tables ?? ""}

${scopes.join("\n")}

[routes]
${routes.join("\n")}
`;
}
