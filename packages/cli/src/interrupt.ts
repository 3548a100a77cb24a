import type { Host } from './host.ts';

/** What a long-running command does when it is asked to end. */
export interface Interruptible {
  /** First signal: end well. */
  drain(): void;
  /** Second signal: end now. */
  stop(): void;
}

/** Answers SIGINT and SIGTERM until the returned function is called, and keeps the process alive as long. */
export const answerInterrupts = (host: Host, command: Interruptible): (() => void) => {
  let signals = 0;
  const end = host.onInterrupt(() => {
    signals += 1;
    if (signals === 1) command.drain();
    else command.stop();
  });
  // The transport's handles don't hold the event loop: without a timer the process could end in the middle.
  const alive = setInterval(() => undefined, 2 ** 30);
  return () => {
    clearInterval(alive);
    end();
  };
};
