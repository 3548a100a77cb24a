/** The report of a load test as one HTML file that needs no network: uPlot draws the curves from the report in it. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { loadMarkdown } from './markdown.ts';
import { byRole, type CellReport, type LoadReport } from './load-report.ts';

/** One plot: a curve for each option over the numbers of workers. */
interface Plot {
  readonly title: string;
  readonly workers: readonly number[];
  readonly curves: readonly { readonly label: string; readonly values: readonly (number | null)[] }[];
}

/** The title, and what was measured on which machine: they stand above the plots. */
const headBlocks = 2;

const colors = ['#2563eb', '#dc2626', '#059669', '#d97706'];

/** The whole file. */
export const loadHtml = async (report: LoadReport): Promise<string> => {
  const [script, style] = await Promise.all([
    readFile(fileURLToPath(import.meta.resolve('uplot/dist/uPlot.iife.min.js')), 'utf8'),
    readFile(fileURLToPath(import.meta.resolve('uplot/dist/uPlot.min.css')), 'utf8'),
  ]);
  const blocks = blocksOf(loadMarkdown(report));
  const [head, tables] = [blocks.slice(0, headBlocks), blocks.slice(headBlocks)];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mvm-ci load test, ${escaped(report.started_at)}</title>
<style>${style}
${ownStyle}</style>
<body>
<article>${head.join('\n')}</article>
<main id="plots"></main>
<article>${tables.join('\n')}</article>
<script type="application/json" id="report">${inScript(report)}</script>
<script type="application/json" id="data">${inScript({ plots: plotsOf(report), colors })}</script>
<script>${script}</script>
<script>${draw}</script>
</body>
</html>
`;
};

/** The plots of a report: throughput, latency and memory over workers, each with the largest number of jobs. */
export const plotsOf = ({ cells }: Pick<LoadReport, 'cells'>): readonly Plot[] => {
  const jobs = Math.max(0, ...cells.map((cell) => cell.jobs));
  const largest = cells.filter((cell) => cell.jobs === jobs);
  const workers = [...new Set(largest.map((cell) => cell.workers))].toSorted((a, b) => a - b);
  const options = [...new Set(largest.map((cell) => cell.option))].toSorted((a, b) => a - b);
  const plot = (title: string, value: (cell: CellReport) => number | null): Plot => ({
    title: `${title}, ${jobs} jobs`,
    workers,
    curves: options.map((option) => ({
      label: `option ${option}`,
      values: workers.map((count) => {
        const cell = largest.find((one) => one.option === option && one.workers === count);
        return cell === undefined ? null : value(cell);
      }),
    })),
  });
  return [
    plot('Throughput (jobs/s)', (cell) => cell.throughput_per_s),
    plot('Publish to end, 99th percentile (ms)', (cell) => cell.latency_ms?.publish_to_end.p99 ?? null),
    plot('Run, 99th percentile (ms)', (cell) => cell.latency_ms?.run.p99 ?? null),
    plot('Memory of the whole cluster (PSS, MiB)', (cell) =>
      byRole(cell).reduce((sum, role) => sum + role.pssMib * role.processes, 0),
    ),
  ];
};

const ownStyle = `html { overflow-y: scroll }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #111; background: #fff }
#plots { display: flex; flex-wrap: wrap; gap: 1.5rem }
article { overflow-x: auto }
article table { border-collapse: collapse; margin: 1rem 0 }
article td, article th { border: 1px solid #ccc; padding: .2rem .6rem; text-align: right }`;

const draw = `const { plots, colors } = JSON.parse(document.getElementById('data').textContent);
for (const { title, workers, curves } of plots) new uPlot({
  title, width: Math.min(560, document.getElementById('plots').clientWidth), height: 320,
  scales: { x: { time: false }, y: { range: (plot, min, max) => [0, (max || 1) * 1.1] } },
  axes: [{ label: 'workers', incrs: [1, 2, 5, 10, 20, 50, 100] }, { size: 70 }],
  series: [{ label: 'workers' }, ...curves.map(({ label }, at) => ({ label, stroke: colors[at % colors.length], width: 2, spanGaps: true, points: { show: true } }))],
}, [workers, ...curves.map(({ values }) => values)], document.getElementById('plots'));`;

/** JSON that no script element ends within. */
const inScript = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** The few forms that our own Markdown has: headings, lists, tables, paragraphs. */
const blocksOf = (markdown: string): readonly string[] => markdown.trim().split('\n\n').map(blockOf);

const blockOf = (block: string): string => {
  const heading = /^(#+) (.*)$/.exec(block);
  if (heading !== null)
    return `<h${heading[1]?.length ?? 2}>${escaped(heading[2] ?? '')}</h${heading[1]?.length ?? 2}>`;
  const lines = block.split('\n');
  if (block.startsWith('- ')) return `<ul>${lines.map((line) => `<li>${inline(line.slice(2))}</li>`).join('')}</ul>`;
  if (!block.startsWith('| ')) return `<p>${inline(block)}</p>`;
  const [head = '', , ...rows] = lines;
  return `<table>${rowOf(head, 'th')}${rows.map((row) => rowOf(row, 'td')).join('')}</table>`;
};

const rowOf = (line: string, element: 'td' | 'th'): string =>
  `<tr>${line
    .slice(2, -2)
    .split(' | ')
    .map((cell) => `<${element}>${inline(cell)}</${element}>`)
    .join('')}</tr>`;

const inline = (text: string): string =>
  escaped(text)
    .replaceAll(/\*\*(.+?)\*\*/g, '<b>$1</b>')
    .replaceAll(/\*(.+?)\*/g, '<i>$1</i>')
    .replaceAll(/`(.+?)`/g, '<code>$1</code>');
