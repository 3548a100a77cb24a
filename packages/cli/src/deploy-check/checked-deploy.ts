/** `deploy --check`: replays live jobs with the new module, then pins, moves or aborts. `docs/guides/deploying.md`. */
import { mvmError } from '@mvm-ci/protocol';
import type { CommandContext } from '../command-context.ts';
import { cliLimits } from '../limits.ts';
import type { NamedModule } from '../module-archive.ts';
import { LocalReplayer } from '../replay/local-replayer.ts';
import { check, liveJobs, type CheckParts, type Verdict } from './check.ts';
import { move, type Moved } from './move.ts';

/** What may be done after a check. */
export const policies = ['pin', 'move', 'abort'] as const;
/** One of {@link policies}. */
export type Policy = (typeof policies)[number];

/** How a check is done, and what comes after it. */
export interface CheckOptions {
  readonly policy: Policy;
  /** Whether all is replayed in this process, and idle workers are left alone. */
  readonly isLocal: boolean;
}

/** What a check came to, and what was done. */
export interface CheckReport {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly policy: Policy;
  /** Live jobs of other versions. */
  readonly jobs: number;
  readonly compatible: number;
  /** Jobs that idle workers replayed; the others were in this process. */
  readonly on_workers: number;
  readonly diverging: readonly Verdict[];
  /** Journal entries that were replayed, and the wall time of all of it. */
  readonly entries: number;
  readonly ms: number;
  /** False after an abort. */
  readonly deployed: boolean;
  readonly moved: Moved['moved'];
  readonly left: Moved['left'];
}

/** See the head of this file. @throws what the deploy is refused with */
export const checkedDeploy = async (
  { terminal, client }: CommandContext,
  module: NamedModule,
  { policy, isLocal }: CheckOptions,
): Promise<CheckReport> => {
  const connection = client();
  await using replayer = await LocalReplayer.open((hash) =>
    hash === module.hash ? Promise.resolve(module.bytes) : Promise.reject(noOther(hash)),
  );
  const jobs = await liveJobs(connection, module);
  const onProgress = (done: number): void => {
    if (done % cliLimits.checksNoted === 0) terminal.note(`${done} of ${jobs.length} jobs replayed`);
  };
  const onWorkers = !isLocal && jobs.length > 0 && (await connection.stats()).workers > 0;
  if (onWorkers) await connection.keepCandidate(module.bytes);
  const parts: CheckParts = { client: connection, replayer, module, onWorkers };
  const startedMs = performance.now();
  const verdicts = await check(jobs, { ...parts, onProgress });
  const ms = Math.round(performance.now() - startedMs);
  const deployed = policy !== 'abort' || verdicts.every(({ compatible }) => compatible);
  if (deployed) await connection.deploy({ name: module.name, version: module.version, file: module.bytes });
  const moves = policy === 'move' ? await move(compatibleOf(verdicts), parts) : nothingMoved;
  return { ...summary(module, verdicts, moves), policy, ms, deployed };
};

const compatibleOf = (verdicts: readonly Verdict[]): readonly Verdict[] =>
  verdicts.filter(({ compatible }) => compatible);

const summary = (
  { name, version, hash }: NamedModule,
  verdicts: readonly Verdict[],
  { moved, left, diverged }: Moved,
): Omit<CheckReport, 'policy' | 'ms' | 'deployed'> => {
  const diverging = [...verdicts.filter(({ compatible }) => !compatible), ...diverged];
  const entries = verdicts.reduce((sum, { journal_entries: count }) => sum + count, 0);
  const jobs = verdicts.length;
  const onWorkers = verdicts.filter((verdict) => verdict.on_worker).length;
  const compatible = jobs - diverging.length;
  return { name, version, hash, jobs, compatible, on_workers: onWorkers, diverging, entries, moved, left };
};

const nothingMoved: Moved = { moved: [], left: [], diverged: [] };

const noOther = (hash: string): Error => mvmError('INTERNAL', `a check needs one module only, and not ${hash}`);
