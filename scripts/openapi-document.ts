/**
 * The OpenAPI 3.1 document of the admin API, made from the schemas that validate its calls. Served at
 * `{admin_path}/openapi.json` from a generated file, to keep the converter out of the Worker's bundle.
 */
import { type ConversionConfig, toJsonSchema, toJsonSchemaDefs } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { explainSchema } from "../src/admin/explain.ts";
import { pageQuery, tokensQuery } from "../src/admin/query.ts";
import { revocationsSchema } from "../src/admin/revocations/request.ts";
import { issueSchema } from "../src/admin/tokens/request.ts";
import { rotateSchema } from "../src/admin/tokens/rotate.ts";
import { conditionsSchema } from "../src/policy/conditions/conditions.ts";
import * as responses from "./openapi-responses.ts";

const ANY = ["scopegate:admin", "scopegate:read", "scopegate:tokens"];
const SEE = ["scopegate:admin", "scopegate:read"];
const OWN = ["scopegate:admin", "scopegate:tokens"];

interface Call {
  readonly summary: string;
  readonly scopes: readonly string[];
  readonly id?: string;
  readonly query?: typeof pageQuery | typeof tokensQuery;
  readonly headers?: readonly object[];
  readonly body?: { readonly schema: v.GenericSchema; readonly optional?: true };
  readonly answer: readonly [status: number, schema: v.GenericSchema];
  /** The statuses of its own refusals, besides those of every call. */
  readonly refusals?: readonly number[];
}

const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  description: "Makes one token a day: a retry is answered 409 with the record. The token's text is shown once only.",
  schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" },
};

const CALLS: Record<string, Record<string, Call>> = {
  "/tokens": {
    post: {
      summary: "Issue a token",
      scopes: OWN,
      headers: [IDEMPOTENCY_KEY],
      body: { schema: issueSchema },
      answer: [201, responses.issuedToken],
      refusals: [409, 413, 415],
    },
    get: {
      summary: "List tokens",
      scopes: ANY,
      query: tokensQuery,
      answer: [200, responses.page(responses.tokenRecord)],
    },
  },
  "/tokens/{id}": {
    get: {
      summary: "See a token's record",
      scopes: ANY,
      id: "id",
      answer: [200, responses.tokenRecord],
      refusals: [404],
    },
    delete: {
      summary: "Revoke a token and all that were issued under it",
      scopes: OWN,
      id: "id",
      answer: [200, responses.revokedToken],
      refusals: [404],
    },
  },
  "/tokens/{id}/rotate": {
    post: {
      summary: "Replace a token; the old one, and its children, end after the overlap",
      scopes: OWN,
      id: "id",
      body: { schema: rotateSchema, optional: true },
      answer: [201, responses.issuedToken],
      refusals: [404, 409, 413, 415],
    },
  },
  "/revocations": {
    post: {
      summary: "Revoke by name, one entry or a list of up to 5,000, all or none",
      scopes: ["scopegate:admin"],
      body: { schema: revocationsSchema },
      answer: [201, responses.addedRevocations],
      refusals: [413, 415],
    },
    get: {
      summary: "List what is revoked",
      scopes: SEE,
      query: pageQuery,
      answer: [200, responses.page(responses.revocation)],
    },
  },
  "/revocations/{sequence}": {
    get: {
      summary: "See an entry, and which locations have reported to hold it",
      scopes: SEE,
      id: "sequence",
      answer: [200, responses.revocationWithReceipts],
      refusals: [404],
    },
    delete: {
      summary: "Withdraw an entry",
      scopes: ["scopegate:admin"],
      id: "sequence",
      answer: [200, responses.revocation],
      refusals: [404],
    },
  },
  "/scopes": {
    get: {
      summary: "See the catalogue and its use",
      scopes: SEE,
      query: pageQuery,
      answer: [200, responses.page(responses.scope)],
    },
  },
  "/routes": {
    get: { summary: "See the map", scopes: SEE, query: pageQuery, answer: [200, responses.page(responses.route)] },
  },
  "/audit": {
    get: {
      summary: "See who wrote what",
      scopes: SEE,
      query: pageQuery,
      answer: [200, responses.page(responses.audit)],
    },
  },
  "/explain": {
    post: {
      summary: "Ask what the gateway would answer to a call, and why",
      scopes: SEE,
      body: { schema: explainSchema },
      answer: [200, responses.explanation],
      refusals: [413, 415],
    },
  },
};

/** Schemas that several calls share, under the names that a generated client gives them. */
const NAMED = {
  Conditions: conditionsSchema,
  Token: responses.tokenRecord,
  IssuedToken: responses.issuedToken,
  Revocation: responses.revocation,
  Instant: responses.instant,
};

/** The document without `servers`, which the gateway adds. */
export function openApiDocument(): object {
  return {
    openapi: "3.1.0",
    info: {
      title: "scopegate administration",
      version: "1",
      description: "Tokens, revocations, the catalogue, the map, the audit log. Times are RFC 3339 in UTC.",
    },
    security: [{ token: [] }],
    paths: Object.fromEntries(
      Object.entries(CALLS).map(([path, calls]) => [
        path,
        Object.fromEntries(Object.entries(calls).map(([method, call]) => [method, operation(call)])),
      ]),
    ),
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        token: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
      },
      responses: {
        Problem: {
          description: "A refusal (RFC 9457); 'reason' says which.",
          content: { "application/problem+json": { schema: jsonSchema(responses.problem, "output") } },
        },
      },
    },
  };
}

function operation(call: Call): object {
  const [status, schema] = call.answer;
  const problem = { $ref: "#/components/responses/Problem" };
  const parameters = [
    ...(call.id === undefined ? [] : [{ name: call.id, in: "path", required: true, schema: { type: "string" } }]),
    ...(call.query === undefined ? [] : queryParameters(call.query)),
    ...(call.headers ?? []),
  ];
  return {
    summary: call.summary,
    description: `Needs ${call.scopes.join(" or ")}.`,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(call.body === undefined
      ? {}
      : {
          requestBody: {
            required: call.body.optional !== true,
            content: { "application/json": { schema: jsonSchema(call.body.schema, "input") } },
          },
        }),
    responses: {
      [status]: {
        description: status === 201 ? "Done." : "The answer.",
        content: { "application/json": { schema: jsonSchema(schema, "output") } },
      },
      ...Object.fromEntries([400, 401, 403, 503, ...(call.refusals ?? [])].map((refusal) => [refusal, problem])),
      default: problem,
    },
  };
}

function queryParameters(query: NonNullable<Call["query"]>): object[] {
  return Object.entries(query.entries).map(([name, schema]) => {
    const { description, ...rest } = jsonSchema(schema, "input") as { description?: string };
    return { name, in: "query", ...(description === undefined ? {} : { description }), schema: rest };
  });
}

const CONVERSION = {
  target: "draft-2020-12",
  // Only the gateway makes the checks that JSON Schema cannot express.
  errorMode: "ignore",
  ignoreActions: ["check", "raw_check"],
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
} as const satisfies ConversionConfig;

function jsonSchema(schema: v.GenericSchema, typeMode: "input" | "output"): object {
  const { $schema: _, $defs: __, ...rest } = toJsonSchema(schema, { ...CONVERSION, typeMode, definitions: NAMED });
  return rest;
}

function namedSchemas(): object {
  return toJsonSchemaDefs(NAMED, { ...CONVERSION, typeMode: "output" });
}
