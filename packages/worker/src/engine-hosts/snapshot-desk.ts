/**
 * The snapshots of a run at the holder's end of a link: what an engine elsewhere makes is kept as what the worker's own engine makes. It
 * owns the one that is coming or being kept.
 */
import {
  asMvmError,
  mvmError,
  SnapshotIntake,
  type HolderMessage,
  type MvmError,
  type SnapshotPiece,
  type SnapshotState,
} from '@mvm-ci/protocol';

export interface SnapshotDeskOptions {
  /** @throws why it is not kept. @default the engine may not send any */
  readonly save: ((snapshot: SnapshotState) => Promise<void>) | undefined;
  /** Sends a message to the engine. */
  readonly say: (message: HolderMessage) => void;
}

export class SnapshotDesk {
  readonly #options: SnapshotDeskOptions;
  readonly #intake: SnapshotIntake = new SnapshotIntake();
  #isSaving = false;

  constructor(options: SnapshotDeskOptions) {
    this.#options = options;
  }

  /** A part has come. The engine waits for what became of one snapshot before it sends the next. @throws INVALID_ARGUMENT, LIMIT_EXCEEDED */
  take(piece: SnapshotPiece): void {
    const { save } = this.#options;
    if (!save || this.#isSaving)
      throw mvmError('INVALID_ARGUMENT', 'the engine sends a snapshot, and this holder takes none now');
    const snapshot = this.#intake.take(piece);
    if (snapshot) void this.#keep(save, snapshot);
  }

  async #keep(save: (snapshot: SnapshotState) => Promise<void>, snapshot: SnapshotState): Promise<void> {
    this.#isSaving = true;
    let error: MvmError | undefined;
    try {
      await save(snapshot);
    } catch (thrown) {
      error = asMvmError(thrown);
    }
    this.#isSaving = false;
    this.#options.say({ type: 'snapshot-kept', ...(error && { error: error.toRecord() }) });
  }
}
