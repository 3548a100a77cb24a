/**
 * The snapshots of a run at the engine's end of a link: they are kept by the job's holder, which seals them. It owns the one that is on
 * its way.
 */
import {
  errorFromRecord,
  mvmError,
  snapshotPieces,
  type EngineMessage,
  type ErrorRecord,
  type MvmError,
} from '@mvm-ci/protocol';
import type { Snapshot } from '../guest/guest-state.ts';

export interface LinkSnapshotsOptions {
  readonly say: (message: EngineMessage) => void;
  /** Resolves when nothing waits for room in the conversation: other messages go between the pieces. */
  readonly room: () => Promise<void>;
}

export class LinkSnapshots {
  readonly #options: LinkSnapshotsOptions;
  #answer: PromiseWithResolvers<void> | undefined;
  #lost: MvmError | undefined;

  constructor(options: LinkSnapshotsOptions) {
    this.#options = options;
  }

  /** One at a time. @throws why the holder didn't keep it, or why nobody can tell */
  async save(snapshot: Snapshot): Promise<void> {
    const answer = Promise.withResolvers<void>();
    answer.promise.catch(() => undefined);
    this.#answer = answer;
    for (const piece of snapshotPieces(snapshot)) {
      if (this.#lost) throw this.#lost;
      this.#options.say({ type: 'snapshot', ...piece });
      await Promise.race([this.#options.room(), answer.promise]);
    }
    await answer.promise;
  }

  /** The holder has kept it, or not. @throws INVALID_ARGUMENT when none is on its way */
  answered(error: ErrorRecord | undefined): void {
    const answer = this.#answer;
    if (!answer) throw mvmError('INVALID_ARGUMENT', '"snapshot-kept" is not what an engine link expects now');
    this.#answer = undefined;
    if (error) answer.reject(errorFromRecord(error));
    else answer.resolve();
  }

  /** The holder is gone. Idempotent. */
  lose(error: MvmError): void {
    this.#lost ??= error;
    this.#answer?.reject(error);
    this.#answer = undefined;
  }
}
