/** The admin API of a whole gateway, every answer of which is held against its own OpenAPI document. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { expect } from "vitest";
import { openApiDocument } from "../../scripts/openapi-document.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { POLICY } from "./policy.ts";

const ADMIN = "/_scopegate";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: held against the document before anybody reads it
  readonly body: any;
}

export interface Api {
  readonly gateway: Gateway;
  /** Tokens with one of the gateway's own scopes, of the subjects `root` and `auditor`. */
  readonly admin: string;
  readonly reader: string;
  /** Calls a path under `admin_path`, and expects of the answer what the document says of it. */
  call(token: string, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Issues a token as an administrator, with `scopes` and what is to differ. */
  issue(scopes: readonly string[], more?: object): Promise<{ id: string; token: string }>;
  dispose(): Promise<void>;
}

export async function startApi(policy = POLICY): Promise<Api> {
  const gateway = await startGateway({ policy });
  const admin = await gateway.token(["scopegate:admin"], { subject: "root" });
  const reader = await gateway.token(["scopegate:read"], { subject: "auditor" });

  async function call(
    token: string,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer> {
    const response = await gateway.call(token, method, `${ADMIN}${path}`, body, headers);
    const answer: Answer = { status: response.status, headers: response.headers, body: await response.json() };
    expectDescribed(method, path.split("?")[0] ?? "", answer);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    return answer;
  }

  return {
    gateway,
    admin,
    reader,
    call,
    async issue(scopes, more) {
      const issued = await call(admin, "POST", "/tokens", { name: "of a test", scopes, ...more });
      expect(issued.status).toBe(201);
      return issued.body;
    },
    dispose: () => gateway.dispose(),
  };
}

interface Described {
  readonly content: Record<string, { readonly schema: object }>;
}

const document = openApiDocument() as {
  readonly paths: Record<string, Record<string, { readonly responses: Record<string, object> }>>;
  readonly components: { readonly responses: { readonly Problem: Described }; readonly schemas: object };
};
/** By schema: compiling one takes longer than most calls. */
const validators = new Map<object, ValidateFunction>();
const ajv = new Ajv2020({ strict: false, formats: { "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ } });

/** An answer of a call that the document has: its status is named, and its body has the schema. */
function expectDescribed(method: string, path: string, { status, headers, body }: Answer): void {
  const operation = Object.entries(document.paths).find(([template]) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}/?$`).test(path),
  )?.[1][method.toLowerCase()];
  if (operation === undefined) return;
  const isProblem = headers.get("content-type") === "application/problem+json";
  expect(Object.keys(operation.responses)).toContain(String(status));
  const described = isProblem ? document.components.responses.Problem : (operation.responses[status] as Described);
  const schema = described.content[isProblem ? "application/problem+json" : "application/json"]?.schema;
  if (schema === undefined) throw new Error(`${method} ${path}: ${status} has no schema`);
  const validate = validators.get(schema) ?? ajv.compile({ ...schema, components: document.components });
  validators.set(schema, validate);
  expect(validate(body) ? [] : validate.errors).toEqual([]);
}
