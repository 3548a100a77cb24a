import type { BlobPort, FinishOutcome, InboxItem, JournalEntry, TraceContext } from '@mvm-ci/protocol';
import type { Snapshot } from './guest/guest-state.ts';
import type { JournalSink } from './journal.ts';

/** One attempt to run or to go on with. */
export interface RunRequest {
  readonly job: string;
  readonly attempt: number;
  /** Module hash, hex; the engine gets the file from its module source. */
  readonly module: string;
  readonly workflow: string;
  /** JSON text. */
  readonly input: string;
  /** What is durable of the attempt's journal already; empty for a fresh attempt. */
  readonly journal: readonly JournalEntry[];
  /**
   * What is unread in the job's inbox, lowest number first. Of a journal that isn't empty all `refused` items must be here:
   * they tell which internal effects were not done. @default nothing
   */
  readonly inbox?: readonly InboxItem[] | undefined;
  /**
   * Entries that `journal` lacks at its beginning: those behind the snapshot, whose head then stands for them. @default none
   */
  readonly leftOut?: LeftOutEntries | undefined;
  /** A state of the guest to go on from, as an earlier holder had it saved. One that doesn't fit is ignored. @default none */
  readonly snapshot?: Snapshot | undefined;
  /** The span that its effects are below, and what goes along with its requests. @default the run is not traced */
  readonly trace?: TraceContext | undefined;
}

/** The first entries of a journal, left where they are stored until somebody needs them. */
export interface LeftOutEntries {
  /** How many. */
  readonly entries: number;
  /**
   * The stored journal from its first entry on, the left out entries and perhaps more.
   *
   * @throws {MvmError} JOURNAL_CORRUPT, STALE_LEASE: the run ends with it
   */
  load(): Promise<readonly JournalEntry[]>;
}

/** What a run needs from whoever holds the job. */
export interface RunPorts {
  readonly sink: JournalSink;
  /**
   * Whether an effect may start (design section 6). True at once while the lease that the holder knows of lasts. When that
   * deadline has passed, the answer is a promise: it waits until a heartbeat has renewed the lease (true; a control plane
   * that was restarted keeps its leases), so the engine waits too and drops nothing. False when the lease is lost or
   * `signal` fired: the effect never starts, and the run is about to be dropped.
   */
  mayStartEffect(signal: AbortSignal): boolean | Promise<boolean>;
  /**
   * Waits for inbox items with a number above `after`; asked while the run waits for a message or a child, one question at a
   * time. An empty answer is asked again. It may stay open for ever once `signal` fired.
   *
   * @throws {StaleLeaseError} `STALE_LEASE` when the lease is over: the run is dropped
   * @default nothing ever arrives
   */
  inbox?(after: number, signal: AbortSignal): Promise<readonly InboxItem[]>;
  /** Where the run's requests keep blobs and read them. @default where the engine's performer does */
  readonly blobs?: BlobPort | undefined;
  /**
   * Keeps a state of the guest, in place of the one before; the entries behind it are durable. The run doesn't wait for it, and
   * goes on when it fails. @default none is taken
   */
  saveSnapshot?(snapshot: Snapshot): Promise<void>;
}

/** How a run ended: with an outcome that its sink accepted, or not at all (`dropped`: lease lost, or told to). */
export type RunEnd = { readonly type: 'finished'; readonly outcome: FinishOutcome } | { readonly type: 'dropped' };

/** A run in progress. */
export interface EngineRun {
  /** Settles when the run is over and everything it held is freed. Rejects only on an engine fault (`INTERNAL`). */
  readonly ended: Promise<RunEnd>;
  /** Ends the run as cancelled: effects in flight are aborted, the sink's `finish` gets `cancelled`. */
  cancel(reason: string): void;
  /** Gives the job back: no new effects; what has been answered is shipped, and `finish` gets `released`. */
  release(): void;
  /** The same once the guest is at rest with no effect in flight: what has begun ends, and its answers are shipped. @default `release` */
  readonly handOver?: (() => void) | undefined;
  /** Stops at once and says nothing more: the lease is lost. */
  drop(): void;
}

/** Runs attempts: the contract behind the four engine hosts (design section 2). */
export interface Engine extends AsyncDisposable {
  run(request: RunRequest, ports: RunPorts): EngineRun;
  /** Drops all runs and ends the threads. Idempotent. */
  stop(): Promise<void>;
}
