/** Values of jobs for people. */

/** A JSON value over several lines; long ones are cut off. */
export const jsonText = (value: unknown, charsMax = 200_000): string => {
  const text = JSON.stringify(value, null, 2);
  return text.length > charsMax ? `${text.slice(0, charsMax)}\n… ${text.length - charsMax} more characters` : text;
};

/** What somebody typed: JSON if it is that, else undefined. */
export const parsedJson = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
};

/** Bytes in the unit that fits. */
export const bytesText = (bytes: number): string => {
  if (bytes < 1_024) return `${bytes} B`;
  const kib = bytes / 1_024;
  return kib < 1_024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1_024).toFixed(1)} MiB`;
};

/** A long id as people tell it from others. */
export const shortId = (id: string): string => (/^[0-9a-f]{64}$/.test(id) ? id.slice(0, 10) : id);
