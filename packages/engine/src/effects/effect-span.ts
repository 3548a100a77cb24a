/**
 * Effects as spans. A span is begun where a request is really sent, so a replayed effect has none, and one that is sent again
 * (after an unknown outcome) has one per sending. Names of attributes: OpenTelemetry's conventions for HTTP clients.
 */
import type { Answer, FetchIntent, SpanAttributes, Tracer } from '@mvm-ci/protocol';
import type { EffectPerformer, FetchOrder } from './performer.ts';

interface EffectSpanParts {
  readonly performer: EffectPerformer;
  readonly tracer?: Tracer | undefined;
}

interface TracedOrder {
  readonly order: FetchOrder;
  readonly attempt: number;
}

/** Sends the request below a span of its own, whose context goes along with it. Without a tracer the run's context does. */
export const tracedFetch = async (
  { performer, tracer }: EffectSpanParts,
  { order, attempt }: TracedOrder,
  options: { readonly signal: AbortSignal },
): Promise<Answer> => {
  const { intent, trace, job, key } = order;
  if (!tracer || !trace) return performer.fetch(order, options);
  const span = tracer.begin({
    name: intent.method,
    kind: 'client',
    parent: trace,
    attributes: {
      ...requestAttributes(intent),
      'mvm_ci.job.id': job,
      'mvm_ci.job.attempt': attempt,
      'mvm_ci.effect.call': intent.call,
      'mvm_ci.effect.idempotency_key': key,
    },
  });
  try {
    const answer = await performer.fetch({ ...order, trace: span.trace }, options);
    span.end(answerEnd(answer));
    return answer;
  } catch (error) {
    span.end({ error: 'the request was given up', attributes: { 'error.type': 'aborted' } });
    throw error;
  }
};

/** The URL without what a trace should not keep: user, password and query; a placeholder of a secret stays one. */
const requestAttributes = ({ method, url }: FetchIntent): SpanAttributes => {
  const parsed = URL.parse(url);
  if (parsed === null) return { 'http.request.method': method };
  const { protocol, hostname, port, origin, pathname } = parsed;
  return {
    'http.request.method': method,
    'url.full': `${origin}${pathname}`,
    'server.address': hostname,
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
};

const answerEnd = (answer: Answer): Parameters<ReturnType<Tracer['begin']>['end']>[0] => {
  if (answer.type === 'error') return { error: answer.message, attributes: { 'error.type': answer.code } };
  if (answer.type !== 'fetched') return {};
  const { status } = answer.response;
  const attributes = { 'http.response.status_code': status };
  if (status < 400) return { attributes };
  return { error: '', attributes: { ...attributes, 'error.type': String(status) } };
};
