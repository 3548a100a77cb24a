/**
 * The HTTP routes of Flawless (https://flawless.dev/docs/server-http-api), as its public clients use them: what they send,
 * and the bytes that they get. Prose, with what is unknown: `docs/reference/engine-server.md`.
 */
import { asMvmError, limits, mvmError, parseAs, type MvmError } from '@mvm-ci/protocol';
import type { Hono } from 'hono';
import { z } from 'zod';
import { multipartFile } from './multipart-file.ts';

/** The routes' paths. */
export const flawlessRoutes = {
  deploy: '/api/module/deploy',
  start: '/api/workflow/start',
  send: '/api/workflow/send-msg/:id',
} as const;

/** What a module calls itself. */
export interface DeployedName {
  readonly name: string;
  readonly version: string;
}

/** A workflow to start; `input` is JSON text. */
export interface StartWorkflow {
  readonly module: string;
  readonly version: string;
  readonly workflow: string;
  readonly input: string;
}

/** A workflow that was started; `response` is JSON text, null when it gave none. */
export interface StartedWorkflow {
  readonly id: string;
  readonly response: string | null;
}

/** A message; `data` is JSON text. */
export interface WorkflowMessage {
  readonly type: string;
  readonly data: string;
}

/** Who does what the routes ask for. Whatever it throws is the answer. */
export interface FlawlessService {
  deploy(wasm: Uint8Array): Promise<DeployedName>;
  start(workflow: StartWorkflow, signal: AbortSignal): Promise<StartedWorkflow>;
  send(id: string, message: WorkflowMessage): Promise<void>;
}

const startSchema: z.ZodType<StartWorkflow> = z.object({
  module: z.string(),
  version: z.string(),
  workflow: z.string(),
  input: z.string(),
});
const messageSchema: z.ZodType<WorkflowMessage> = z.object({ type: z.string(), data: z.string() });

/** Puts the routes on `app`. */
export const mountFlawless = (app: Hono, service: FlawlessService): void => {
  app.post(flawlessRoutes.deploy, async ({ req }) => {
    const { name, version } = await service.deploy(await multipartFile(req.raw, 'module'));
    return json({ ok: { name, version } });
  });
  app.post(flawlessRoutes.start, async ({ req }) => {
    const { id, response } = await service.start(await jsonBody(req.raw, startSchema), req.raw.signal);
    return json({ ok: { id, response } });
  });
  app.post(flawlessRoutes.send, async ({ req }) => {
    await service.send(req.param('id'), await jsonBody(req.raw, messageSchema));
    return json('ok');
  });
};

/** Whether a path is one of Flawless: what it answers then has its form, in refusals too. */
export const isFlawlessPath = (path: string): boolean => path.startsWith('/api/');

/** A refusal in a form that its clients take for one: they know by the missing `ok`, and show the text. */
export const flawlessRefusal = (error: MvmError): Response =>
  json({ error: `${error.code}: ${error.message}` }, error.status);

const json = (value: unknown, status = 200): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });

// Whatever content type it has: not all clients send one.
const jsonBody = async <T>(request: Request, schema: z.ZodType<T>): Promise<T> => {
  const text = await textWithin(request, limits.requestBytesMax);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw mvmError('INVALID_JSON', `the body is not JSON: ${asMvmError(error).message}`);
  }
  return parseAs(schema, body, 'the body');
};

const textWithin = async (request: Request, bytesMax: number): Promise<string> => {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const body: ReadableStream<Uint8Array> | null = request.body;
  let [text, bytes] = ['', 0];
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw mvmError('PAYLOAD_TOO_LARGE', `a body has at most ${bytesMax} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
};
