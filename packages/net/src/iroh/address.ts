/** Addresses between our form and the native one, and iroh's own tickets. */
import type { EndpointAddr as NativeAddress } from '@number0/iroh';

import { checkEndpointAddress, type EndpointAddress } from '../endpoint-address.ts';
import { EndpointAddr, EndpointId, EndpointTicket } from './binding.ts';
import { failureText } from './failure.ts';

/** @throws INVALID_ARGUMENT for an id or address that is none. */
export const toNativeAddress = (address: EndpointAddress): NativeAddress => {
  const { id, addresses, relayUrl } = checkEndpointAddress(address);
  return new EndpointAddr(EndpointId.fromString(id), relayUrl ?? null, [...addresses]);
};

export const fromNativeAddress = (native: NativeAddress): EndpointAddress => {
  const relayUrl = native.relayUrl();
  return {
    id: native.id().toString(),
    addresses: native.directAddresses(),
    ...(relayUrl !== null && { relayUrl }),
  };
};

/**
 * Reads iroh's own ticket (`endpoint` and base32), which carries addresses but no token.
 *
 * @returns the address, or what is wrong with the text.
 */
export const readEndpointTicket = (text: string): { address: EndpointAddress } | { wrong: string } => {
  try {
    return { address: fromNativeAddress(EndpointTicket.fromString(text).endpointAddr()) };
  } catch (thrown) {
    return { wrong: failureText(thrown) };
  }
};

/** Writes iroh's own ticket, for programs that know nothing of ours. */
export const writeEndpointTicket = (address: EndpointAddress): string =>
  EndpointTicket.fromAddr(toNativeAddress(address)).toString();
