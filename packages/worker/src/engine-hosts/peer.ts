/**
 * Option 2: the control plane's own engine, over the connection that the worker has to it anyway. The engine reads and writes
 * the journals where they are stored; the worker hears how the runs end.
 */
import { routes } from '@mvm-ci/protocol';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { ModuleSource } from '../module-source.ts';
import type { Random } from '../random.ts';
import { LinkDialer, type LinkConnection } from './link-dialer.ts';
import { LinkHost } from './link.ts';

export interface PeerHostOptions {
  /** Opens a channel to the control plane in the two bodies of a POST to `path`. @throws the refusal, CONNECTION_LOST */
  readonly openChannel: (path: string, options: { readonly signal: AbortSignal }) => Promise<LinkConnection>;
  readonly modules: ModuleSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A host whose runs go to the engine that the control plane lends. Begins to connect at once. */
export const peerHost = ({ openChannel, modules, clock, random, logger }: PeerHostOptions): LinkHost => {
  const connect = (signal: AbortSignal): Promise<LinkConnection> => openChannel(routes.engineLink, { signal });
  const dialer = new LinkDialer({ connect, engine: "the control plane's engine", clock, random, logger });
  return new LinkHost({ dialer, journal: 'kept', modules, clock });
};
