/** Issuing, listing, rotating and ending tokens, over HTTP against the whole gateway. */
import { request } from "node:http";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, startApi } from "./api.ts";
import { POLICY } from "./policy.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.dispose());

const fieldsOf = (answer: { body: { errors: { field: string }[] } }) => answer.body.errors.map(({ field }) => field);

async function eventually<T>(ask: () => Promise<T>, isRight: (value: T) => boolean): Promise<T> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const value = await ask();
    if (isRight(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return ask();
}

describe("issuing", () => {
  test("gives an administrator a token for any subject, after RFC 9068, and keeps a record without it", async () => {
    const { status, body } = await api.call(api.admin, "POST", "/tokens", {
      name: "nightly export",
      scopes: ["charges:read"],
      subject: "exporter",
      allow_list: ["charge:b", "charge:a"],
      lifetime: "12h",
      conditions: { cidr: ["127.0.0.0/8"] },
    });
    expect(status).toBe(201);
    const { token, ...record } = body;
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: "at+jwt", alg: "ES256" });
    const claims = decodeJwt(token);
    expect(claims).toMatchObject({
      iss: "https://gateway.example.com",
      aud: "https://api.example.com",
      sub: "exporter",
      client_id: "exporter",
      jti: record.id,
      scope: "charges:read",
      allow_list: ["charge:a", "charge:b"],
      conditions: [{ cidr: ["127.0.0.0/8"] }],
    });
    expect(claims).not.toHaveProperty("ancestors");
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(12 * 3600);
    expect((await api.call(api.reader, "GET", `/tokens/${record.id}`)).body).toEqual(record);
    expect((await api.gateway.call(token, "GET", "/v1/charges/a")).status).toBe(200);
    expect((await api.gateway.call(token, "GET", "/v1/charges/c")).status).toBe(403);

    const db = await api.gateway.miniflare.getD1Database("DB");
    for (const table of ["tokens", "audit", "idempotency"]) {
      const { results } = await db.prepare(`SELECT * FROM ${table}`).all();
      const text = JSON.stringify(results);
      for (const part of token.split(".")) expect(text).not.toContain(part);
    }
  });

  test("tells every fault of a request at once, each with its field, and writes nothing", async () => {
    const before = await api.call(api.admin, "GET", "/audit");
    const answer = await api.call(api.admin, "POST", "/tokens", {
      name: "",
      scopes: ["charges:read", "charges:raed", 7],
      bundle: "nobody",
      allow_list: ["charge"],
      lifetime: "9999d",
      conditions: [{ cidr: ["10.0.0.1/8"] }],
      subject: "",
      extra: true,
    });
    expect(answer.status).toBe(400);
    expect(answer.body.reason).toBe("request_invalid");
    expect(new Set(fieldsOf(answer))).toEqual(
      new Set([
        "name",
        "scopes.1",
        "scopes.2",
        "bundle",
        "allow_list.0",
        "lifetime",
        "conditions.0.cidr.0",
        "subject",
        "extra",
      ]),
    );
    expect((await api.call(api.admin, "GET", "/audit")).body).toEqual(before.body);
  });

  test.each<[why: string, body: object, field: string]>([
    ["no scope at all", {}, "scopes"],
    ["an empty list of scopes", { scopes: [] }, "scopes"],
    ["a scope that the catalogue does not have", { scopes: ["charges:raed"] }, "scopes.0"],
    ["a scope past its sunset", { scopes: ["old:read"] }, "scopes.0"],
    ["a wildcard that covers nothing", { scopes: ["billing:*"] }, "scopes.0"],
    ["a wildcard over the gateway's own scopes", { scopes: ["scopegate:*"] }, "scopes.0"],
    ["two scopes in one entry", { scopes: ["charges:read charges:write"] }, "scopes.0"],
    ["a bundle that does not exist", { bundle: "constructor" }, "bundle"],
    ["an empty allow list", { scopes: ["charges:read"], allow_list: [] }, "allow_list"],
    ["an allow list that is text", { scopes: ["charges:read"], allow_list: "*:*" }, "allow_list"],
    ["a name of 300 characters", { scopes: ["charges:read"], name: "n".repeat(300) }, "name"],
    ["a name with a line break", { scopes: ["charges:read"], name: "a\nb" }, "name"],
    ["a lifetime of nothing", { scopes: ["charges:read"], lifetime: "0s" }, "lifetime"],
    ["a lifetime over the policy's maximum", { scopes: ["charges:read"], lifetime: "366d" }, "lifetime"],
    ["a lifetime over the scope's maximum", { scopes: ["charges:write"], lifetime: "91d" }, "lifetime"],
    ["a lifetime over that of a scope in a wildcard", { scopes: ["*"], lifetime: "91d" }, "lifetime"],
    ["a condition that does not exist", { scopes: ["charges:read"], conditions: { ip: "1.2.3.4" } }, "conditions.ip"],
    ["no condition in the conditions", { scopes: ["charges:read"], conditions: {} }, "conditions"],
    ["an empty list of conditions", { scopes: ["charges:read"], conditions: [] }, "conditions"],
  ])("refuses %s", async (_why, body, field) => {
    const answer = await api.call(api.admin, "POST", "/tokens", { name: "n", ...body });
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer)).toContain(field);
  });

  test.each<[conditions: unknown, message: string]>([
    [[], "must not be empty"],
    [{}, "expected at least one condition"],
    ["10.0.0.0/8", "must be Object or Array"],
    [["10.0.0.0/8"], "must be Object"],
  ])("says of conditions that are %j what is wrong with them", async (conditions, message) => {
    const { body } = await api.call(api.admin, "POST", "/tokens", { name: "n", scopes: ["charges:read"], conditions });
    expect(body.errors.map((error: { message: string }) => error.message)).toContain(message);
  });

  test("cuts the default lifetime to what the scopes allow", async () => {
    const policy = await startApi(POLICY.replace('"30d"', '"200d"'));
    try {
      const issued = await policy.issue(["charges:write"]);
      const { exp = 0, iat = 0 } = decodeJwt(issued.token);
      expect(exp - iat).toBe(90 * 86_400);
    } finally {
      await policy.dispose();
    }
  });

  test("issues from a bundle", async () => {
    const { body } = await api.call(api.admin, "POST", "/tokens", { name: "n", bundle: "support" });
    expect(body.scopes).toEqual(["charges:read", "customers:read"]);
  });

  test("refuses a request that makes a token which no gateway would read", async () => {
    const allowList = Array.from({ length: 128 }, (_, index) => `charge:${"x".repeat(200)}${index}`);
    const answer = await api.call(api.admin, "POST", "/tokens", {
      name: "n",
      scopes: ["charges:read"],
      allow_list: allowList,
    });
    expect(answer.status).toBe(400);
    expect(answer.body.errors[0].message).toContain("16384");
  });
});

describe("bodies", () => {
  const good = JSON.stringify({ name: "n", scopes: ["charges:read"] });

  test.each<[why: string, body: string, headers: Record<string, string>, status: number]>([
    ["of more than 64 KiB", JSON.stringify({ name: "n".repeat(65 * 1024), scopes: ["charges:read"] }), {}, 413],
    ["that are no JSON", "{", {}, 400],
    ["that are empty", "", {}, 400],
    ["that say a member twice", '{"name":"a","scopes":["charges:read"],"scopes":["charges:write"]}', {}, 400],
    ["that say a member twice in another spelling", '{"name":"a","n\\u0061me":"b","scopes":["charges:read"]}', {}, 400],
    ["that are a list", "[]", {}, 400],
    ["that are a form", good, { "Content-Type": "application/x-www-form-urlencoded" }, 415],
    ["that are text", good, { "Content-Type": "text/plain" }, 415],
    ["in another charset", good, { "Content-Type": "application/json; charset=utf-16" }, 415],
  ])("%s are refused", async (_why, body, headers, status) => {
    const answer = await api.call(api.admin, "POST", "/tokens", body, headers);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  test("of unknown length are refused when they turn out too long", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const call = request(`${api.gateway.url}/_scopegate/tokens`, {
        method: "POST",
        headers: {
          Authorization: `Bearer ${api.admin}`,
          "Content-Type": "application/json",
          "Transfer-Encoding": "chunked",
        },
      });
      call.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject);
      for (let piece = 0; piece < 3; piece++) call.write(`{"name":"${"x".repeat(30 * 1024)}`);
      call.end();
    });
    expect(status).toBe(413);
  });

  test("a token in a body never appears in the answer", async () => {
    const { token } = await api.issue(["charges:read"]);
    const answer = await api.call(api.admin, "POST", "/tokens", {
      name: 7,
      scopes: token,
      lifetime: token,
      subject: [token],
    });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).not.toContain(token.slice(0, 20));
  });
});

describe("issuing without scopegate:admin", () => {
  test("inherits what is not asked for, adds the caller's conditions and names the ancestors", async () => {
    const parent = await api.issue(["scopegate:tokens", "charges:read", "customers:read"], {
      subject: "ann",
      allow_list: ["charge:*"],
      conditions: { cidr: ["127.0.0.0/8"] },
      lifetime: "1h",
    });
    const child = await api.call(parent.token, "POST", "/tokens", {
      name: "child",
      scopes: ["charges:read"],
      conditions: { hours: { tz: "UTC", from: "00:00", to: "24:00" } },
    });
    expect(child.status).toBe(201);
    expect(child.body).toMatchObject({
      subject: "ann",
      allow_list: ["charge:*"],
      parent: parent.id,
      created_by: { issuer: "https://gateway.example.com", subject: "ann" },
      conditions: [{ cidr: ["127.0.0.0/8"] }, { hours: { tz: "UTC", from: "00:00", to: "24:00" } }],
    });
    const claims = decodeJwt(child.body.token);
    expect(claims["ancestors"]).toEqual([parent.id]);
    expect(claims.exp).toBe(decodeJwt(parent.token).exp);
    expect((await api.gateway.call(child.body.token, "GET", "/v1/charges/a")).status).toBe(200);
  });

  test.each<[why: string, body: object, field: string]>([
    ["a scope that the caller does not hold", { scopes: ["customers:read"] }, "scopes"],
    ["a scope that only a scope of the caller's could imply", { scopes: ["charges:write"] }, "scopes"],
    ["a wildcard over everything that the caller holds", { scopes: ["charges:*"] }, "scopes"],
    ["every scope", { scopes: ["*"] }, "scopes"],
    ["a bundle that goes beyond", { bundle: "support" }, "scopes"],
    ["scopegate:admin", { scopes: ["scopegate:admin"] }, "scopes"],
    ["scopegate:read", { scopes: ["scopegate:read"] }, "scopes"],
    ["another resource", { scopes: ["charges:read"], allow_list: ["charge:b"] }, "allow_list"],
    ["the whole type", { scopes: ["charges:read"], allow_list: ["charge:*"] }, "allow_list"],
    ["everything", { scopes: ["charges:read"], allow_list: ["*:*"] }, "allow_list"],
    ["a longer life", { scopes: ["charges:read"], lifetime: "2h" }, "lifetime"],
    ["another subject", { scopes: ["charges:read"], subject: "bob" }, "subject"],
  ])("refuses %s", async (_why, body, field) => {
    const parent = await api.issue(["scopegate:tokens", "charges:read"], {
      subject: "ann",
      allow_list: ["charge:a"],
      lifetime: "1h",
    });
    const answer = await api.call(parent.token, "POST", "/tokens", { name: "n", ...body });
    expect(answer.status).toBe(403);
    expect(answer.body.reason).toBe("grant_exceeds_issuer");
    expect(fieldsOf(answer)).toContain(field);
  });

  test("a token with one scope cannot mint one without bounds", async () => {
    const narrow = await api.issue(["charges:read"], { subject: "ann" });
    const answer = await api.call(narrow.token, "POST", "/tokens", { name: "n", scopes: ["charges:read"] });
    expect(answer.status).toBe(403);
    expect(answer.body.reason).toBe("scope_insufficient");
  });

  test("a WebSocket is asked for the same scopes as any other request", async () => {
    const narrow = await api.issue(["customers:read"]);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const call = request(`${api.gateway.url}/v1/charges`, {
        headers: {
          Authorization: `Bearer ${narrow.token}`,
          Connection: "Upgrade",
          Upgrade: "websocket",
          "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
      });
      call.on("response", (response) => resolve(response.resume().statusCode));
      call.on("upgrade", () => resolve(101)).on("error", reject);
      call.end();
    });
    expect(status).toBe(403);
  });

  test("gives a wildcard away only under a wildcard", async () => {
    const parent = await api.issue(["scopegate:tokens", "*"], { subject: "ann", lifetime: "1h" });
    const child = await api.call(parent.token, "POST", "/tokens", { name: "n", scopes: ["charges:*"] });
    expect(child.status).toBe(201);
  });

  test("makes no token young again", async () => {
    const old = Math.floor(Date.now() / 1000) - 3600;
    const parent = await api.gateway.token(["scopegate:tokens", "charges:read"], {
      subject: "ann",
      claims: { iat: old },
    });
    expect((await api.gateway.call(parent, "GET", "/v1/fresh")).status).toBe(403);
    const child = await api.call(parent, "POST", "/tokens", { name: "n", scopes: ["charges:read"] });
    expect(child.status).toBe(201);
    expect(decodeJwt(child.body.token)["auth_time"]).toBe(old);
    expect((await api.gateway.call(child.body.token, "GET", "/v1/fresh")).status).toBe(403);
  });

  test("goes four deep at most, and ending the first ends them all", async () => {
    const root = await api.issue(["scopegate:tokens", "charges:read"], { subject: "deep", lifetime: "1h" });
    const line = [root];
    for (let depth = 1; depth <= 4; depth++) {
      const caller = line.at(-1)?.token ?? "";
      const { status, body } = await api.call(caller, "POST", "/tokens", {
        name: `depth ${depth}`,
        scopes: ["scopegate:tokens", "charges:read"],
      });
      expect(status).toBe(201);
      line.push(body);
    }
    const last = line.at(-1);
    const answer = await api.call(last?.token ?? "", "POST", "/tokens", { name: "too deep", scopes: ["charges:read"] });
    expect(answer.status).toBe(403);
    expect(fieldsOf(answer)).toEqual(["token"]);

    expect((await api.gateway.call(last?.token ?? "", "GET", "/v1/charges")).status).toBe(200);
    await api.call(api.admin, "DELETE", `/tokens/${root.id}`);
    const refused = await eventually(
      () => api.gateway.call(last?.token ?? "", "GET", "/v1/charges"),
      ({ status }) => status === 401,
    );
    expect(((await refused.json()) as { reason: string }).reason).toBe("token_revoked");
    const records = await Promise.all(line.map(({ id }) => api.call(api.reader, "GET", `/tokens/${id}`)));
    expect(records.map(({ body }) => body.status)).toEqual(line.map(() => "revoked"));
  });
});

describe("who sees whose tokens", () => {
  test("scopegate:tokens sees, ends and replaces its own alone; others' are not found", async () => {
    const ann = await api.gateway.token(["scopegate:tokens", "charges:read"], { subject: "ann-own" });
    const bob = await api.gateway.token(["scopegate:tokens", "charges:read"], { subject: "bob-own" });
    const { body: mine } = await api.call(ann, "POST", "/tokens", { name: "ann's", scopes: ["scopegate:tokens"] });
    const { body: under } = await api.call(mine.token, "POST", "/tokens", {
      name: "under",
      scopes: ["scopegate:tokens"],
    });
    expect((await api.call(ann, "GET", "/tokens")).body.items.map(({ id }: { id: string }) => id)).toEqual([
      under.id,
      mine.id,
    ]);
    expect((await api.call(bob, "GET", "/tokens")).body).toEqual({ items: [] });
    expect((await api.call(bob, "GET", "/tokens?subject=ann-own&scope=scopegate:tokens&name=ann")).body).toEqual({
      items: [],
    });
    for (const [method, path] of [
      ["GET", `/tokens/${mine.id}`],
      ["DELETE", `/tokens/${mine.id}`],
      ["POST", `/tokens/${mine.id}/rotate`],
      ["GET", "/tokens/no-such-token"],
      ["DELETE", "/tokens/%27%20OR%201=1"],
    ] as const) {
      const answer = await api.call(bob, method, path);
      expect([answer.status, answer.body.reason]).toEqual([404, "not_found"]);
    }
    expect((await api.call(ann, "DELETE", `/tokens/${under.id}`)).status).toBe(200);
  });

  test("scopegate:read sees everything and changes nothing", async () => {
    const { id } = await api.issue(["charges:read"]);
    expect((await api.call(api.reader, "GET", `/tokens/${id}`)).status).toBe(200);
    for (const [method, path] of [
      ["POST", "/tokens"],
      ["DELETE", `/tokens/${id}`],
      ["POST", `/tokens/${id}/rotate`],
      ["POST", "/revocations"],
      ["DELETE", "/revocations/1"],
    ] as const) {
      expect((await api.call(api.reader, method, path)).status).toBe(403);
    }
    const both = await api.gateway.token(["scopegate:read", "scopegate:tokens"], { subject: "both" });
    expect((await api.call(both, "GET", `/tokens/${id}`)).status).toBe(200);
    expect((await api.call(both, "DELETE", `/tokens/${id}`)).status).toBe(404);
  });

  test("methods that are not there are refused with those that are", async () => {
    const answer = await api.call(api.admin, "GET", "/explain").catch((error: unknown) => error);
    expect(answer).toMatchObject({ status: 405 });
    expect((answer as { headers: Headers }).headers.get("allow")).toContain("POST");
    expect((await api.gateway.call(api.admin, "GET", "/_scopegate/nothing")).status).toBe(404);
  });
});

describe("Idempotency-Key", () => {
  const body = { name: "once", scopes: ["charges:read"] };

  test("makes one token, however often and however many at once it is sent", async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => api.call(api.admin, "POST", "/tokens", body, headers)),
    );
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    const { token: _, ...record } = made[0]?.body ?? {};
    const again = await api.call(api.admin, "POST", "/tokens", body, headers);
    expect([again.status, again.body.reason]).toEqual([409, "conflict"]);
    expect(again.body.record).toEqual(record);
    expect(again.body.errors[0].message).toContain("shown once");
  });

  test("is refused for another request, and is each caller's own", async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    expect((await api.call(api.admin, "POST", "/tokens", body, headers)).status).toBe(201);
    const other = await api.call(api.admin, "POST", "/tokens", { ...body, name: "other" }, headers);
    expect(other.status).toBe(409);
    expect(other.body).not.toHaveProperty("record");
    const stranger = await api.gateway.token(["scopegate:admin"], { subject: "stranger" });
    expect((await api.call(stranger, "POST", "/tokens", body, headers)).status).toBe(201);
  });

  test("is kept neither by a request that was refused, nor for more than a day", async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    expect((await api.call(api.admin, "POST", "/tokens", { ...body, scopes: ["nope"] }, headers)).status).toBe(400);
    expect((await api.call(api.admin, "POST", "/tokens", body, headers)).status).toBe(201);
    const db = await api.gateway.miniflare.getD1Database("DB");
    await db.prepare("UPDATE idempotency SET created_at = created_at - 86401").run();
    expect((await api.call(api.admin, "POST", "/tokens", body, headers)).status).toBe(201);
  });

  test("must be visible ASCII", async () => {
    const answer = await api.call(api.admin, "POST", "/tokens", body, { "Idempotency-Key": "a b" });
    expect(answer.status).toBe(400);
  });
});

describe("lists", () => {
  test("page through a filter, and a token that is issued meanwhile moves nothing", async () => {
    const subject = "paged";
    for (let index = 0; index < 5; index++) await api.issue(["charges:read"], { subject, name: `page ${index}` });
    const names: string[] = [];
    let path = `/tokens?subject=${subject}&limit=2`;
    for (let page = 0; page < 9; page++) {
      const { body } = await api.call(api.reader, "GET", path);
      names.push(...body.items.map(({ name }: { name: string }) => name));
      if (body.cursor === undefined) break;
      path = `/tokens?subject=${subject}&limit=2&cursor=${body.cursor}`;
      await api.issue(["charges:read"], { subject, name: "meanwhile" });
    }
    expect(names).toEqual(["page 4", "page 3", "page 2", "page 1", "page 0"]);
  });

  test("filter by scope, status and the beginning of the name, together", async () => {
    const subject = "filtered";
    const first = await api.issue(["customers:read"], { subject, name: "alpha 1" });
    const second = await api.issue(["customers:read", "charges:read"], { subject, name: "alpha 2" });
    await api.issue(["charges:read"], { subject, name: "beta" });
    await api.call(api.admin, "DELETE", `/tokens/${first.id}`);
    const ids = async (query: string) =>
      (await api.call(api.reader, "GET", `/tokens?subject=${subject}&${query}`)).body.items.map(
        ({ id }: { id: string }) => id,
      );
    expect(await ids("scope=customers:read")).toEqual([second.id, first.id]);
    expect(await ids("scope=customers:read&status=revoked")).toEqual([first.id]);
    expect(await ids("name=alpha")).toEqual([first.id, second.id]);
    expect(await ids("name=alpha&status=active&scope=charges:read")).toEqual([second.id]);
    expect(await ids("name=Alpha")).toEqual([]);
    expect(await ids("status=expired")).toEqual([]);
    const { body } = await api.call(api.reader, "GET", `/tokens?subject=${subject}&name=alpha&limit=1`);
    expect(await ids(`name=alpha&limit=1&cursor=${body.cursor}`)).toEqual([second.id]);
  });

  test("refuse a bad filter, a bad limit and a cursor that was tampered with or is another list's", async () => {
    await api.issue(["charges:read"]);
    await api.issue(["charges:read"]);
    const { body } = await api.call(api.reader, "GET", "/tokens?limit=1");
    const cursor: string = body.cursor;
    const turned = (cursor.startsWith("A") ? "B" : "A") + cursor.slice(1);
    for (const query of [
      "limit=0",
      "limit=201",
      "limit=-1",
      "limit=1e2",
      "limit=",
      "limit=1&limit=2",
      "status=live",
      "status=",
      "subject=",
      "scope=",
      "scope=charges:read%20charges:write",
      "sort=name",
      "__proto__=x",
      `cursor=${turned}`,
      `cursor=${cursor}A`,
      `cursor=${cursor.slice(0, -1)}`,
      `cursor=${cursor}&status=active`,
      "cursor=WzFd",
      "cursor=%00",
    ]) {
      const answer = await api.call(api.reader, "GET", `/tokens?${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
    }
    expect((await api.call(api.reader, "GET", `/audit?cursor=${cursor}`)).status).toBe(400);
  });
});

describe("rotation", () => {
  test("replaces a token with the same grants and ends the old one with its children", async () => {
    const old = await api.issue(["scopegate:tokens", "charges:read"], {
      subject: "rot",
      allow_list: ["charge:*"],
      lifetime: "1h",
    });
    const { body: child } = await api.call(old.token, "POST", "/tokens", { name: "child", scopes: ["charges:read"] });
    const { status, body } = await api.call(api.admin, "POST", `/tokens/${old.id}/rotate`);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      subject: "rot",
      scopes: ["scopegate:tokens", "charges:read"],
      allow_list: ["charge:*"],
    });
    const { exp = 0, iat = 0 } = decodeJwt(body.token);
    expect(exp - iat).toBe(3600);
    for (const token of [old.token, child.token]) {
      const refused = await eventually(
        () => api.gateway.call(token, "GET", "/v1/charges"),
        (answer) => answer.status === 401,
      );
      expect(refused.status).toBe(401);
    }
    expect((await api.gateway.call(body.token, "GET", "/v1/charges")).status).toBe(200);
  });

  test("lets the old token go on for the overlap, and a revocation ends it all the same", async () => {
    const old = await api.issue(["charges:read"], { lifetime: "2h" });
    const rotated = await api.call(api.admin, "POST", `/tokens/${old.id}/rotate`, { overlap: "1h" });
    expect(rotated.status).toBe(201);
    const { body: during } = await api.call(api.reader, "GET", `/tokens/${old.id}`);
    expect(during.status).toBe("active");
    expect(Date.parse(during.revoked_at) - Date.now()).toBeGreaterThan(3500_000);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await api.gateway.call(old.token, "GET", "/v1/charges")).status).toBe(200);
    expect((await api.call(api.admin, "POST", `/tokens/${old.id}/rotate`)).status).toBe(409);

    const ended = await api.call(api.admin, "DELETE", `/tokens/${old.id}`);
    expect(ended.body.status).toBe("revoked");
    const refused = await eventually(
      () => api.gateway.call(old.token, "GET", "/v1/charges"),
      (answer) => answer.status === 401,
    );
    expect(refused.status).toBe(401);
  });

  test("of a wider token by a narrower one of the same subject is refused", async () => {
    const wide = await api.gateway.token(["scopegate:tokens", "charges:write"], { subject: "two" });
    const narrow = await api.gateway.token(["scopegate:tokens", "charges:read"], { subject: "two" });
    const { body: made } = await api.call(wide, "POST", "/tokens", { name: "wide", scopes: ["charges:write"] });
    const answer = await api.call(narrow, "POST", `/tokens/${made.id}/rotate`);
    expect([answer.status, answer.body.reason]).toEqual([403, "grant_exceeds_issuer"]);
  });

  test("by another token of the same subject binds the new one to both", async () => {
    const first = await api.gateway.token(["scopegate:tokens", "charges:read"], { subject: "three" });
    const second = await api.gateway.token(["scopegate:tokens", "charges:read"], {
      subject: "three",
      lifetimeSeconds: 600,
    });
    const { body: made } = await api.call(first, "POST", "/tokens", { name: "n", scopes: ["charges:read"] });
    const { status, body } = await api.call(second, "POST", `/tokens/${made.id}/rotate`);
    expect(status).toBe(201);
    const claims = decodeJwt(body.token);
    expect(claims["ancestors"]).toEqual([decodeJwt(first).jti, decodeJwt(second).jti]);
    expect(claims.exp).toBe(decodeJwt(second).exp);
  });

  test("by the token itself makes one that lives on", async () => {
    const parent = await api.gateway.token(["scopegate:tokens", "charges:read"], { subject: "self" });
    const { body: made } = await api.call(parent, "POST", "/tokens", {
      name: "n",
      scopes: ["scopegate:tokens", "charges:read"],
    });
    const { body } = await api.call(made.token, "POST", `/tokens/${made.id}/rotate`);
    expect(decodeJwt(body.token)["ancestors"]).toEqual([decodeJwt(parent).jti]);
    await eventually(
      () => api.gateway.call(made.token, "GET", "/v1/charges"),
      (answer) => answer.status === 401,
    );
    expect((await api.gateway.call(body.token, "GET", "/v1/charges")).status).toBe(200);
  });

  test("of what has ended is a conflict, and of a bad overlap a bad request", async () => {
    const { id } = await api.issue(["charges:read"]);
    expect((await api.call(api.admin, "POST", `/tokens/${id}/rotate`, { overlap: "soon" })).status).toBe(400);
    expect((await api.call(api.admin, "POST", `/tokens/${id}/rotate`, { over: "1h" })).status).toBe(400);
    expect((await api.call(api.admin, "POST", `/tokens/${id}/rotate`, [])).status).toBe(400);
    await api.call(api.admin, "DELETE", `/tokens/${id}`);
    expect((await api.call(api.admin, "POST", `/tokens/${id}/rotate`)).status).toBe(409);
  });
});

describe("at once", () => {
  test("a token that was just revoked leaves no successor, not even before the news has spread", async () => {
    for (let round = 0; round < 3; round++) {
      const leaked = await api.gateway.token(["scopegate:admin"]);
      expect((await api.call(leaked, "GET", "/routes")).status).toBe(200);
      const entry = { kind: "token", value: leaked, reason: "leaked" };
      expect((await api.call(api.admin, "POST", "/revocations", entry)).status).toBe(201);
      const successor = await api.call(leaked, "POST", "/tokens", { name: "n", scopes: ["scopegate:admin"] });
      expect([successor.status, successor.body.reason]).toEqual([401, "token_revoked"]);
    }
  });

  const audited = async (target: string) => {
    const db = await api.gateway.miniflare.getD1Database("DB");
    const { results } = await db
      .prepare("SELECT action FROM audit WHERE target = ?")
      .bind(target)
      .all<{ action: string }>();
    return results.map(({ action }) => action).sort();
  };

  test("eight revocations of one token are one", async () => {
    const { id } = await api.issue(["charges:read"]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => api.call(api.admin, "DELETE", `/tokens/${id}`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.sequence)).size).toBe(1);
    expect(await audited(id)).toEqual(["token.issue", "token.revoke"]);
  });

  test("of rotations one wins, and a revocation beside them leaves the old token ended", async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await api.issue(["charges:read"]);
      const answers = await Promise.all([
        api.call(api.admin, "POST", `/tokens/${id}/rotate`, { overlap: "1h" }),
        api.call(api.admin, "POST", `/tokens/${id}/rotate`, { overlap: "1h" }),
        api.call(api.admin, "DELETE", `/tokens/${id}`),
      ]);
      const rotated = answers.slice(0, 2).filter(({ status }) => status === 201);
      expect(rotated.length).toBeLessThanOrEqual(1);
      expect(answers[2]?.status).toBe(200);
      expect((await api.call(api.reader, "GET", `/tokens/${id}`)).body.status).toBe("revoked");
      const expected = ["token.issue", "token.revoke", ...rotated.map(() => "token.rotate")].sort();
      expect(await audited(id)).toEqual(expected);
    }
  });

  test("fifty issues are fifty tokens and fifty rows of the log", async () => {
    const subject = "fifty";
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        api.call(api.admin, "POST", "/tokens", { name: `n${index}`, scopes: ["charges:read"], subject }),
      ),
    );
    const ids = new Set(answers.map(({ body }) => body.id));
    expect(ids.size).toBe(50);
    const listed = await api.call(api.reader, "GET", `/tokens?subject=${subject}&limit=200`);
    expect(new Set(listed.body.items.map(({ id }: { id: string }) => id))).toEqual(ids);
    for (const id of ids) expect(await audited(id)).toEqual(["token.issue"]);
  });

  test("a child that is issued while its parent ends is ended, or is not issued", async () => {
    for (let round = 0; round < 5; round++) {
      const parent = await api.issue(["scopegate:tokens", "charges:read"], { subject: "race" });
      const [child] = await Promise.all([
        api.call(parent.token, "POST", "/tokens", { name: "n", scopes: ["charges:read"] }),
        api.call(api.admin, "DELETE", `/tokens/${parent.id}`),
      ]);
      if (child.status === 201) {
        expect((await api.call(api.reader, "GET", `/tokens/${child.body.id}`)).body.status).toBe("revoked");
      } else expect([401, 409]).toContain(child.status);
    }
  });
});
