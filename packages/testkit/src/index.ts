export * from './cluster/cluster.ts';
export * from './cluster/effect-audit.ts';
export * from './cluster/engine-servers.ts';
export * from './cluster/ready-process.ts';
export * from './journal-conformance.ts';
export * from './site/site.ts';
export { attemptKeeper } from './engine-host/attempt-keeper.ts';
export { describeEngineHost } from './engine-host/engine-host-conformance.ts';
export {
  conformanceSuspendAfterMs,
  type ConformanceEnd,
  type ConformanceHost,
  type ConformanceRun,
  type EngineHostHarness,
  type HarnessParts,
  type OpenHarness,
} from './engine-host/host-bench.ts';
export { HeldAttempt, type AttemptPorts } from './engine-host/held-attempt.ts';
export { MemoryLink } from './engine-host/memory-link.ts';
export { MessageCutter, type Cut } from './engine-host/message-cutter.ts';
export { Receiver } from './engine-host/receiver.ts';
export * from './guest/core-wasm.ts';
export * from './guest/flawless-module.ts';
export * from './guest/script-module.ts';
export * from './guest/wasi-program.ts';
export * from './guest/wire-intents.ts';
