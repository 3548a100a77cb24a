export * from './worker.ts';
export { worker, type HandlerWorkerOptions } from './handlers/plain-worker.ts';
export {
  NonRetryableError,
  RetryAfterError,
  type Handler,
  type HandlerContext,
  type HandlerJob,
  type RunOptions,
} from './handlers/handler.ts';
export { workerLimits } from './limits.ts';
export type { Clock, Timer } from './clock.ts';
export type { LogFields, Logger } from './logger.ts';
export type { Random } from './random.ts';
export type { Peer, PeerInit } from './peer-control-plane.ts';
export type { LocalPeer } from './local-control-plane.ts';
export type { ModuleSource } from './module-source.ts';
export type * from './engine-host.ts';
export { embeddedHost } from './engine-hosts/embedded.ts';

export { peerHost, type PeerHostOptions } from './engine-hosts/peer.ts';
export { RemoteMember, type RemoteMemberOptions } from './engine-hosts/remote.ts';
export { lendEngine, type LendEngineOptions } from './lend-engine.ts';
export type { HeldJobEnd } from './held-job.ts';
export { workerApi, type WorkerApiParts } from './status/worker-api.ts';
export { workerMetrics, type WorkerMetricsParts } from './status/worker-metrics.ts';
export {
  parseEngineSetting,
  peerEngineUrl,
  type EngineScheme,
  type EngineSetting,
  type MemberSource,
} from './engine-hosts/engine-setting.ts';
export { EnginePool, type EnginePoolOptions } from './engine-hosts/pool.ts';
export type { Dns, Found } from './engine-hosts/pool/dns.ts';
export type { MemberTarget, ServiceRecord } from './engine-hosts/pool/member-target.ts';
export { systemDns, type SystemDnsOptions } from './engine-hosts/pool/system-dns.ts';
export {
  ForeignHost,
  identifyEngineServer,
  missingGuarantees,
  type EngineServerIdentity,
  type ForeignHostOptions,
  type IdentifyOptions,
} from './engine-hosts/foreign.ts';
export type { HttpAnswer, HttpRequest, SendHttp } from './engine-hosts/foreign/http.ts';
export { systemHttp } from './engine-hosts/foreign/system-http.ts';
export { SingleServer, type SingleServerOptions } from './engine-hosts/single-server.ts';
