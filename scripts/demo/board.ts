import { createLogUpdate } from 'log-update';
import pc from 'picocolors';
import type { JobState, JobView } from '@mvm-ci/protocol';

const barCells = 40;
const jobsShown = 6;
const plainLineEveryMs = 1_000;

const cellColours: Readonly<Record<JobState, (text: string) => string>> = {
  pending: pc.gray,
  claimed: pc.blue,
  in_progress: pc.cyan,
  waiting: pc.magenta,
  completed: pc.green,
  failed: pc.red,
  cancelled: pc.yellow,
};

/** Where the demo writes: live lines redrawn in place on a terminal, one line a second elsewhere. */
export class Board {
  readonly #stream: NodeJS.WriteStream;
  readonly #live: ReturnType<typeof createLogUpdate> | undefined;
  #lastPlainMs = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#live = stream.isTTY ? createLogUpdate(stream) : undefined;
  }

  /** A line that stays. */
  say(text: string): void {
    this.#live?.clear();
    this.#stream.write(`${text}\n`);
  }

  /** The state of all jobs; replaces what it drew before. */
  draw(jobs: readonly JobView[], workerNames: ReadonlyMap<string, string>): void {
    if (this.#live) this.#live([barLine(jobs), ...workerLines(jobs, workerNames)].join('\n'));
    else this.#drawPlain(jobs);
  }

  /** Ends the live lines, leaving the last ones on the screen. */
  done(): void {
    this.#live?.done();
  }

  #drawPlain(jobs: readonly JobView[]): void {
    const now = performance.now();
    if (now - this.#lastPlainMs < plainLineEveryMs) return;
    this.#lastPlainMs = now;
    this.#stream.write(`  ${countsText(jobs)}\n`);
  }
}

const countsText = (jobs: readonly JobView[]): string =>
  [...Map.groupBy(jobs, (job) => job.status)].map(([state, those]) => `${those.length} ${state}`).join(', ');

const barLine = (jobs: readonly JobView[]): string => {
  const order: readonly JobState[] = [
    'completed',
    'failed',
    'cancelled',
    'in_progress',
    'claimed',
    'waiting',
    'pending',
  ];
  const sorted = jobs.map((job) => job.status).toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
  const cells = Array.from({ length: barCells }, (_, cell) => {
    const state = sorted[Math.floor((cell * sorted.length) / barCells)] ?? 'pending';
    return cellColours[state]('█');
  });
  return `  ${cells.join('')}  ${countsText(jobs)}`;
};

const workerLines = (jobs: readonly JobView[], names: ReadonlyMap<string, string>): readonly string[] =>
  [...names].map(([node, name]) => {
    const held = jobs.filter((job) => job.claimed_by === node && job.status === 'in_progress');
    const shown = held
      .slice(0, jobsShown)
      .map((job) => `${job.job_id.slice(-6)} ${Math.round(job.progress?.percent ?? 0)}%`);
    return `  ${pc.bold(name.padEnd(18))} ${String(held.length).padStart(2)} running  ${pc.dim(shown.join('  '))}`;
  });
