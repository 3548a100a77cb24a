/** Random values of the types that the `flawless` crate has. */
import { GuestFault } from '../guest.ts';
import type { RandomStream } from '../wasi/random-stream.ts';

/**
 * A value of the type that is named, as JSON text: `Bool`, `I32`, `I64` with all its digits, `F32` and `F64` from 0, below 1.
 *
 * @throws {GuestFault} `GUEST_PROTOCOL` for another type
 */
export const randomValue = (type: string, random: RandomStream): string => {
  const bytes = Buffer.alloc(8);
  random.fill(bytes);
  switch (type) {
    case 'Bool':
      return String((bytes.readUInt8(0) & 1) === 1);
    case 'I32':
      return String(bytes.readInt32LE(0));
    case 'I64':
      return bytes.readBigInt64LE(0).toString();
    case 'F32':
      return String(bytes.readUIntLE(0, 3) / 2 ** 24);
    case 'F64':
      return String(Number(BigInt.asUintN(53, bytes.readBigUInt64LE(0))) / 2 ** 53);
    default:
      throw new GuestFault({ code: 'GUEST_PROTOCOL', message: `there is no random value of the type "${type}"` });
  }
};
