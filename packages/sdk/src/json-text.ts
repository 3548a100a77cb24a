/** Values of the author's as JSON text. */

/**
 * The JSON text of `value`; undefined: it is undefined or a function.
 *
 * @param what - what it is, for the error.
 * @throws {TypeError} when JSON can't hold the value: a BigInt or a cycle in it, or a `toJSON` that throws.
 * @throws the runtime's own `InternalError`, such as `out of memory`, as it is.
 */
export const jsonText = (value: unknown, what: string): string | undefined => {
  try {
    return stringify(value);
  } catch (error) {
    // The runtime has no memory left, or the value is too long for a text: that is not the value's kind.
    if (error instanceof Error && error.name === 'InternalError') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new TypeError(`${what} must be a JSON value: ${reason}`, { cause: error });
  }
};

// The library types hide that JSON.stringify(undefined) is undefined.
const stringify: (value: unknown) => string | undefined = JSON.stringify;
