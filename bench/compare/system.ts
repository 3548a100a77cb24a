/**
 * What each compared system offers the bench. One file in `systems/` for each.
 *
 * `launch` runs in the bench's process and publishes; `consume` runs in the worker process (`worker-program.ts`) and gets
 * nothing but the address, as a worker on another machine would.
 */
import type { PeerPackages } from './peer-packages.ts';

/** Where a launched system is reached. */
interface Address {
  readonly url: string;
}

/** With what a system is launched. */
export interface LaunchParts {
  /** An empty folder of its own for its data. */
  readonly folder: string;
  readonly packages: PeerPackages;
}

/** A system that is up, and the publishers' side of it. */
export interface LaunchedSystem extends AsyncDisposable {
  readonly address: Address;
  /** Publishes one job. Resolves when it is acknowledged, so durable. */
  publish(id: string): Promise<void>;
  /** Publishes up to 1,000 jobs by one call. */
  publishMany(ids: readonly string[]): Promise<void>;
  /** How many acknowledged jobs it has not recorded as completed, failed ones too. */
  unfinished(): Promise<number>;
}

/** What a worker process runs jobs with. */
export interface ConsumeParts {
  readonly address: Address;
  readonly packages: PeerPackages;
  /** Is called by each job's handler, which does nothing else. */
  readonly ran: (id: string) => void;
}

/** Ends the consuming: no job begins any more, and those that ran are recorded. */
export type StopConsuming = () => Promise<void>;

/** A compared system. */
export interface QueueSystem {
  /** Begins the names of its figures. */
  readonly name: string;
  /** How it is set up, in one sentence. */
  readonly settings: string;
  /** Whether it needs the peers' packages. */
  readonly isPeer: boolean;
  /** The program of a server that it needs and this machine has not. @default undefined: nothing is missing */
  missingProgram(): string | undefined;
  launch(parts: LaunchParts): Promise<LaunchedSystem>;
  /** Takes jobs until it is stopped. */
  consume(parts: ConsumeParts): Promise<StopConsuming>;
}
