/** Which versions of the peer protocol there are, and which one two releases speak with each other: `docs/internals/versions.md`. */
import { mvmError, type MvmError } from '../error.ts';

/** Versions of the peer protocol that a release speaks, both included. */
export interface ProtocolRange {
  readonly oldest: number;
  readonly newest: number;
}

/** The newest version that this release speaks. */
export const peerProtocol = 2;

/** What this release speaks: its own version and the one before. */
export const peerProtocols: ProtocolRange = { oldest: peerProtocol - 1, newest: peerProtocol };

/** Versions that brought something that a peer of an earlier one does not know. */
export const protocolOf = { drainOrder: 2, giveBack: 2 } as const;

/** Who speaks which versions. */
export interface Speaker extends ProtocolRange {
  /** For the message of a refusal, such as `this worker`. */
  readonly name: string;
}

/**
 * The newest version that both speak.
 *
 * @throws VERSION_UNSUPPORTED when there is none, with the side that is to be upgraded
 */
export const agreeOnProtocol = (own: Speaker, other: Speaker): number => {
  const version = Math.min(own.newest, other.newest);
  if (version >= own.oldest && version >= other.oldest) return version;
  throw unsupported(own, other);
};

const unsupported = (own: Speaker, other: Speaker): MvmError => {
  const behind = own.newest < other.newest ? own : other;
  return mvmError(
    'VERSION_UNSUPPORTED',
    `${own.name} speaks ${versionsOf(own)} of the peer protocol, ${other.name} ${versionsOf(other)}: upgrade ${behind.name}`,
    { [keyOf(own)]: rangeOf(own), [keyOf(other)]: rangeOf(other) },
  );
};

const versionsOf = ({ oldest, newest }: ProtocolRange): string =>
  oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;

const keyOf = ({ name }: Speaker): string => name.replace(/^th\w+ /, '').replaceAll(' ', '_');

const rangeOf = ({ oldest, newest }: ProtocolRange): ProtocolRange => ({ oldest, newest });
