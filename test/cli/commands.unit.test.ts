import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateSigningKeys, loadSigningKeys } from "../../src/token/signing-keys.ts";
import { directoryWith, type Ran, scopegate } from "./run.ts";

const POLICY = readFileSync("scopegate.toml", "utf8");
const LOCAL = "signed with the local keys of .dev.vars: only npm start on this machine accepts it\n";
let keys: string;
let directory: ReturnType<typeof directoryWith>;

beforeAll(async () => {
  keys = await generateSigningKeys();
  directory = directoryWith({
    "scopegate.toml": POLICY,
    "broken.toml": POLICY.replace('owner       = "sales"', 'onwer       = "sales"'),
    "sunset.toml": POLICY.replace(
      '[scopes."charges:export"]',
      '[scopes."charges:export"]\ndeprecated = "2025-01-01"\nsunset = "2026-01-01"',
    ),
    "short.toml": POLICY.replace('[scopes."charges:read"]', '[scopes."charges:read"]\nmax_lifetime = "90m"')
      .replace('[scopes."payouts:read"]', '[scopes."payouts:read"]\nmax_lifetime = "61s"')
      .replace('[scopes."files:read"]', '[scopes."files:read"]\nmax_lifetime = "365d"'),
    "warned.toml": POLICY.replace('at     = "teams:manage"', 'at     = "nobody"'),
    ".dev.vars": `OTHER=1\nSIGNING_KEYS='${keys}'\n`,
  });
});
afterAll(() => directory.remove());

const run = (args: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  scopegate(directory.path, args, env);

describe("scopegate", () => {
  test("prints its commands, and says no to what is none of them", async () => {
    const [help, short, word, none, unknown, strange] = await Promise.all([
      run(["--help"]),
      run(["-h"]),
      run(["help"]),
      run([]),
      run(["chekc"]),
      run(["frobnicate"]),
    ]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const line of ["check     says", "explain   says", "token     signs"]) {
      expect(help.stdout).toContain(`\n  ${line} `);
    }
    expect([short, word]).toEqual([help, help]);
    expect(none).toEqual({ code: 2, stdout: "", stderr: help.stdout });
    expect(unknown).toMatchObject({ code: 2, stdout: "" });
    expect(unknown.stderr).toContain('there is no command "chekc"; did you mean check?\nSee npx scopegate --help.');
    expect(strange.stderr).toContain('there is no command "frobnicate"\nSee npx scopegate --help.');
  });

  test.each(["check", "explain", "token"])("explains %s with examples", async (name) => {
    const { code, stdout } = await run([name, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: scopegate ${name}`);
    expect(stdout).toContain("Examples:");
    expect(stdout).toContain("--json");
    expect([await run(["help", name]), await run([name, "-h"])]).toEqual(Array(2).fill({ code, stdout, stderr: "" }));
  });

  test.each<[string[], string]>([
    [["check", "--nope"], "there is no option --nope\n"],
    [["check", "--hepl"], "there is no option --hepl; did you mean --help?\n"],
    [["check", "--", "--json", "b"], "one FILE at most, not 2\n"],
    [["check", "a", "b"], "one FILE at most, not 2\n"],
    [["check", "absent.toml"], "cannot read the policy absent.toml: ENOENT"],
    [["check", "--", "--help"], "cannot read the policy --help: ENOENT"],
    [["check", "--format", "xml"], '--format is one of human, json, github, not "xml"\n'],
    [["explain", "GET"], "METHOD and PATH are needed"],
    [["explain", "GET", "v1/charges"], 'a path begins with a slash, unlike "v1/charges"'],
    [["explain", "get", "/v1"], "methods are upper-case: GET, not get"],
    [
      ["explain", "GET", "/v1", "--scopes", "charges:read,charges:write"],
      'scopes are separated by spaces, unlike "charges:read,charges:write"',
    ],
    [["explain", "G T", "/v1"], '"G T" is no method'],
    [["explain", "GET", "/v1", "--at", "yesterday"], 'such as 2026-11-01T12:00:00Z, not "yesterday"'],
    [["explain", "GET", "/v1", "--at", "2026-02-30T00:00:00Z"], 'not "2026-02-30T00:00:00Z"'],
    [["explain", "GET", "/v1", "--at", "2026-13-01T00:00:00Z"], 'not "2026-13-01T00:00:00Z"'],
    [["explain", "GET", "/v1", "--at", "2026-02-28T24:00:00Z"], 'not "2026-02-28T24:00:00Z"'],
    [["explain", "GET", "/v1", "--ip", "10.0.0"], '--ip takes an address, not "10.0.0"'],
    [["explain", "GET", "/v1", "--country", "de"], '--country takes a code such as "DE"'],
    [["explain", "GET", "/v1", "--country", "DEU"], '--country takes a code such as "DE"'],
    [["explain", "GET", "/v1", "--country", "xDE"], '--country takes a code such as "DE"'],
    [["explain", "GET", "/v1", "--header", "X-Project"], '--header takes "Name: value", not "X-Project"'],
    [["explain", "GET", "/v1", "--header", ": a"], '--header takes "Name: value", not ": a"'],
    [["explain", "GET", "/v1", "--allow-list", "a:b"], "--allow-list goes with --scopes"],
    [["explain", "GET", "/v1", "--scopes", "a", "--token", "b"], "--token brings its own scopes and allow list"],
    [["explain", "GET", "/v1", "--allow-list", "a:b", "--token", "b"], "--token brings its own scopes and allow list"],
    [["explain", "GET", "/v1", "--scopes"], "Option '--scopes <value>' argument missing"],
    [["token"], "--scopes is needed"],
    [
      ["token", "--scopes", "charges:read,charges:write"],
      'scopes are separated by spaces, unlike "charges:read,charges:write"',
    ],
    [["token", "--scopes", "charges:read", "--lifetime", "soon"], 'a duration such as 15m, not "soon"'],
    [["token", "--scopes", "charges:read", "--lifetime", "99999d or so"], 'not "99999d or so"'],
    [["token", "--scopes", "charges:read", "--lifetime", "some 99999d"], 'not "some 99999d"'],
    [["token", "--scopes", "charges:read", "--lifetime", "0s"], 'a duration such as 15m, not "0s"'],
    [["token", "--scopes", "charges:read", "--subject", ""], "--subject takes 1 to 255 characters"],
    [["token", "--scopes", "charges:read", "--subject", "s".repeat(256)], "--subject takes 1 to 255 characters"],
    [["token", "--scopes", "charges:read", "--allow-list", "a:b charge"], '--allow-list: "charge": '],
    [["token", "--scopes", "charges:read", "--allow-list", "a b"], '; "b": '],
    [["token", "--scopes", "charges:read", "--allow-list", " "], "--allow-list: expected at least one target"],
    [["token", "charges:read"], '"charges:read" is not expected here'],
  ])("calls %j wrong usage, and says why: %s", async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^scopegate: .+\nSee npx scopegate \w+ --help\.\n$/);
    expect(stderr).toContain(message);
  });

  test.each([
    [["chekc", "--json"], 'there is no command "chekc"; did you mean check?'],
    [["check", "--json", "--nope"], "there is no option --nope"],
    [["check", "--format", "json", "--scrict"], "there is no option --scrict; did you mean --strict?"],
    [["check", "--json", "--format", "human"], "--json and --format human exclude each other"],
    [["check", "--format=json", "absent.toml"], "cannot read the policy absent.toml"],
    [["explain", "--json", "GET", "/x", "--scope", "a"], "there is no option --scope; did you mean --scopes?"],
    [["token", "--json", "--scopes=charges:read", "--polcy=a"], "there is no option --polcy; did you mean --policy?"],
    [["token", "--json", "-x"], "there is no option -x"],
  ])("tells wrong usage as JSON too: %j", async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({ error: expect.stringContaining(message) });
    expect(stderr).toContain(`scopegate: ${message}`);
  });

  test("gives the faults of a policy in one shape, whatever was asked of it", async () => {
    const [checked, ...others] = await Promise.all([
      run(["check", "broken.toml", "--json"]),
      run(["explain", "GET", "/", "--policy", "broken.toml", "--json"]),
      run(["token", "--scopes", "charges:read", "--policy", "broken.toml", "--json"]),
    ]);
    const { findings } = JSON.parse(checked.stdout);
    expect(findings[0]).toMatchObject({ rule: "SG001", line: expect.any(Number), at: expect.any(String) });
    for (const { code, stdout } of others) {
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toEqual({ error: expect.stringContaining("does not load"), findings });
    }
  });
});

describe("scopegate check", () => {
  test("says yes to the example policy, without a colour where nobody sees it", async () => {
    expect(await run(["check"])).toEqual({ code: 0, stdout: "scopegate.toml: 0 errors, 0 warnings\n", stderr: "" });
  });

  test("says no to a policy that does not load, and names file, line, key and what was perhaps meant", async () => {
    const { code, stdout } = await run(["check", "broken.toml"]);
    const line = POLICY.split("\n").indexOf('owner       = "sales"') + 1;
    expect(code).toBe(1);
    expect(stdout).toContain(`broken.toml:${line} error SG001 scopes."customers:read".onwer: unknown key "onwer"`);
    expect(stdout).toContain('did you mean "owner"?');
    expect(stdout).toContain("broken.toml: 2 errors, 0 warnings");
  });

  test("warns, and fails for it only where it is asked to be strict", async () => {
    const [lax, strict] = await Promise.all([run(["check", "warned.toml"]), run(["check", "warned.toml", "--strict"])]);
    expect([lax.code, strict.code]).toEqual([0, 1]);
    expect(lax.stdout).toContain("warning SG102");
    expect(lax.stdout).toContain("why: ");
    expect(lax.stdout).toContain("mend: ");
  });

  test("gives its findings as JSON", async () => {
    const { code, stdout } = await run(["check", "warned.toml", "--json"], { GITHUB_ACTIONS: "true" });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      file: "warned.toml",
      errors: 0,
      warnings: 2,
      findings: [
        { rule: "SG102", severity: "warning", at: "teams:manage", line: expect.any(Number), why: expect.any(String) },
        { rule: "SG190", severity: "warning", at: "SG102" },
      ],
    });
  });

  test("writes annotations for GitHub, each on one line, whatever stands in the policy", async () => {
    writeFileSync(
      join(directory.path, "evil.toml"),
      `${POLICY}\n[[checks.silence]]\nrule = "x\\r\\n::error::owned"\nreason = "r"\n`,
    );
    const { code, stdout } = await run(["check", "evil.toml"], { GITHUB_ACTIONS: "true" });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^::warning file=evil\.toml,line=\d+,title=scopegate SG190::x%0D%0A::error::owned: /);
    expect(stdout.split("\n").filter((line) => line.startsWith("::"))).toHaveLength(1);
  });
});

describe("scopegate token", () => {
  test("signs a token after RFC 9068 with the keys in .dev.vars", async () => {
    const args = ["token", "--scopes", "charges:read charges:write", "--subject", "ci", "--lifetime", "1h"];
    const { code, stdout } = await run([...args, "--allow-list", "charge:b charge:a charge:a"]);
    expect(code).toBe(0);
    const token = stdout.trim();
    expect(stdout).toBe(`${token}\n`);
    const { publicJwks } = await loadSigningKeys(keys);
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [...publicJwks.keys] }), {
      issuer: "http://127.0.0.1:8787",
      audience: "https://api.example.com",
      typ: "at+jwt",
    });
    expect(protectedHeader).toEqual({ alg: "ES256", typ: "at+jwt", kid: publicJwks.keys[0]?.kid });
    expect(payload).toMatchObject({
      sub: "ci",
      client_id: expect.any(String),
      jti: expect.any(String),
      scope: "charges:read charges:write",
      allow_list: ["charge:a", "charge:b"],
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
  });

  test.each([
    ["the most that a scope allows", ["--scopes", "charges:write", "--lifetime", "90d"], { lifetime: 90 * 86_400 }],
    ["the default, where a scope allows more", ["--scopes", "charges:write"], { lifetime: 30 * 86_400 }],
    ["the longest subject", ["--scopes", "charges:read", "--subject", "s".repeat(255)], { sub: "s".repeat(255) }],
  ])("signs a token for %s", async (_, args, expected) => {
    const { exp = 0, iat = 0, sub } = decodeJwt((await run(["token", ...args])).stdout.trim());
    expect({ lifetime: exp - iat, sub }).toMatchObject(expected);
  });

  test.each([
    ["a.b", "SIGNING_KEYS is not JSON"],
    ['{"keys":[{"kty":"RSA"}]}', "SIGNING_KEYS: key 1 is neither an EC P-256 key nor an Ed25519 key"],
  ])("refuses the keys %s with their fault: %s", async (unusable, message) => {
    const env = { SIGNING_KEYS: unusable };
    const { code, stdout, stderr } = await run(["token", "--scopes", "charges:read", "--json"], env);
    expect({ code, stderr, ...JSON.parse(stdout) }).toEqual({ code: 1, stderr: "", error: message });
  });

  test("prints JSON, and prefers the environment's keys", async () => {
    const other = await generateSigningKeys();
    const { stdout } = await run(["token", "--scopes", "scopegate:admin", "--json"], { SIGNING_KEYS: other });
    const { token } = JSON.parse(stdout) as { token: string };
    expect(decodeProtectedHeader(token).kid).toBe((JSON.parse(other) as { keys: { kid: string }[] }).keys[0]?.kid);
  });

  test("cuts the default lifetime to what a scope allows, also one that comes by a wildcard", async () => {
    const { stdout } = await run(["token", "--scopes", "payouts:*"]);
    const { exp = 0, iat = 0 } = decodeJwt(stdout.trim());
    expect(exp - iat).toBe(86_400);
  });

  test.each([
    ["a scope that the policy does not have", ["--scopes", "charge:read"], 'did you mean "charges:read"?'],
    ["a wildcard that covers nothing", ["--scopes", "nope:*"], 'the policy has no scope "nope:*"'],
    ["a name that can be no scope", ["--scopes", "é* *é"], 'the policy has no scope "é*", "*é"'],
    ["no scope", ["--scopes", " "], "at least one scope"],
    [
      "a lifetime over the policy's maximum",
      ["--scopes", "charges:read", "--lifetime", "366d"],
      "366d is over the 365d of [tokens] max_lifetime",
    ],
    [
      "a lifetime over a scope's",
      ["--scopes", "charges:write", "--lifetime", "91d"],
      "91d is over the 90d of charges:write",
    ],
    [
      "a lifetime over the least of its scopes'",
      ["--scopes", "charges:write charges:delete", "--lifetime", "1440h"],
      "1440h is over the 30d of charges:delete",
    ],
    [
      "a lifetime over a scope's in minutes",
      ["--scopes", "charges:read", "--lifetime", "91m", "--policy", "short.toml"],
      "91m is over the 90m of charges:read",
    ],
    [
      "a lifetime over a scope's in seconds",
      ["--scopes", "charges:read payouts:read", "--lifetime", "2m", "--policy", "short.toml"],
      "2m is over the 61s of payouts:read",
    ],
    [
      "a lifetime over the policy's where a scope says the same",
      ["--scopes", "files:read", "--lifetime", "366d", "--policy", "short.toml"],
      "366d is over the 365d of [tokens] max_lifetime",
    ],
    [
      "a lifetime over that of a scope it comes to by *",
      ["--scopes", "*", "--lifetime", "2d"],
      "2d is over the 1d of payouts:write",
    ],
    [
      "a lifetime over what a policy can say",
      ["--scopes", "charges:read", "--lifetime", "36501d"],
      "36501d is over the 365d of",
    ],
    [
      "a lifetime beyond all numbers",
      ["--scopes", "charges:read", "--lifetime", `${"9".repeat(400)}d`],
      "is over the 365d of",
    ],
    [
      "a scope past its sunset",
      ["--scopes", "charges:read charges:export", "--policy", "sunset.toml"],
      '"charges:export" is past its sunset: nothing grants it',
    ],
    [
      "a wildcard that covers only scopes past their sunset",
      ["--scopes", "charges:exp*", "--policy", "sunset.toml"],
      '"charges:exp*"',
    ],
  ])("refuses %s", async (_, args, message) => {
    const [plain, json] = await Promise.all([run(["token", ...args]), run(["token", ...args, "--json"])]);
    expect(plain).toMatchObject({ code: 1, stdout: "" });
    expect(plain.stderr).toContain(message);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toEqual({ error: expect.stringContaining(message) });
  });

  test("guesses at what was meant only where something is near", async () => {
    const { stderr } = await run(["token", "--scopes", "nope chargesread"]);
    expect(stderr).toBe('scopegate: the policy has no scope "nope", "chargesread" (did you mean "charges:read"?)\n');
  });

  test("makes signing keys when there are none, once", async () => {
    const bare = directoryWith({ "scopegate.toml": POLICY });
    const first = await scopegate(bare.path, ["token", "--scopes", "charges:read", "--json"]);
    const second = await scopegate(bare.path, ["token", "--scopes", "charges:read"]);
    bare.remove();
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('"token"') });
    expect(first.stderr).toContain("made .dev.vars with fresh signing keys");
    expect(second).toMatchObject({ code: 0, stderr: LOCAL });
  });

  test("says which keys signed where they are those of .dev.vars, on standard error and nowhere else", async () => {
    const [local, own] = await Promise.all([
      run(["token", "--scopes", "charges:read", "--json"]),
      run(["token", "--scopes", "charges:read"], { SIGNING_KEYS: keys }),
    ]);
    expect(local).toMatchObject({ code: 0, stderr: LOCAL });
    expect(Object.keys(JSON.parse(local.stdout))).toEqual(["token", "token_id", "expires_at"]);
    expect(own).toMatchObject({ code: 0, stderr: "" });
  });

  test.each(["", " \n"])("never takes keys that are set to %j for keys that are not set", async (empty) => {
    const bare = directoryWith({ "scopegate.toml": POLICY });
    const env = { SIGNING_KEYS: empty };
    const { stdout: token } = await run(["token", "--scopes", "charges:read"]);
    const answers = await Promise.all([
      scopegate(bare.path, ["token", "--scopes", "charges:read"], env),
      run(["token", "--scopes", "charges:read"], env),
      run(["explain", "GET", "/v1/charges", "--token", token.trim()], env),
    ]);
    for (const { code, stdout, stderr } of answers) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain("scopegate: SIGNING_KEYS is set and empty: was the file of keys read?\n");
    }
    expect(existsSync(join(bare.path, ".dev.vars"))).toBe(false);
    bare.remove();
  });
});

describe("scopegate explain", () => {
  test("answers by its exit code and in words", async () => {
    const [yes, no] = await Promise.all([
      run(["explain", "GET", "/v1/charges", "--scopes", "charges:read"]),
      run(["explain", "DELETE", "/v1/charges/ch_1", "--scopes", "charges:write"]),
    ]);
    expect(yes.code).toBe(0);
    expect(yes.stdout).toMatch(/^GET \/v1\/charges {2}allowed\n/);
    expect(no.code).toBe(1);
    expect(no.stdout).toMatch(/^DELETE \/v1\/charges\/ch_1 {2}403 scope_insufficient\n/);
    expect(no.stdout).toContain("✗ scopes      lacks charges:delete");
    expect(no.stdout).toContain("needs charges:write and charges:delete");
  });

  test("gives the explanation as JSON, at a time and from an address", async () => {
    const args = ["explain", "POST", "/v1/payouts", "--scopes", "payouts:write", "--json"];
    const [inside, outside] = await Promise.all([
      run([...args, "--ip", "10.1.2.3", "--at", "2026-11-01T12:00:00+01:00"]),
      run([...args, "--ip", "192.0.2.1"]),
    ]);
    expect(JSON.parse(inside.stdout)).toMatchObject({ allowed: true, status: 200, route: "POST /v1/payouts" });
    expect(JSON.parse(outside.stdout)).toMatchObject({
      allowed: false,
      status: 403,
      reason: "condition_not_met",
      path: "/v1/payouts",
    });
  });

  test("verifies a token of this gateway with the local keys, and refuses one that was changed", async () => {
    const { stdout } = await run(["token", "--scopes", "charges:read", "--allow-list", "charge:1"]);
    const token = stdout.trim();
    const [header, , signature] = token.split(".");
    const forged = [header, btoa(JSON.stringify({ ...decodeJwt(token), scope: "*" })).replace(/=+$/, ""), signature];
    const ask = (text: string) => run(["explain", "GET", "/v1/charges/1", "--token", text, "--json"]);
    const [own, changed, junk] = await Promise.all([ask(token), ask(forged.join(".")), ask("a.b.c")]);
    expect(JSON.parse(own.stdout)).toMatchObject({ allowed: true });
    expect(own.stdout).toContain("verified with the local SIGNING_KEYS");
    for (const answer of [changed, junk]) {
      expect(answer.code).toBe(1);
      expect(JSON.parse(answer.stdout)).toMatchObject({ allowed: false, status: 401, reason: "token_invalid" });
    }
  });

  test("counts the age of an own token whose key is not here from its eldest, and ends it with its scopes", async () => {
    const other = await generateSigningKeys();
    const { signer } = await loadSigningKeys(other);
    const now = Math.floor(Date.now() / 1000);
    const child = (scope: string, issuedAt: number, claims: object = {}) =>
      new SignJWT({ scope, client_id: "c", ...claims })
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: signer.keyId })
        .setIssuer("http://127.0.0.1:8787")
        .setAudience("https://api.example.com")
        .setSubject("s")
        .setJti("j")
        .setIssuedAt(issuedAt)
        .setExpirationTime(now + 600)
        .sign(signer.key);
    const ask = async (token: string) => {
      const args = ["explain", "POST", "/v1/payouts", "--ip", "10.0.0.1", "--json", "--token", token];
      const { allowed, reason, steps } = JSON.parse((await run(args)).stdout);
      return [allowed, reason, steps.find((step: { step: string }) => step.step === "token").assumed];
    };
    const answers = await Promise.all([
      child("payouts:write", now).then(ask),
      child("payouts:write", now, { auth_time: now - 3600 }).then(ask),
      child("payouts:write", now, { auth_time: "now" }).then(ask),
      child("payouts:write", now - 2 * 86_400).then(ask),
    ]);
    expect(answers).toEqual([
      [true, undefined, true],
      [false, "condition_not_met", true],
      [false, "token_invalid", undefined],
      [false, "token_expired", undefined],
    ]);
  });

  test("says what it has not checked of a token whose keys are not here", async () => {
    const secret = new TextEncoder().encode("x".repeat(64));
    const policy = `${POLICY}\n[[issuers]]\nissuer = "https://login.example.com/"\naudience = "here"\nalgorithms = ["HS256"]\nsecret = "S"\n`;
    writeFileSync(join(directory.path, "issuers.toml"), policy);
    const sign = (issuer: string, audience: string): Promise<string> =>
      new SignJWT({ scope: "charges:read" })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime("1h")
        .sign(secret);
    const ask = async (token: string) =>
      run(["explain", "GET", "/v1/charges", "--token", token, "--policy", "issuers.toml"]);
    const known = await ask(await sign("https://login.example.com/", "here"));
    const elsewhere = await ask(await sign("https://login.example.com/", "elsewhere"));
    const unknown = await ask(await sign("https://other.example.com/", "here"));
    expect(known.code).toBe(0);
    expect(known.stdout).toContain("~ token       its signature is not checked");
    expect(elsewhere.stdout).toContain("401 token_invalid");
    expect(known.stdout).toMatch(/^GET \/v1\/charges {2}allowed, as far as this machine can tell \(see ~\)\n/);
    expect(unknown.stdout).toContain("an issuer that the policy does not name");
  });

  test("says of a text that is no whole token that it is none", async () => {
    for (const token of ["abc", "a.b.", "a.b.c.d"]) {
      const { code, stdout } = await run(["explain", "GET", "/v1/charges", "--token", token]);
      expect(code).toBe(1);
      expect(stdout).toContain("the token is not a whole JWT (three parts joined by dots): was it cut off?");
    }
  });

  test("says of an allowed token that it has not been asked whether it is revoked, and of a made-up one only that", async () => {
    const { stdout: token } = await run(["token", "--scopes", "charges:read"]);
    const [real, madeUp] = await Promise.all([
      run(["explain", "GET", "/v1/charges", "--token", token.trim()]),
      run(["explain", "GET", "/v1/charges", "--scopes", "charges:read"]),
    ]);
    expect([real.code, real.stdout.split("\n")[0]]).toEqual([
      0,
      "GET /v1/charges  allowed, as far as this machine can tell (see ~)",
    ]);
    expect(madeUp.stdout.split("\n")[0]).toBe("GET /v1/charges  allowed");
  });
});
