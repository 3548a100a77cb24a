import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import type { Config } from '../config/setting.ts';

/** The sampler of `OTEL_TRACES_SAMPLER`: which of the traces that begin here, or go on here, are told of. */
export const samplerOf = ({ tracesSampler, tracesSamplerArg = 1 }: Config): Sampler => {
  const ratio = new TraceIdRatioBasedSampler(tracesSamplerArg);
  switch (tracesSampler) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return ratio;
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: ratio });
  }
};
