/** Whether and how this process tells of its work as traces, by its settings (`docs/guides/tracing.md`). */
import type { Logger, Tracer } from '@mvm-ci/protocol';
import type { Config } from '../config/setting.ts';

/** Who tells. */
export type TracedRole = 'control-plane' | 'worker' | 'flawless';

/** Where spans go in this process. */
export interface Tracing {
  /** Undefined: nobody wants to know. */
  readonly tracer: Tracer | undefined;
  /** Sends what is left, for as long as `cliLimits.traceFlushMs`. Never rejects. */
  stop(): Promise<void>;
}

const off: Tracing = { tracer: undefined, stop: () => Promise.resolve() };

/** Opens what the settings name. The libraries for it are loaded only then: they take time and memory. */
export const openTracing = async (config: Config, role: TracedRole, logger: Pick<Logger, 'warn'>): Promise<Tracing> => {
  const { otlp, otlpTraces, otelDisabled } = config;
  if ((otlp === undefined && otlpTraces === undefined) || otelDisabled === 'true') return off;
  const { openOtlpTracing } = await import('./otlp-tracing.ts');
  return openOtlpTracing({ config, role, logger });
};
