/** Shows how far a load test is: a bar on a terminal, a line for each cell elsewhere. */
import cliProgress from 'cli-progress';
import type { CellPlan } from './load-plan.ts';
import type { CellReport } from './report/load-report.ts';
import type { LoadProgress } from './run-load.ts';

/** Makes it. `jobs` is the number of jobs of all cells; `note` prints a line for people. */
export const loadProgress = (
  jobs: number,
  { isTTY, note }: { readonly isTTY: boolean; readonly note: (text: string) => void },
): LoadProgress & Disposable => (isTTY ? new ProgressBar(jobs) : new ProgressLines(note));

const lineOf = ({ option, workers, jobs, throughput_per_s, latency_ms, lost, duplicated }: CellReport): string => {
  const p99 = latency_ms?.publish_to_end.p99.toFixed(0) ?? '–';
  return `option ${option}, ${workers} workers, ${jobs} jobs: ${throughput_per_s.toFixed(1)} jobs/s, p99 ${p99} ms, lost ${lost}, duplicated ${duplicated}`;
};

class ProgressLines implements LoadProgress, Disposable {
  readonly #note: (text: string) => void;

  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  doing(text: string): void {
    this.#note(text);
  }

  ended(): void {
    // Each cell has its line when it is measured.
  }

  measured(cell: CellReport): void {
    this.#note(lineOf(cell));
  }

  [Symbol.dispose](): void {
    // Nothing is held.
  }
}

class ProgressBar implements LoadProgress, Disposable {
  readonly #bar = new cliProgress.SingleBar({
    format: '{bar} {percentage}% | {value} of {total} jobs | {doing}',
    stream: process.stderr,
    hideCursor: true,
    // Ctrl-C is answered by the command: it ends the processes first.
    gracefulExit: false,
    clearOnComplete: true,
  });
  #before = 0;

  constructor(jobs: number) {
    this.#bar.start(jobs, 0, { doing: '' });
  }

  doing(text: string): void {
    this.#bar.update({ doing: text });
  }

  ended({ option, workers, jobs }: CellPlan, count: number): void {
    this.#bar.update(this.#before + count, { doing: `option ${option}, ${workers} workers, ${jobs} jobs` });
  }

  measured({ jobs }: CellReport): void {
    this.#before += jobs;
    this.#bar.update(this.#before);
  }

  [Symbol.dispose](): void {
    this.#bar.stop();
  }
}
