import type { Intent } from '@mvm-ci/protocol';

/**
 * Thrown by a host function to end a guest's program where it is: its stack is unwound, and `intents` are its last ones.
 * WebAssembly can't catch it, since admission refuses modules with exceptions.
 */
export class ProgramEnd extends Error {
  readonly intents: readonly Intent[];

  constructor(intents: readonly Intent[]) {
    super('the program ended');
    this.name = 'ProgramEnd';
    this.intents = intents;
  }
}
