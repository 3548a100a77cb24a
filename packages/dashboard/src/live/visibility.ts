/** Whether somebody looks at this tab. */

/** Waits until the tab is seen. @returns a signal that fires when it is hidden again */
export const seen = async (): Promise<AbortSignal> => {
  if (document.hidden) await changed();
  const hidden = new AbortController();
  const look = (): void => {
    if (!document.hidden) return;
    document.removeEventListener('visibilitychange', look);
    hidden.abort();
  };
  document.addEventListener('visibilitychange', look);
  return hidden.signal;
};

const changed = (): Promise<void> =>
  new Promise((resolve) => document.addEventListener('visibilitychange', () => resolve(), { once: true }));

/** Waits for a time. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
