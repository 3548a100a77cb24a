/** How many jobs were published and ended in each second of the last minutes. */
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { statsHistory, type StatsSample } from '../live/stats-history.ts';
import { rates } from '../live/rates.ts';

const heightPx = 180;
/** Shown at least: the first seconds of a page would be a line across all of it. */
const spanSecondsMin = 60;

/** Draws the curves; their last figures are in the legend, which is text. */
export const RateChart = (): VNode => {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    let plot = open(element);
    const draw = (samples: readonly StatsSample[]): void => {
      const columns = rates(samples);
      if (columns[0].length > 1) plot.setData(columns);
    };
    const again = (): void => {
      plot.destroy();
      plot = open(element);
      draw(statsHistory.samples.value);
    };
    const size = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: heightPx }));
    size.observe(element);
    scheme.addEventListener('change', again);
    draw(statsHistory.samples.value);
    const end = statsHistory.samples.follow(draw);
    return () => {
      end();
      scheme.removeEventListener('change', again);
      size.disconnect();
      plot.destroy();
    };
  }, []);
  return <div class="chart" ref={place} role="img" aria-label="Jobs published, completed and failed per second" />;
};

const open = (element: HTMLElement): uPlot => {
  const colour = (name: string): string => getComputedStyle(element).getPropertyValue(name).trim();
  const axis = { stroke: colour('--chart-text'), grid: { stroke: colour('--chart-grid'), width: 1 } };
  const curve = (label: string, name: string): uPlot.Series => ({
    label,
    stroke: colour(name),
    width: 2,
    points: { show: false },
    value: (_, value: number | null) => (value === null ? '–' : `${value.toFixed(1)}/s`),
  });
  return new uPlot(
    {
      width: Math.max(element.clientWidth, 200),
      height: heightPx,
      series: [
        { label: 'time' },
        curve('published', '--chart-published'),
        curve('completed', '--chart-completed'),
        curve('failed', '--chart-failed'),
      ],
      axes: [{ ...axis }, { ...axis, size: 56 }],
      scales: {
        x: { range: (_, low, high) => [Math.min(low, high - spanSecondsMin), high] },
        y: { range: (_, __, high) => [0, Math.max(1, (high ?? 0) * 1.1)] },
      },
      legend: { live: true },
      cursor: { drag: { x: false, y: false } },
    },
    [[], [], [], []],
    element,
  );
};
