/** Outcomes and errors as HTTP responses, in the encoding that the caller asked for. */
import { acceptsZstd, encodeContent, type GatedRequest, type ShortAnswer } from '@mvm-ci/net';
import {
  asMvmError,
  bodyTypeOf,
  encodeBody,
  errorBody,
  mvmError,
  probeText,
  type BodyType,
  type MvmError,
} from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Outcome } from './operation.ts';

/** The encoding of the answer: what `Accept` names; without it the request's own. JSON unless one names MessagePack. */
export const answerType = (request: Pick<GatedRequest, 'headers'>): BodyType => {
  const accept = request.headers.get('accept');
  return bodyTypeOf(accept === null || accept === '*/*' ? request.headers.get('content-type') : accept);
};

/** The response of an operation to `request`. */
export const outcomeResponse = async (outcome: Outcome, request: Request): Promise<Response> => {
  const type = answerType(request);
  switch (outcome.type) {
    case 'value': {
      const [body, written] = valueBody(outcome.value, type);
      return whole(request, body, { 'content-type': written, ...outcome.headers });
    }
    case 'bytes':
      return whole(request, new Uint8Array(outcome.bytes), { 'content-type': 'application/octet-stream' });
    case 'events':
      return new Response(outcome.stream, {
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
      });
    case 'text':
      return new Response(outcome.text, { headers: { 'content-type': outcome.contentType } });
    case 'frames':
      return new Response(outcome.stream, { headers: { 'content-type': 'application/octet-stream' } });
    case 'stream':
      return new Response(outcome.stream, {
        status: outcome.status,
        headers: { 'content-type': 'application/octet-stream', ...outcome.headers },
      });
    case 'nothing':
      return new Response(null, { status: 204 });
  }
};

type WholeBody = string | Uint8Array<ArrayBuffer>;

const whole = async (
  request: Request,
  body: WholeBody,
  headers: Readonly<Record<string, string>>,
): Promise<Response> => {
  if (typeof body === 'string' || !acceptsZstd(request.headers.get('accept-encoding')))
    return new Response(body, { headers });
  const { bytes, encoding } = await encodeContent(body);
  return new Response(bytes, { headers: { ...headers, ...(encoding && { 'content-encoding': encoding }) } });
};

/** The response of a refusal. What isn't an error of ours is INTERNAL, and says nothing of its cause. */
export const errorResponse = (thrown: unknown, type: BodyType): Response => {
  const error = shown(thrown);
  const headers = { 'content-type': type, ...(isTransient(error) && retryAfter) };
  return new Response(encoded(errorBody(error.toRecord()), type), { status: error.status, headers });
};

/** The response of a refusal to a probe: JSON with a newline, like what a probe answers when all is well. */
export const probeRefusal = (thrown: unknown): Response => {
  const { status, headers, error } = refusalOf(thrown);
  return new Response(probeText(error), { status, headers });
};

/** The answer of an operation to a short request, which is always JSON. */
export const shortAnswer = (outcome: Outcome): ShortAnswer => {
  if (outcome.type === 'nothing') return { status: 204, headers: {}, body: '' };
  if (outcome.type !== 'value')
    throw mvmError('INTERNAL', `an answer of the type "${outcome.type}" is not a short one`);
  return { status: 200, headers: { ...jsonType, ...outcome.headers }, body: JSON.stringify(outcome.value) };
};

/** The answer of a refusal to a short request. */
export const shortRefusal = (thrown: unknown): ShortAnswer => {
  const { status, headers, error } = refusalOf(thrown);
  return { status, headers, body: JSON.stringify(error) };
};

const refusalOf = (
  thrown: unknown,
): Pick<ShortAnswer, 'status' | 'headers'> & { readonly error: ReturnType<typeof errorBody> } => {
  const error = shown(thrown);
  const headers = { ...jsonType, ...(isTransient(error) && retryAfter) };
  return { status: error.status, headers, error: errorBody(error.toRecord()) };
};

const jsonType = { 'content-type': 'application/json' };

/** A refusal as its caller may see it: what isn't an error of ours says nothing of its cause. */
export const shown = (thrown: unknown): MvmError => {
  const error = asMvmError(thrown);
  return error.cause === undefined || error.code !== 'INTERNAL'
    ? error
    : mvmError('INTERNAL', "an unexpected error; the control plane's log has it");
};

const retryAfter = { 'retry-after': String(controlLimits.retryAfterSeconds) };

const isTransient = (error: MvmError): boolean => error.code === 'QUEUE_FULL' || error.code === 'UNAVAILABLE';

/** MessagePack's encoder calls itself at each level: a result that is nested too deep for that is told as JSON. */
const valueBody = (value: unknown, type: BodyType): readonly [WholeBody, BodyType] => {
  try {
    return [encoded(value, type), type];
  } catch (error) {
    if (!(error instanceof RangeError) || type === 'application/json') throw error;
    return [encoded(value, 'application/json'), 'application/json'];
  }
};

// JSON as text: node-server and the HTTP/3 server send strings without going through a stream.
const encoded = (body: unknown, type: BodyType): WholeBody =>
  type === 'application/json' && !holdsBytes(body) ? JSON.stringify(body) : new Uint8Array(encodeBody(body, type));

const holdsBytes = (body: unknown): boolean => typeof body === 'object' && body !== null && 'batches' in body;
