/**
 * The frame of every bench: options, a scratch folder, Ctrl-C, the report, the exit code.
 *
 *   1. Whatever happens, the scratch folder is gone and the bench's own cleaning is done when the process ends: Ctrl-C
 *      fires the signal, which ends the bench through its `finally` blocks. When it is killed, the folder goes all the same.
 *   2. The last line of stdout is the JSON line (with `--json`); all else goes to stderr.
 */
import { ScratchFolder } from '@mvm-ci/net';
import { readBenchOptions, type Load } from './load.ts';
import { reportLine, reportTable, type Report } from './report.ts';

/** What a bench gets. */
export interface BenchContext {
  readonly load: Load;
  /** An empty folder, removed at the end. On the disk that temporary files are on. */
  readonly folder: string;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Tells people what is being measured. */
  readonly say: (text: string) => void;
}

const exitCodes = { ok: 0, failed: 1, interrupted: 130 } as const;

/** Runs a bench and prints its report. Ends with exit code 1 when a job was lost or done twice, or the bench objects. */
export const runBench = async (measure: (context: BenchContext) => Promise<Report>): Promise<void> => {
  const { load, json } = readBenchOptions(process.argv.slice(2));
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort());
  const { signal } = interrupt;
  // The peer endpoint's handles don't hold the event loop: without a timer the process could end in the middle.
  const alive = setInterval(() => undefined, 2 ** 30);
  const scratch = await ScratchFolder.make('mvm-ci-bench-');
  const folder = scratch.path;
  const say = (text: string): void => void (json || signal.aborted || process.stderr.write(`… ${text}\n`));
  try {
    const report = await measure({ load, folder, signal, say });
    console.log(json ? reportLine(report) : reportTable(report));
    if (report.objection !== undefined) console.error(`failed: ${report.objection}`);
    const isGood = report.lost === 0 && report.duplicated === 0 && report.objection === undefined;
    process.exitCode = isGood ? exitCodes.ok : exitCodes.failed;
  } catch (error) {
    if (!signal.aborted) throw error;
    process.exitCode = exitCodes.interrupted;
  } finally {
    clearInterval(alive);
    await scratch[Symbol.asyncDispose]();
  }
};
