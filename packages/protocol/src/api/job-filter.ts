/** How a list of jobs, or what is done to many, is narrowed. */
import type { JobState } from '../job.ts';

/** Which jobs; what is left out: any. Times are Unix ms. */
export interface JobFilter {
  /** `live`: not over yet. */
  readonly state?: JobState | 'live' | undefined;
  /** Only runs of modules of this name. */
  readonly module?: string | undefined;
  readonly queue?: string | undefined;
  /** Whom they are for. */
  readonly key?: string | undefined;
  readonly tag?: string | undefined;
  /** The code of their error. */
  readonly error?: string | undefined;
  /** Published at this time or later. */
  readonly since_ms?: number | undefined;
  /** Published before this time. */
  readonly until_ms?: number | undefined;
}
