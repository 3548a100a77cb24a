/** Values of the author's as JSON text. */

/**
 * The JSON text of `value`; undefined: it is undefined or a function.
 *
 * @param what - what it is, for the error.
 * @throws {TypeError} when JSON can't hold the value: a BigInt or a cycle in it, or a `toJSON` that throws.
 */
export const jsonText = (value: unknown, what: string): string | undefined => {
  try {
    return stringify(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TypeError(`${what} must be a JSON value: ${reason}`, { cause: error });
  }
};

// The library types hide that JSON.stringify(undefined) is undefined.
const stringify: (value: unknown) => string | undefined = JSON.stringify;
