/** The peer plane as the settings want it. */
import {
  ReconnectingPeer,
  ticketAddresses,
  type OpenEndpointOptions,
  type PeerEndpoint,
  type PeerState,
  type Ticket,
} from '@mvm-ci/net';
import { workerLimits } from '@mvm-ci/worker';
import type { Config } from './config/setting.ts';
import { systemRandom } from './system-random.ts';

/** Addresses, relay and discovery of an endpoint. */
export const peerOptions = ({
  bind,
  relay,
  discovery,
}: Pick<Config, 'bind' | 'relay' | 'discovery'>): Pick<OpenEndpointOptions, 'bind' | 'relay' | 'discovery'> => ({
  ...(bind && { bind }),
  relay: relayOf(relay),
  discovery,
});

const relayOf = (text: string): 'none' | 'default' | URL =>
  text === 'none' || text === 'default' ? text : new URL(text);

/** A connection to the control planes that the ticket names, one of them at a time. */
export const reconnectingPeer = (
  endpoint: PeerEndpoint,
  ticket: Ticket,
  onState: (state: PeerState) => void,
): ReconnectingPeer =>
  new ReconnectingPeer({
    endpoint,
    addresses: ticketAddresses(ticket),
    random: () => systemRandom.unit(),
    backoffMsMax: workerLimits.retryMsMax,
    onState,
  });
