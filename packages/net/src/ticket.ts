/**
 * Tickets: one line of text with all that a worker needs to join.
 *
 * Form: `mvm1`, then base32 of the fields and 8 bytes of their SHA-256. Each field is a tag, a length and a value
 * (tag and length as QUIC integers). A reader skips tags that it does not know, so fields can be added; what older
 * readers must not misread gets a new number after `mvm`. A further node is a field whose value is its fields.
 */
import { createHash } from 'node:crypto';

import { mvmError, type MvmError } from '@mvm-ci/protocol';

import { base32Decode, base32Encode } from './base32.ts';
import { joinBytes } from './bytes.ts';
import type { Clock } from './clock.ts';
import { checkEndpointAddress, type EndpointAddress } from './endpoint-address.ts';
import { readVarint, varint, varintLength } from './http3/varint.ts';
import { readEndpointTicket } from './iroh/address.ts';
import { netLimits } from './limits.ts';
import { systemClock } from './system-clock.ts';

/** What a ticket says. */
export interface Ticket {
  /** Where the control plane is. */
  readonly address: EndpointAddress;
  /** Further nodes that serve the same cluster. @default none */
  readonly others?: readonly EndpointAddress[] | undefined;
  /** The join token; a plain iroh ticket has none. */
  readonly token?: string | undefined;
  /** The id of the cluster, so that a ticket of another one is noticed. */
  readonly cluster?: string | undefined;
  /** After this time the token is refused: milliseconds since the Unix epoch, whole seconds. */
  readonly expiresAtMs?: number | undefined;
}

/** What is wrong with a text that should be a ticket. */
export type TicketFault = 'not-a-ticket' | 'damaged' | 'newer-version';

const PREFIX = 'mvm1';
const CHECKSUM_BYTES = 8;
const tags = { ID: 1, ADDRESS: 2, RELAY: 3, TOKEN: 4, CLUSTER: 5, EXPIRES_S: 6, NODE: 7, HOST: 8 } as const;

/**
 * Writes a ticket.
 *
 * @throws INVALID_ARGUMENT for an address that is none, or for more addresses or characters than the limits allow
 * @example encodeTicket({ address: endpoint.address(), token, cluster: 'prod' }); // mvm1ae…
 */
export const encodeTicket = (ticket: Ticket): string => {
  const places = ticketAddresses(ticket).flatMap(({ addresses, hosts = [] }) => [...addresses, ...hosts]);
  if (places.length > netLimits.ticketAddressesMax) {
    const rule = `a ticket holds ${netLimits.ticketAddressesMax} addresses`;
    throw mvmError('INVALID_ARGUMENT', `${rule}, not ${places.length}`);
  }
  const { address, others = [], token, cluster, expiresAtMs } = ticket;
  const fields = joinBytes([
    nodeFields(address),
    ...others.map((other) => field(tags.NODE, nodeFields(other))),
    textField(tags.TOKEN, token),
    textField(tags.CLUSTER, cluster),
    expiresAtMs === undefined ? nothing : field(tags.EXPIRES_S, varint(Math.ceil(expiresAtMs / 1000))),
  ]);
  const text = PREFIX + base32Encode(joinBytes([fields, checksum(fields)]));
  if (text.length > netLimits.ticketCharsMax) {
    throw mvmError('INVALID_ARGUMENT', `a ticket has ${netLimits.ticketCharsMax} characters, not ${text.length}`);
  }
  return text;
};

const nodeFields = (node: EndpointAddress): Uint8Array => {
  const { id, addresses, hosts = [], relayUrl } = checkEndpointAddress(node);
  return joinBytes([
    field(tags.ID, Buffer.from(id, 'hex')),
    ...addresses.map((address) => textField(tags.ADDRESS, address)),
    ...hosts.map((host) => textField(tags.HOST, host)),
    textField(tags.RELAY, relayUrl),
  ]);
};

/** Every control-plane node that the ticket names, the first one first. */
export const ticketAddresses = ({ address, others = [] }: Ticket): readonly [EndpointAddress, ...EndpointAddress[]] => [
  address,
  ...others,
];

/**
 * Reads a ticket of ours, a plain iroh ticket (`endpoint…`), or one as a URL (`iroh+h3://endpoint…/`); the latter two
 * carry no token. Space around it is ignored.
 *
 * @throws TICKET_INVALID with `details.fault`: not-a-ticket, damaged or newer-version; TICKET_EXPIRED by this machine's clock
 */
export const decodeTicket = (text: string, options: { readonly clock?: Clock } = {}): Ticket => {
  const trimmed = text.trim();
  if (trimmed.length > netLimits.ticketCharsMax) {
    throw invalid('not-a-ticket', `it has ${trimmed.length} characters, a ticket at most ${netLimits.ticketCharsMax}`);
  }
  const plain = /^(?:iroh\+h3:\/\/)?(endpoint[a-z2-7]+)\/?$/i.exec(trimmed)?.[1];
  if (plain) return readPlain(plain.toLowerCase());
  const version = /^mvm([1-9])/i.exec(trimmed)?.[1];
  if (version === undefined) throw invalid('not-a-ticket', `it begins "${trimmed.slice(0, 12)}", not "${PREFIX}"`);
  if (version !== '1') throw newer(version);
  const ticket = readOurs(trimmed.slice(PREFIX.length));
  checkExpiry(ticket, options.clock ?? systemClock);
  return ticket;
};

const readPlain = (text: string): Ticket => {
  const read = readEndpointTicket(text);
  if ('wrong' in read) throw invalid('damaged', `iroh can't read it (${read.wrong}); copy it again, whole`);
  return { address: read.address };
};

const readOurs = (text: string): Ticket => {
  const bytes = base32Decode(text);
  if (!bytes || bytes.length <= CHECKSUM_BYTES) throw damaged('it is cut off or has foreign characters');
  const fields = bytes.subarray(0, -CHECKSUM_BYTES);
  if (!Buffer.from(checksum(fields)).equals(bytes.subarray(-CHECKSUM_BYTES))) throw damaged('its checksum is wrong');
  return ticketOf(readFields(fields));
};

const ticketOf = (fields: ReadonlyMap<number, readonly Uint8Array[]>): Ticket => {
  const expires = fields.get(tags.EXPIRES_S)?.[0];
  const expiresS = expires && readVarint(expires, 0);
  const others = fields.get(tags.NODE)?.map((value) => nodeOf(readFields(value))) ?? [];
  const [token, cluster] = [textOf(fields, tags.TOKEN), textOf(fields, tags.CLUSTER)];
  return {
    address: nodeOf(fields),
    ...(others.length > 0 && { others }),
    ...(token !== undefined && { token }),
    ...(cluster !== undefined && { cluster }),
    ...(expiresS !== undefined && { expiresAtMs: expiresS * 1000 }),
  };
};

const nodeOf = (fields: ReadonlyMap<number, readonly Uint8Array[]>): EndpointAddress => {
  const relayUrl = textOf(fields, tags.RELAY);
  const hosts = fields.get(tags.HOST)?.map(utf8);
  const address: EndpointAddress = {
    id: Buffer.from(fields.get(tags.ID)?.[0] ?? nothing).toString('hex'),
    addresses: fields.get(tags.ADDRESS)?.map(utf8) ?? [],
    ...(hosts && { hosts }),
    ...(relayUrl !== undefined && { relayUrl }),
  };
  try {
    return checkEndpointAddress(address);
  } catch (thrown) {
    throw damaged(thrown instanceof Error ? thrown.message : String(thrown));
  }
};

const textOf = (fields: ReadonlyMap<number, readonly Uint8Array[]>, tag: number): string | undefined =>
  fields.get(tag)?.map(utf8)[0];

const readFields = (bytes: Uint8Array): Map<number, Uint8Array[]> => {
  const fields = new Map<number, Uint8Array[]>();
  let offset = 0;
  const integer = (): number => {
    const value = readVarint(bytes, offset);
    if (value === undefined) throw damaged('a field is cut off');
    offset += varintLength(bytes[offset] ?? 0);
    return value;
  };
  while (offset < bytes.length) {
    const tag = integer();
    const length = integer();
    if (length > bytes.length - offset) throw damaged('a field is cut off');
    fields.set(tag, [...(fields.get(tag) ?? []), bytes.subarray(offset, offset + length)]);
    offset += length;
  }
  return fields;
};

const checkExpiry = ({ expiresAtMs }: Ticket, clock: Clock): void => {
  if (expiresAtMs === undefined || clock.wallMs() < expiresAtMs) return;
  const date = new Date(expiresAtMs).toISOString();
  throw mvmError('TICKET_EXPIRED', `the ticket expired at ${date} by this machine's clock: ask for a new one`, {
    expires_at_ms: expiresAtMs,
  });
};

const nothing = new Uint8Array(0);

const field = (tag: number, value: Uint8Array): Uint8Array => joinBytes([varint(tag), varint(value.length), value]);

const textField = (tag: number, text: string | undefined): Uint8Array =>
  text === undefined ? nothing : field(tag, new TextEncoder().encode(text));

const utf8 = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const checksum = (bytes: Uint8Array): Uint8Array =>
  createHash('sha256').update(bytes).digest().subarray(0, CHECKSUM_BYTES);

const damaged = (detail: string): MvmError => invalid('damaged', `${detail}; copy it again, whole`);

const newer = (version: string): MvmError =>
  invalid('newer-version', `it is of version ${version}, this program reads version 1; install a newer one`);

const words: Readonly<Record<TicketFault, string>> = {
  'not-a-ticket': 'this is not a ticket',
  damaged: 'the ticket is damaged',
  'newer-version': 'the ticket is of a newer version',
};

const invalid = (fault: TicketFault, detail: string): MvmError =>
  mvmError('TICKET_INVALID', `${words[fault]}: ${detail}`, { fault });
