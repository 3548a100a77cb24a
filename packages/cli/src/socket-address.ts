/** A host and a port to listen on. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** The parts of a checked `HOST:PORT`, in which an IPv6 address stands in brackets. */
export const socketAddress = (address: string): SocketAddress => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) };
};
