export { MetricSet, secondsBuckets, type Observe, type Reading, type Sample } from './metric-set.ts';
export {
  addEffects,
  addEngine,
  type EffectClass,
  type EffectCounts,
  type EffectOutcome,
  type EngineCounts,
} from './engine-samples.ts';
