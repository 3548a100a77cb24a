import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { netLimits } from '../../limits.ts';

/** Pools of connections that are kept alive between requests. */
export interface HttpAgents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
  /** Closes the connections, also those in use. Idempotent. */
  close(): void;
}

/** Opens the pools that everything shares which one process sends to servers of one kind. */
export const openHttpAgents = (): HttpAgents => {
  const options = {
    keepAlive: true,
    keepAliveMsecs: netLimits.tcpKeepAliveMs,
    maxSockets: netLimits.httpSocketsMax,
    maxFreeSockets: netLimits.httpIdleSocketsMax,
  };
  const [http, https] = [new HttpAgent(options), new HttpsAgent(options)];
  return {
    http,
    https,
    close: () => {
      http.destroy();
      https.destroy();
    },
  };
};
