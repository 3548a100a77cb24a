/** Random numbers in the types of the `flawless` crate. */
import { GuestFault } from '../guest.ts';
import type { RandomStream } from '../wasi/random-stream.ts';

const typePattern = /^(?<letter>[UIF])(?<bits>8|16|32|64|128)$/i;

/**
 * A number of the type that is named, `U8` to `U128`, `I8` to `I128`, `F32` and `F64` (from 0, below 1), as JSON text: a
 * 64-bit number keeps all its digits.
 *
 * @throws {GuestFault} `GUEST_PROTOCOL` for another type
 */
export const randomNumber = (type: string, random: RandomStream): string => {
  const { letter = '', bits = '0' } = typePattern.exec(type)?.groups ?? {};
  const bytes = Buffer.alloc(16);
  random.fill(bytes);
  const value = bytes.readBigUInt64LE(0) | (bytes.readBigUInt64LE(8) << 64n);
  switch (letter.toUpperCase()) {
    case 'U':
      return BigInt.asUintN(Number(bits), value).toString();
    case 'I':
      return BigInt.asIntN(Number(bits), value).toString();
    case 'F':
      return String(bits === '32' ? bytes.readUIntLE(0, 3) / 2 ** 24 : Number(BigInt.asUintN(53, value)) / 2 ** 53);
    default:
      throw new GuestFault({ code: 'GUEST_PROTOCOL', message: `there is no random number of the type "${type}"` });
  }
};
