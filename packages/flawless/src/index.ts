export { startEngineServer, type EngineLinks, type EngineServer, type EngineServerOptions } from './engine-server.ts';
export { flawlessLimits } from './limits.ts';
