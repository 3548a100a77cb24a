/** The description of the API (https://spec.openapis.org/oas/v3.1.0), made from the operations. */
import { errorCodes, routes } from '@mvm-ci/protocol';
import { z } from 'zod';
import { noBody } from './body-spec.ts';
import { product } from './cluster-operations.ts';
import { noSearch, operation, value, type Operation } from './operation.ts';

type JsonObject = Record<string, unknown>;

/** The operation that answers with the description of `others` and itself. */
export const openapiOperation = (others: readonly Operation[]): Operation => {
  const self: Operation = operation({
    method: 'GET',
    route: 'openapi',
    access: 'member',
    summary: 'This description.',
    body: noBody,
    search: noSearch,
    answers: z.looseObject({ openapi: z.string() }),
    run: () => value(document()),
  });
  let made: JsonObject | undefined;
  const document = (): JsonObject => (made ??= openapi([...others, self]));
  return self;
};

const openapi = (operations: readonly Operation[]): JsonObject => {
  const paths: Record<string, JsonObject> = {};
  for (const one of operations) {
    const path = routes[one.route].replaceAll(/:([a-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: describe(one) };
  }
  return {
    openapi: '3.1.0',
    info: { title: product.name, version: product.version },
    paths,
    components: { schemas: { Error: errorSchema } },
  };
};

const describe = (one: Operation): JsonObject => ({
  operationId: one.method === 'GET' ? one.route : `post_${one.route}`,
  summary: one.summary,
  'x-access': one.access,
  parameters: [...pathParameters(one), ...searchParameters(one)],
  ...(one.body.mode !== 'none' && { requestBody: requestBody(one) }),
  responses: responses(one),
});

const pathParameters = (one: Operation): readonly JsonObject[] =>
  [...routes[one.route].matchAll(/:([a-z]+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));

const searchParameters = (one: Operation): readonly JsonObject[] => {
  const { properties, required } = searchShape.parse(jsonSchema(one.search));
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
};

const searchShape = z.object({
  properties: z.record(z.string(), z.unknown()).default({}),
  required: z.array(z.string()).default([]),
});

const requestBody = (one: Operation): JsonObject => ({
  required: true,
  content:
    one.body.schema === undefined
      ? { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } }
      : bothEncodings(jsonSchema(one.body.schema)),
});

const responses = (one: Operation): JsonObject => ({
  200: {
    description: 'OK',
    content:
      typeof one.answers === 'string'
        ? { [one.answers]: { schema: { type: 'string' } } }
        : bothEncodings(jsonSchema(one.answers)),
  },
  ...(one.mayBeEmpty === true && { 204: { description: 'There is none.' } }),
  default: { description: 'A refusal', content: bothEncodings({ $ref: '#/components/schemas/Error' }) },
});

const bothEncodings = (schema: JsonObject): JsonObject => ({
  'application/json': { schema },
  'application/msgpack': { schema },
});

const jsonSchema = (schema: z.ZodType): JsonObject => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
};

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string', enum: Object.keys(errorCodes) },
        message: { type: 'string' },
        details: { type: 'object' },
      },
    },
  },
};
