import type { EndpointAddress } from '../endpoint-address.ts';

/** The IP addresses of a name; none when it has none now. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** The address with its names looked up: those that are not found are left out, as the others may do. */
export const lookedUp = async (address: EndpointAddress, find: Lookup): Promise<EndpointAddress> => {
  const { hosts = [], ...rest } = address;
  if (hosts.length === 0) return address;
  const found = await Promise.all(hosts.map((host) => socketsOf(host, find)));
  return { ...rest, addresses: [...new Set([...address.addresses, ...found.flat()])] };
};

const socketsOf = async (host: string, find: Lookup): Promise<readonly string[]> => {
  const colon = host.lastIndexOf(':');
  const addresses = await find(host.slice(0, colon));
  return addresses.map((ip) => `${ip.includes(':') ? `[${ip}]` : ip}${host.slice(colon)}`);
};
