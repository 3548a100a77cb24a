/** How the calls of WASI are given to a guest: an error that a call throws becomes the number that it returns. */
import { errno, WasiError } from './errno.ts';

/** Host functions by name: numbers and places in the guest's memory go in, results are written to such places. */
export type WasiCalls = Readonly<Record<string, (...parameters: never[]) => void>>;

/** The calls as imports that return an `errno`. Whatever else they throw ends the guest. */
export const answeringErrno = (calls: WasiCalls): Readonly<Record<string, (...parameters: never[]) => number>> =>
  Object.fromEntries(
    Object.entries(calls).map(([name, call]) => [
      name,
      (...parameters: never[]): number => {
        try {
          call(...parameters);
          return errno.success;
        } catch (error) {
          if (error instanceof WasiError) return error.errno;
          throw error;
        }
      },
    ]),
  );
