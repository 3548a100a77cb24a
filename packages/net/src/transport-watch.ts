/**
 * Notices within seconds that the other side of a connection is gone, though nobody waits for an answer. The transports of both
 * sides say something every 5 s, which costs the other side's program nothing. When no packet came for `transportSilenceMs`, a
 * question is asked; that its deadline passes ends the connection, as with every other request.
 */
import type { Clock, Timer } from './clock.ts';
import { netLimits } from './limits.ts';
import type { PeerConnection } from './peer-connection.ts';

/** What is watched, and with what. */
export interface TransportWatchOptions {
  readonly connection: Pick<PeerConnection, 'isClosed' | 'packetsReceived'>;
  /** Asks the other side something, within `netLimits.transportAnswerMs`. */
  readonly ask: () => Promise<unknown>;
  readonly clock: Clock;
}

/** Watches until the connection is closed. @returns ends the watch */
export const watchTransport = ({ connection, ask, clock }: TransportWatchOptions): (() => void) => {
  let packets = connection.packetsReceived();
  let heardMs = clock.monotonicMs();
  let timer: Timer;
  const look = (): void => {
    if (connection.isClosed) return;
    const received = connection.packetsReceived();
    const nowMs = clock.monotonicMs();
    if (received !== packets) heardMs = nowMs;
    packets = received;
    // Whatever becomes of it is the connection's affair.
    if (nowMs - heardMs >= netLimits.transportSilenceMs) ask().catch(() => undefined);
    timer = clock.after(netLimits.transportLookMs, look);
  };
  timer = clock.after(netLimits.transportLookMs, look);
  return () => timer.cancel();
};
