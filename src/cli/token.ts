/** `scopegate token`: prints a token that is signed with the local signing keys, for trying things out. */

import { parseDuration } from "../policy/duration.ts";
import { hasControls } from "../request/controls.ts";
import { issueToken } from "../token/issue.ts";
import { type Command, type ExitCode, parseArguments, printJson, UsageError } from "./command.ts";
import { DEV_VARS, localSigningKeys } from "./dev-vars.ts";
import { freshSigningKeys, type Lifetime, planLocalToken, signingKeysFrom } from "./local-token.ts";
import { DEFAULT_POLICY, requirePolicy } from "./policy-file.ts";
import { allowListArgument, scopesArgument } from "./words.ts";

const HELP = `Usage: scopegate token --scopes "a b" [options]

Signs an API token of this gateway with the local signing keys: SIGNING_KEYS from the environment, else from .dev.vars,
which the first npm start makes. The token has no record; whoever has the same keys accepts it.
Exit code 0: the token is printed. 1: the policy does not allow it. 2: wrong usage.

Options:
  --scopes "a b"         what it may do: scopes of the catalogue, or wildcards such as "charges:*"
  --subject NAME         whose it is; absent: local
  --lifetime DURATION    such as 15m, 12h, 90d; absent: the policy's default, cut to what the scopes allow
  --allow-list "t:i …"   the resources it may touch, such as "charge:ch_1 team:*"; absent: all
  --policy FILE          absent: ${DEFAULT_POLICY}
  --json                 as JSON: {"token": …, "token_id": …, "expires_at": …}
  -h, --help             this text

Examples:
  npx scopegate token --scopes "charges:read"
  npx scopegate token --scopes "charges:*" --subject ci --lifetime 1h --allow-list "charge:ch_1 charge:ch_2"
  TOKEN=$(npx scopegate token --scopes "scopegate:admin" --lifetime 15m)
`;

export const token: Command = {
  name: "token",
  summary: "signs a token with the local signing keys",
  help: HELP,
  async run(args): Promise<ExitCode> {
    const { values, positionals } = parseArguments(args, {
      scopes: { type: "string" },
      subject: { type: "string" },
      lifetime: { type: "string" },
      "allow-list": { type: "string" },
      policy: { type: "string" },
      json: { type: "boolean" },
    });
    if (positionals.length > 0) throw new UsageError(`"${positionals[0] ?? ""}" is not expected here`);
    if (values.scopes === undefined) throw new UsageError("--scopes is needed");
    const request = {
      subject: subjectOf(values.subject),
      lifetime: lifetimeArgument(values.lifetime),
      allowList: allowListArgument(values["allow-list"]),
      nowSeconds: Math.floor(Date.now() / 1000),
    };
    const local = localSigningKeys();
    const policy = requirePolicy(values.policy ?? DEFAULT_POLICY);
    const contents = planLocalToken(policy, { ...request, scopes: scopesArgument(policy, values.scopes) });
    const { signer } = await signingKeysFrom(local?.secret ?? (await freshSigningKeys(tell)));
    if (local === null || local.ofDevVars) {
      tell(`signed with the local keys of ${DEV_VARS}: only npm start on this machine accepts it`);
    }
    const signed = await issueToken(signer, contents);
    if (values.json) {
      const expiresAt = new Date(contents.expiresAtSeconds * 1000).toISOString();
      printJson({ token: signed, token_id: contents.tokenId, expires_at: expiresAt });
    } else {
      process.stdout.write(`${signed}\n`);
    }
    return 0;
  },
};

function tell(done: string): void {
  process.stderr.write(`${done}\n`);
}

function lifetimeArgument(written: string | undefined): Lifetime | null {
  if (written === undefined) return null;
  // A duration longer than a policy can express exceeds every maximum: refused for that, not as wrong usage.
  const seconds = parseDuration(written) ?? (/^[1-9][0-9]*[smhd]$/.test(written) ? Number.POSITIVE_INFINITY : 0);
  if (seconds === 0) throw new UsageError(`--lifetime takes a duration such as 15m, not "${written}"`);
  return { seconds, written };
}

function subjectOf(text: string | undefined): string {
  const subject = text ?? "local";
  const readable = subject !== "" && subject.length <= 255 && subject.isWellFormed() && !hasControls(subject);
  if (!readable) throw new UsageError("--subject takes 1 to 255 characters, none of them a control character");
  return subject;
}
