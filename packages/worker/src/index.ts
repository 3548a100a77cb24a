export * from './worker.ts';
export { workerLimits } from './limits.ts';
export type { Clock, Timer } from './clock.ts';
export type { LogFields, Logger } from './logger.ts';
export type { Random } from './random.ts';
export type { Peer, PeerInit } from './peer-control-plane.ts';
export type { ModuleSource } from './module-source.ts';
export type * from './engine-host.ts';
export { embeddedHost } from './engine-hosts/embedded.ts';
export type { HeldJobEnd } from './held-job.ts';
export {
  parseEngineSetting,
  peerEngineUrl,
  type EngineScheme,
  type EngineSetting,
  type MemberSource,
} from './engine-hosts/engine-setting.ts';
