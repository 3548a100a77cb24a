import type { TraceContext } from '../trace.ts';

/** Facts of a span, named by the conventions of OpenTelemetry where they have a name. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A span to begin. */
export interface SpanStart {
  readonly name: string;
  readonly kind: 'producer' | 'consumer' | 'client' | 'internal';
  /** @default it begins a trace */
  readonly parent?: TraceContext | undefined;
  /** 16 hex digits. @default made at random */
  readonly spanId?: string | undefined;
  readonly attributes: SpanAttributes;
  /** Spans that it goes on from. @default none */
  readonly links?: readonly TraceContext[] | undefined;
}

/** How a span ended. */
export interface SpanEnd {
  readonly attributes?: SpanAttributes | undefined;
  /** What went wrong. @default nothing */
  readonly error?: string | undefined;
}

/** A span that has begun. */
export interface OpenSpan {
  /** For those below it, in this process and in others. */
  readonly trace: TraceContext;
  /** Once; later calls do nothing. */
  end(end?: SpanEnd): void;
}

/** Where a part of the system tells what it does as spans (I9). It never throws, never waits, and keeps a bounded number of them. */
export interface Tracer {
  begin(span: SpanStart): OpenSpan;
}
