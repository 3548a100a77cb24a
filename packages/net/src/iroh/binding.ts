/**
 * The door to the native module. It has three habits that stay in here:
 *   1. Its package names a wrong entry point; importing `index.js` by default export works.
 *   2. Bytes are arrays of numbers. A later release takes Uint8Array; which one this is, is asked once.
 *   3. `watch*`, any builder setter after `bind` and a second `setLogLevel` abort the process, uncatchably: nobody in
 *      this package calls them, and the rest of the system can't reach them.
 */
import iroh from '@number0/iroh';

export const Endpoint: typeof iroh.Endpoint = iroh.Endpoint;
export const EndpointAddr: typeof iroh.EndpointAddr = iroh.EndpointAddr;
export const EndpointId: typeof iroh.EndpointId = iroh.EndpointId;
export const EndpointTicket: typeof iroh.EndpointTicket = iroh.EndpointTicket;
export const RelayMode: typeof iroh.RelayMode = iroh.RelayMode;
export const presetMinimal: typeof iroh.presetMinimal = iroh.presetMinimal;
export const presetN0DisableRelay: typeof iroh.presetN0DisableRelay = iroh.presetN0DisableRelay;

/** The native module's type for bytes is narrower than what a later release takes; this is the one place that knows. */
const asIs = (bytes: Uint8Array): number[] =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its types know only the older form of bytes
  bytes as unknown as number[];

const takesUint8Array = ((): boolean => {
  try {
    iroh.SecretKey.fromBytes(asIs(new Uint8Array(32)));
    return true;
  } catch {
    return false;
  }
})();

const toNumbers = (bytes: Uint8Array): number[] => {
  const numbers: number[] = [];
  numbers.length = bytes.length;
  for (let index = 0; index < bytes.length; index += 1) numbers[index] = bytes[index] ?? 0;
  return numbers;
};

/** Bytes in the form that the native module takes. The loop takes a fifteenth of the time of `Array.from`. */
export const toNative: (bytes: Uint8Array) => number[] = takesUint8Array ? asIs : toNumbers;

/** Bytes that the native module gave. */
export const fromNative = (bytes: ArrayLike<number>): Uint8Array =>
  bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
