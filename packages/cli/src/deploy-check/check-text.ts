import type { Column, Terminal } from '../output/terminal.ts';
import type { Verdict } from './check.ts';
import type { CheckReport } from './checked-deploy.ts';

/** A check's report as people read it: the counts, what was done, and a table of the jobs that diverge. */
export const checkText = (report: CheckReport, terminal: Terminal): string => {
  const { name, version, jobs, on_workers: onWorkers, compatible, diverging, entries, ms, deployed, hash } = report;
  const facts = terminal.facts([
    ['checked', `${jobs} live jobs of other versions, ${entries} journal entries in ${ms} ms`],
    ['replayed', `${onWorkers} on workers, ${jobs - onWorkers} here`],
    ['compatible', String(compatible)],
    ['diverging', String(diverging.length)],
    [deployed ? 'deployed' : 'not deployed', `${name}@${version}`],
    ['hash', hash],
    ...movedFacts(report),
  ]);
  return diverging.length === 0 ? facts : `${facts}\n\n${terminal.table(diverging, columns, '')}`;
};

const movedFacts = ({ policy, moved, left }: CheckReport): readonly (readonly [string, string])[] => {
  if (policy !== 'move') return [];
  const stayed = left.map(({ job_id: id, result }) => `${id} (${result})`).join(', ');
  return [['moved', String(moved.length)], ...(left.length > 0 ? [['stayed', stayed] as const] : [])];
};

const columns: readonly Column<Verdict>[] = [
  { head: 'JOB', cell: ({ job_id: id }) => id },
  { head: 'RUNS', cell: ({ workflow }) => workflow },
  { head: 'ENTRY', cell: ({ divergence }) => (divergence ? String(divergence.entry) : '') },
  { head: 'RECORDED', cell: ({ divergence }) => divergence?.recorded ?? '' },
  {
    head: 'ASKED',
    cell: ({ divergence, failure }) => divergence?.asked ?? (failure ? `${failure.code}: ${failure.message}` : ''),
  },
];
