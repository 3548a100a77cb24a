import { asMvmError, cut, linkLimits, type HolderMessage } from '@mvm-ci/protocol';
import type { ModuleSource } from '../module-source.ts';

export interface CarryModule {
  /** Hash of the module, hex. */
  readonly module: string;
  readonly modules: ModuleSource;
  /** Sends a message to the engine, and waits for room where there is none. */
  readonly send: (message: HolderMessage) => Promise<void> | undefined;
  /** Fires when the engine wants it no more. */
  readonly signal: AbortSignal;
}

/** Sends a module's file to an engine that has asked for it, in parts, or why it can't be had. Never rejects. */
export const carryModule = async ({ module, modules, send, signal }: CarryModule): Promise<void> => {
  try {
    const parts = cut(await modules(module, { signal }), linkLimits.modulePieceBytes);
    for (const [index, bytes] of parts.entries()) {
      if (signal.aborted) return;
      await send({ type: 'module', bytes, isLast: index === parts.length - 1 });
    }
  } catch (error) {
    void send({ type: 'no-module', error: asMvmError(error).toRecord() });
  }
};
