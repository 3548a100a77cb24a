/** The turns of the event loop, for what gathers work that one message is to carry. */

/**
 * Calls `callback` when everything that is due in this turn of the event loop has run: the answers that arrived together
 * have then been dealt with, each with all that it brings about at once.
 */
export const atTurnEnd = (callback: () => void): void => void setImmediate(callback);
