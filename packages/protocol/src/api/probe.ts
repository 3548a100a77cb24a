/** The body of the answer to a health probe: JSON on a line of its own, since people ask too, by curl. */
export const probeText = (answer: unknown): string => `${JSON.stringify(answer)}\n`;
