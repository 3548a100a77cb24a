/** The turns of the event loop, for commands that one message is to carry. */

/** Calls `callback` when what is due in this turn of the event loop has run, before the loop waits for anything new. */
export const atTurnEnd = (callback: () => void): void => void setImmediate(callback);
