import { findKnee, type Knee } from './knee.ts';
import type { CellReport, Saturation } from './load-report.ts';

/** Where each option saturates: the knee of its throughput over workers, with the largest number of jobs that was measured for it. */
export const saturationOf = (cells: readonly CellReport[]): readonly Saturation[] =>
  [...new Set(cells.map(({ option }) => option))].map((option) => {
    const all = cells.filter((cell) => cell.option === option);
    const jobs = Math.max(...all.map((cell) => cell.jobs));
    const curve = all.filter((cell) => cell.jobs === jobs).toSorted((a, b) => a.workers - b.workers);
    const knee = findKnee(curve.map((cell) => ({ x: cell.workers, y: cell.throughput_per_s })));
    const max = Math.max(...curve.map((cell) => cell.throughput_per_s));
    const point = 'point' in knee ? knee.point : undefined;
    return {
      option,
      jobs,
      workers: point?.x ?? null,
      throughput_per_s: point?.y ?? max,
      throughput_max_per_s: max,
      why: reason(knee, curve, max),
    };
  });

const reason = (knee: Knee, curve: readonly CellReport[], max: number): string => {
  const last = curve.at(-1)?.workers ?? 0;
  switch (knee.kind) {
    case 'knee': {
      const share = Math.round((100 * knee.point.y) / max);
      return `with ${knee.point.x} workers it has ${share} % of the best throughput up to ${last} workers; beyond, more workers add little`;
    }
    case 'flat':
      return `no number of workers up to ${last} does more than a tenth better than ${knee.point.x}`;
    case 'rising':
      return `throughput still grows at ${last} workers: no saturation in what was measured`;
    case 'too-few':
      return 'fewer than three worker counts were measured: a curve needs three points to have a knee';
  }
};
