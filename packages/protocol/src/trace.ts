/**
 * Trace contexts as of W3C Trace Context (https://www.w3.org/TR/trace-context/, sections 2.2 and 3.3), and the spans of
 * leases, whose ids are computed: whoever knows a job's trace knows the span of each of its leases, with nothing stored of it.
 */
import { z } from 'zod';
import { blake3, toHex } from './hash.ts';
import { limits } from './limits.ts';

/** Where in a trace something happens: `traceparent` in the form of version 00, and the `tracestate` that came with it. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
}

/** What of {@link TraceContext} is in a log line. */
export interface TraceFields {
  readonly trace_id?: string;
  readonly span_id?: string;
}

const parentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ownPattern = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Checks a {@link TraceContext}, as our own processes write it. */
export const traceContextSchema: z.ZodType<TraceContext> = z.object({
  traceparent: z.string().regex(ownPattern, 'a traceparent of version 00'),
  tracestate: z.string().max(limits.tracestateCharsMax).optional(),
});

/**
 * Reads the headers of a request. What is malformed counts as absent, so that the receiver starts a trace of its own; of a
 * later version the four known fields are read.
 *
 * @example traceContext('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', null)
 */
export const traceContext = (parent: string | null, state: string | null): TraceContext | undefined => {
  const [, version, trace = '', span = '', flags = '', rest] = parentPattern.exec(parent?.trim() ?? '') ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(trace) || /^0+$/.test(span)) return undefined;
  // Of the flags one is known: those of later versions are not handed on (section 2.2.3.2).
  const sampled = (Number.parseInt(flags, 16) & 1) === 1 ? '01' : '00';
  const tracestate = readState(state);
  return { traceparent: `00-${trace}-${span}-${sampled}`, ...(tracestate !== undefined && { tracestate }) };
};

const memberPattern = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[ -~]*$/;

/** A state that can't be read is dropped as a whole, and the trace goes on without it (section 3.3.1.4). */
const readState = (state: string | null): string | undefined => {
  const members = (state ?? '').split(',').map((member) => member.trim());
  const given = members.filter((member) => member !== '');
  if (given.length === 0 || given.length > limits.tracestateMembersMax) return undefined;
  if (!given.every((member) => memberPattern.test(member) && !member.slice(member.indexOf('=') + 1).includes('=')))
    return undefined;
  if (new Set(given.map((member) => member.slice(0, member.indexOf('=')))).size < given.length) return undefined;
  const read = given.join(',');
  return read.length > limits.tracestateCharsMax ? undefined : read;
};

/** Its parts. */
export const traceParts = ({
  traceparent,
}: TraceContext): { readonly traceId: string; readonly spanId: string; readonly isSampled: boolean } => {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  return { traceId, spanId, isSampled: flags === '01' };
};

/** A context as one text, as it is stored. */
export const traceText = ({ traceparent, tracestate }: TraceContext): string =>
  tracestate === undefined ? traceparent : `${traceparent} ${tracestate}`;

/** The context from its text. */
export const traceOfText = (text: string): TraceContext => {
  const end = text.indexOf(' ');
  return end < 0 ? { traceparent: text } : { traceparent: text.slice(0, end), tracestate: text.slice(end + 1) };
};

/** The same trace at another span. */
export const traceAt = (trace: TraceContext, spanId: string): TraceContext => {
  const { traceId, isSampled } = traceParts(trace);
  return { ...trace, traceparent: `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}` };
};

const spanBytes = 8;

/** The span of a lease of a job: what ran under that epoch, on whatever worker. */
export const leaseTrace = (
  trace: TraceContext,
  { job, epoch }: { readonly job: string; readonly epoch: number },
): TraceContext => {
  const hash = blake3(`mvm-ci lease span\n${traceParts(trace).traceId}\n${job}\n${epoch}`);
  return traceAt(trace, toHex(hash.subarray(0, spanBytes)));
};

/** For a log line about what has a trace; nothing without one. */
export const traceFields = (trace: TraceContext | undefined): TraceFields => {
  if (trace === undefined) return {};
  const { traceId, spanId } = traceParts(trace);
  return { trace_id: traceId, span_id: spanId };
};
