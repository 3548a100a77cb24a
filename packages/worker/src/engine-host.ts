/**
 * Where a worker's jobs run: the contract behind the four places for an engine (design section 2). Implementations are in
 * `engine-hosts/`; one conformance suite of the test kit holds for all of them.
 *
 *   1. A host decides nothing about a job: whose it is, and what its end means, the holder knows (`held-job.ts`).
 *   2. A run that ends as `interrupted` has finished nothing: its engine, or the link to it, is gone, and no effect starts
 *      in it any more. The holder goes on from the stored journal, with another run.
 *   3. After `stop` no run goes on, and nothing of the host is left.
 */
import type { EngineRun, EngineStats, JournalSink, LeftOutEntries, Replayer, RunEnd, Snapshot } from '@mvm-ci/engine';
import type { ClaimedJob, InboxItem, JournalEntry, MvmError } from '@mvm-ci/protocol';

/** How a journal is opened. */
export interface OpenOptions {
  /** Whether the entries behind a snapshot with a head may be left out. @default false */
  readonly mayLeaveOut?: boolean;
}

/** A journal to go on with. */
export interface OpenedJournal {
  /** How many entries are stored. */
  readonly count: number;
  /** What is stored, without what is left out; decoded when it is first asked for. @throws JOURNAL_CORRUPT */
  readonly entries: readonly JournalEntry[];
  /** See `RunRequest.leftOut` of the engine. @default nothing is left out */
  readonly leftOut?: LeftOutEntries | undefined;
  /** What the attempts before did, of the job of a handler. @throws JOURNAL_CORRUPT @default nothing */
  readonly earlier?: readonly JournalEntry[];
  /** What is stored, encoded: parts of whole entries. */
  readonly parts: Iterable<Uint8Array>;
  /** What is unread in the job's inbox: see `RunRequest.inbox`. */
  readonly inbox: readonly InboxItem[];
  /** A stored state of the guest that fits these entries. @default none */
  readonly snapshot?: Snapshot | undefined;
  /** Goes on after them. */
  readonly sink: JournalSink;
}

/** What a host needs from whoever holds the job. */
export interface HostPorts {
  /**
   * Reads the stored journal and opens the sink that goes on after it; at most once per run. A host whose engine reads and
   * writes the journal itself never calls it.
   *
   * @throws STALE_LEASE when the job isn't held any more; JOURNAL_CORRUPT
   */
  openJournal(options?: OpenOptions): Promise<OpenedJournal>;
  /**
   * Whether surely nothing is stored of the journal, so that a run may begin before it is read: no claim before this one, and no run of
   * this one before. @default when the claim says so
   */
  readonly isFresh?: boolean | undefined;
  /** See `RunPorts.mayStartEffect` of the engine. */
  mayStartEffect(signal: AbortSignal): boolean | Promise<boolean>;
  /** See `RunPorts.inbox` of the engine. */
  inbox(after: number, signal: AbortSignal): Promise<readonly InboxItem[]>;
  /** See `RunPorts.saveSnapshot` of the engine. A host whose engine keeps the journal itself never calls it: snapshots are where the journal is. @default none is kept */
  saveSnapshot?(snapshot: Snapshot): Promise<void>;
  /** How long the lease is known to last from now, in ms; 0 when its deadline has passed. */
  leaseLeftMs(): number;
}

/**
 * How a run ended. `interrupted`: the engine is busy (ENGINE_BUSY), or it or the link to it is gone (CONNECTION_LOST); run
 * the job again.
 */
export type HostRunEnd =
  | RunEnd
  | {
      readonly type: 'interrupted';
      readonly error: MvmError;
      /** Whether the engine had taken the run: it may be the job that ends engines. @default false */
      readonly hasBegun?: boolean;
    };

/** A run in progress: an `EngineRun` that may also be interrupted. */
export interface HostRun extends Omit<EngineRun, 'ended'> {
  /** Settles when the run is over. Rejects on a fault of the engine (INTERNAL), and with what `openJournal` throws. */
  readonly ended: Promise<HostRunEnd>;
}

/** One engine of a host that has several, for people. */
export interface EngineState {
  readonly url: string;
  readonly state: 'new' | 'healthy' | 'slow-start' | 'ejected' | 'draining' | 'leaving';
  /** How long it stays ejected at least, in ms; 0 when it isn't. */
  readonly ejectedForMs: number;
  /** This worker's runs there. */
  readonly runs: number;
  /** Runs that the server allows, all workers together; undefined before it has said so. */
  readonly runsMax: number | undefined;
  /** What went wrong last. */
  readonly lastError: MvmError | undefined;
}

/** A place where jobs run. */
export interface EngineHost extends AsyncDisposable {
  /** Begins an attempt, or goes on with it. */
  run(job: ClaimedJob, ports: HostPorts): HostRun;
  /** Why no job should be claimed now (no engine can be reached, all are busy); undefined when all is well. */
  readonly obstacle: MvmError | undefined;
  /** The handlers that it runs, where it runs no workflows. */
  readonly handlers?: readonly string[];
  /** How many jobs it wants to hold, where that changes. @default as many as the worker has slots */
  readonly wanted?: number;
  /** Its engines, where it chooses among several. */
  readonly engines?: readonly EngineState[];
  /** Replays journals without any effect; undefined while no engine is there that does. */
  readonly replayer?: Replayer | undefined;
  /** How its engine does, where that is in this process and tells it. */
  readonly stats?: EngineStats | undefined;
  /** Drops all runs and ends what the host holds. Idempotent. */
  stop(): Promise<void>;
}

/** What is known about one engine server. */
export interface MemberHealth {
  /** Runs in progress, of all its workers. */
  readonly runs: number;
  readonly runsMax: number;
  readonly version: string;
}

/** One engine server: the only one, or a member of a pool. */
export interface EngineMember extends EngineHost {
  /** Its base URL, such as `http://engine:27288`. */
  readonly url: string;
  /** Asks its health route. @throws when it can't be reached or isn't ready */
  probe(signal: AbortSignal): Promise<MemberHealth>;
}
