import { mvmError } from '@mvm-ci/protocol';

/** Where a peer can be reached: its proven identity, and the places to try. Plain JSON. */
export interface EndpointAddress {
  /** The ed25519 public key that is the peer's identity: 64 lower-case hex digits. */
  readonly id: string;
  /** Direct addresses, `ip:port` or `[ipv6]:port`; all are tried at once. */
  readonly addresses: readonly string[];
  /** Names with ports, `host:port`, that are looked up at each attempt to connect. */
  readonly hosts?: readonly string[] | undefined;
  /** The relay that the peer listens on, when it uses one. */
  readonly relayUrl?: string | undefined;
}

const idPattern = /^[0-9a-f]{64}$/;
const hostPattern = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?:\d{1,5}$/;
const socketPattern = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.%]+\]):\d{1,5}$/;

/**
 * Checks an address that came from outside.
 *
 * @throws INVALID_ARGUMENT when the id is no 64 hex digits, an address is not `ip:port`, or a name is not `host:port`.
 */
export const checkEndpointAddress = (address: EndpointAddress): EndpointAddress => {
  if (!idPattern.test(address.id)) {
    throw mvmError('INVALID_ARGUMENT', `a peer id is 64 lower-case hex digits, not "${address.id}"`);
  }
  const wrong = address.addresses.find((socket) => !isSocketAddress(socket));
  if (wrong !== undefined) {
    throw mvmError('INVALID_ARGUMENT', `a direct address is "ip:port" or "[ipv6]:port", not "${wrong}"`);
  }
  const unnamed = address.hosts?.find((host) => !isHostAddress(host));
  if (unnamed !== undefined) throw mvmError('INVALID_ARGUMENT', `a name to look up is "host:port", not "${unnamed}"`);
  return address;
};

/** Whether `text` is `ip:port` or `[ipv6]:port` with a port below 65,536. */
export const isSocketAddress = (text: string): boolean => socketPattern.test(text) && hasPort(text);

/** Whether `text` is `host:port` with a name to look up and a port below 65,536. */
export const isHostAddress = (text: string): boolean =>
  hostPattern.test(text) && !isSocketAddress(text) && hasPort(text);

const hasPort = (text: string): boolean => Number(text.slice(text.lastIndexOf(':') + 1)) < 65_536;

/** All places where the peer is looked for, for people. */
export const placesOf = ({ addresses, hosts = [], relayUrl }: EndpointAddress): readonly string[] => [
  ...addresses,
  ...hosts,
  ...(relayUrl === undefined ? [] : [`the relay ${relayUrl}`]),
];
