/** Activations and intents as JSON text: the encoding for `javascript` guests (step-machine.md). */
import { isUtf8 } from 'node:buffer';
import {
  logLevels,
  optionsText,
  redirectModes,
  strictChildOptionsSchema,
  type Answer,
  type ChildOutcome,
  type Intent,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Activation, GuestEvent } from '../../run/activation.ts';
import { GuestFault } from '../guest.ts';
import type { StepInput } from './script-machine.ts';

/** How bytes that are no text cross: beside the text, or in it, as base64. */
export interface ActivationForm {
  readonly takesBytes: boolean;
}

/** What a step is told. */
export const activationInput = ({ now, events }: Activation, { takesBytes }: ActivationForm): StepInput => {
  const buffers: Uint8Array[] = [];
  const bytesPart = (bytes: Uint8Array): object =>
    takesBytes ? { bytes: buffers.push(bytes) - 1 } : { base64: bytes.toBase64() };
  const texts = events.map((event) => eventText(event, bytesPart));
  return { text: `{"v":${takesBytes ? 2 : 1},"now":${now},"events":[${texts.join(',')}]}`, buffers };
};

type BytesPart = (bytes: Uint8Array) => object;

const eventText = (event: GuestEvent, bytesPart: BytesPart): string => {
  if (event.type === 'version') return JSON.stringify(event);
  if (event.type === 'answer') {
    return JSON.stringify({ type: 'answer', call: event.call, ...answerPart(event.answer, bytesPart) });
  }
  const { job, attempt, workflow, input, seed } = event;
  const head = JSON.stringify({ type: 'start', job, attempt, workflow, seed: seed.toHex() });
  // The input is JSON text already.
  return `${head.slice(0, -1)},"input":${input}}`;
};

const answerPart = (answer: Answer, bytesPart: BytesPart): object => {
  switch (answer.type) {
    case 'fetched':
      return { fetched: { ...answer.response, body: bodyPart(answer.response.body, bytesPart) } };
    case 'slept':
      return { slept: true };
    case 'error':
      return { error: { code: answer.code, message: answer.message } };
    case 'message':
      return { message: { from: answer.from, messageType: answer.messageType, data: jsonValue(answer.data) } };
    case 'started':
      return { started: { job: answer.job } };
    case 'joined':
      return { joined: joinedPart(answer.outcome) };
    case 'sent':
      return { sent: true };
  }
};

const joinedPart = (outcome: ChildOutcome): object =>
  outcome.type === 'completed' ? { type: 'completed', result: jsonValue(outcome.result) } : outcome;

const jsonValue = (json: string): unknown => JSON.parse(json);

const bodyPart = (body: Uint8Array, bytesPart: BytesPart): object =>
  isUtf8(body) ? { utf8: Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8') } : bytesPart(body);

const text = z.string().transform((value) => value.toWellFormed());
const call = z.number().int().positive();
const body = z
  .union([
    z.object({ utf8: z.string() }).transform(({ utf8 }): Uint8Array => new TextEncoder().encode(utf8)),
    z.object({ base64: z.base64() }).transform(({ base64 }): Uint8Array => Uint8Array.fromBase64(base64)),
    z.instanceof(Uint8Array),
  ])
  .nullable();
const intentSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('fetch'),
    call,
    method: text,
    url: text,
    headers: z.array(z.tuple([text, text])),
    body,
    redirect: z.enum(redirectModes),
    timeoutMs: z.number(),
    idempotent: z.boolean().nullable(),
    key: text.nullable(),
    into: z.literal('blob').optional(),
    bodyBlob: text.optional(),
  }),
  z.object({ type: z.literal('sleep'), call, ms: z.number() }),
  z.object({ type: z.literal('abandon'), call }),
  z.object({ type: z.literal('log'), level: z.enum(logLevels), text }),
  z.object({ type: z.literal('progress'), percent: z.number(), text }),
  z
    .object({ type: z.literal('complete'), result: z.unknown() })
    .transform(({ type, result }) => ({ type, result: JSON.stringify(result ?? null) })),
  z.object({ type: z.literal('receive'), call, types: z.array(text).nullable() }),
  z
    .object({
      type: z.literal('start'),
      call,
      job: text.nullable(),
      workflow: text,
      input: z.unknown(),
      attemptsMax: z.number().int().positive(),
      detached: z.boolean(),
      options: strictChildOptionsSchema.optional(),
    })
    .transform(({ options, ...intent }) => {
      const written = options && optionsText(options);
      return { ...intent, input: JSON.stringify(intent.input ?? null), ...(written && { options: written }) };
    }),
  z.object({ type: z.literal('join'), call, job: text }),
  z
    .object({ type: z.literal('send'), call, job: text, messageType: text, data: z.unknown() })
    .transform((intent) => ({ ...intent, data: JSON.stringify(intent.data ?? null) })),
  z
    .object({ type: z.literal('respond'), value: z.unknown() })
    .transform(({ type, value }) => ({ type, value: JSON.stringify(value ?? null) })),
  z.object({ type: z.literal('group'), action: z.enum(['open', 'close']), id: call, name: text }),
  z.object({ type: z.literal('version'), change: text }),
  z.object({ type: z.literal('fail'), code: text, name: text, message: text, stack: text }),
]);
const intentsSchema: z.ZodType<readonly Intent[]> = z.array(intentSchema);

/** Takes the bytes that the guest keeps under a number. */
export type TakeBytes = (number: number) => Uint8Array;

/**
 * The intents in `json`, with the types of their fields checked; `intent-rules.ts` checks their values.
 *
 * @param takeBytes - called for each body that crosses beside the text, in their order
 * @throws {GuestFault} `GUEST_PROTOCOL` with the first thing that is wrong
 */
export const parseIntents = (json: string, takeBytes: TakeBytes): readonly Intent[] => {
  const parsed = intentsSchema.safeParse(withBodies(parseJson(json), takeBytes));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new GuestFault({
    code: 'GUEST_PROTOCOL',
    message: `the guest's intents are wrong: ${where === '' ? '' : `${where}: `}${issue?.message}`,
    details: { where },
  });
};

/** Most steps have no such body, and are looked at once. */
const withBodies = (intents: unknown, takeBytes: TakeBytes): unknown =>
  Array.isArray(intents) ? intents.map((intent: unknown) => withBody(intent, takeBytes)) : intents;

const withBody = (intent: unknown, takeBytes: TakeBytes): unknown => {
  if (!isObject(intent) || !('body' in intent)) return intent;
  const { body: sent } = intent;
  if (!isObject(sent) || !('bytes' in sent) || typeof sent.bytes !== 'number') return intent;
  return { ...intent, body: takeBytes(sent.bytes) };
};

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const parseJson = (json: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    throw new GuestFault({
      code: 'GUEST_PROTOCOL',
      message: `the guest's intents are wrong: not JSON: ${json.slice(0, 100)}`,
    });
  }
};
