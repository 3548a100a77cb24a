/**
 * Spans by OTLP over HTTP, through OpenTelemetry's own packages. Owns their provider and what waits to be sent.
 *
 *   1. A collector that is slow or gone costs spans, never work: they are sent in batches beside it, at most `spansQueuedMax`
 *      wait, and those beyond are dropped.
 *   2. No global of OpenTelemetry is set: there is no context but the one that is given.
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type SpanContext } from '@opentelemetry/api';
import { TraceState } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  type Resource,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  RandomIdGenerator,
  TracerProvider,
  type IdGenerator,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_INSTANCE_ID, ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import {
  traceParts,
  type Logger,
  type OpenSpan,
  type SpanStart,
  type TraceContext,
  type Tracer,
} from '@mvm-ci/protocol';
import type { Config } from '../config/setting.ts';
import { cliLimits } from '../limits.ts';
import { systemRandom } from '../system-random.ts';
import { releaseVersion } from '../version.ts';
import type { TracedRole, Tracing } from './open-tracing.ts';
import { samplerOf } from './sampler.ts';
import { WatchedExporter } from './watched-exporter.ts';

interface OtlpTracingOptions {
  readonly config: Config;
  readonly role: TracedRole;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Opens it. Nothing is sent before there is a span. */
export const openOtlpTracing = ({ config, role, logger }: OtlpTracingOptions): Tracing => {
  const ids = new GivenIds();
  const provider = new TracerProvider({
    resource: resourceOf(config, role),
    sampler: samplerOf(config),
    idGenerator: ids,
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new WatchedExporter(exporterOf(config), logger),
        maxQueueSize: cliLimits.spansQueuedMax,
        maxExportBatchSize: cliLimits.spansPerBatchMax,
        scheduledDelayMillis: cliLimits.spanDelayMs,
        exportTimeoutMillis: cliLimits.spanExportMs,
      }),
    ],
  });
  return { tracer: tracerOf(provider, ids), stop: () => shutDown(provider) };
};

const exporterOf = ({ otlp = '', otlpTraces, otlpHeaders }: Config): SpanExporter =>
  new OTLPTraceExporter({
    // The base is a folder, as of the specification of the OTLP exporter.
    url: otlpTraces ?? `${otlp.replace(/\/+$/, '')}/v1/traces`,
    ...(otlpHeaders && { headers: { ...otlpHeaders } }),
    timeoutMillis: cliLimits.spanExportMs,
  });

const resourceOf = ({ otelService }: Config, role: TracedRole): Resource =>
  resourceFromAttributes({
    [ATTR_SERVICE_NAME]: `mvm-ci-${role}`,
    [ATTR_SERVICE_VERSION]: releaseVersion,
    [ATTR_SERVICE_INSTANCE_ID]: systemRandom.bytes(16).toHex(),
  })
    .merge(detectResources({ detectors: [resourceAttributesEnvDetector] }))
    .merge(resourceFromAttributes(otelService === undefined ? {} : { [ATTR_SERVICE_NAME]: otelService }));

const shutDown = async (provider: TracerProvider): Promise<void> => {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => late.resolve(), cliLimits.traceFlushMs);
  await Promise.race([provider.shutdown().catch(() => undefined), late.promise]);
  clearTimeout(timer);
};

/** Random ids, but for a span that has one already. */
class GivenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #given: string | undefined;

  /** For the span that is begun next, in the same turn. */
  give(spanId: string | undefined): void {
    this.#given = spanId;
  }

  generateTraceId(): string {
    return this.#random.generateTraceId();
  }

  generateSpanId(): string {
    const id = this.#given ?? this.#random.generateSpanId();
    this.#given = undefined;
    return id;
  }
}

const kinds = {
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
} as const;

const tracerOf = (provider: TracerProvider, ids: GivenIds): Tracer => {
  const tracer = provider.getTracer('mvm-ci', releaseVersion);
  return {
    begin: ({ name, kind, parent, spanId, attributes, links = [] }: SpanStart): OpenSpan => {
      ids.give(spanId);
      const context = parent ? trace.setSpanContext(ROOT_CONTEXT, spanContextOf(parent)) : ROOT_CONTEXT;
      const linked = links.map((link) => ({ context: spanContextOf(link) }));
      const span = tracer.startSpan(name, { kind: kinds[kind], attributes, links: linked }, context);
      return {
        trace: traceContextOf(span.spanContext()),
        end: ({ attributes: last, error } = {}) => {
          if (last) span.setAttributes(last);
          if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
          span.end();
        },
      };
    },
  };
};

const spanContextOf = (context: TraceContext): SpanContext => {
  const { traceId, spanId, isSampled } = traceParts(context);
  const { tracestate } = context;
  return {
    traceId,
    spanId,
    traceFlags: isSampled ? 1 : 0,
    isRemote: true,
    ...(tracestate !== undefined && { traceState: new TraceState(tracestate) }),
  };
};

const traceContextOf = ({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext => {
  const tracestate = traceState?.serialize();
  return {
    traceparent: `00-${traceId}-${spanId}-${(traceFlags & 1) === 1 ? '01' : '00'}`,
    ...(tracestate && { tracestate }),
  };
};
