/** A header or trailer line: lower-case name, value; characters up to U+00FF, one byte each. */
export type FieldLine = readonly [name: string, value: string];

/** The size of a field section as limits count it (RFC 9114 section 4.2.2): name, value, and 32 for each line. */
export const fieldLineSize = ([name, value]: FieldLine): number => name.length + value.length + 32;
