import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadHtml, plotsOf } from '../../src/load/report/html.ts';
import { byRole, faultsOf, loadReportSchema } from '../../src/load/report/load-report.ts';
import { loadMarkdown } from '../../src/load/report/markdown.ts';
import { percentilesOf } from '../../src/load/report/percentiles.ts';
import { saturationOf } from '../../src/load/report/saturation.ts';
import { sampleCell, sampleReport } from './sample-report.ts';

const cells = [sampleCell(1, 1, 20), sampleCell(1, 5, 80), sampleCell(1, 20, 85), sampleCell(4, 1, 25)];

test('percentiles are samples, by the nearest rank', () => {
  const samples = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.deepEqual(percentilesOf(samples), { p50: 100, p90: 180, p99: 198, max: 200 });
  assert.deepEqual(percentilesOf([7]), { p50: 7, p90: 7, p99: 7, max: 7 });
  assert.deepEqual(percentilesOf([]), { p50: 0, p90: 0, p99: 0, max: 0 });
});

test('each option has a saturation point of its own, with the reason', () => {
  const [first, fourth] = saturationOf(cells);
  assert.deepEqual([first?.option, first?.workers, first?.throughput_max_per_s], [1, 5, 85]);
  assert.match(first?.why ?? '', /with 5 workers it has 94 % of the best throughput up to 20 workers/);
  assert.deepEqual([fourth?.option, fourth?.workers], [4, null]);
  assert.match(fourth?.why ?? '', /fewer than three/);
});

test('only the largest number of jobs counts for saturation', () => {
  const few = cells.map((cell) => ({ ...cell, jobs: 10, throughput_per_s: 1 }));
  assert.equal(saturationOf([...few, ...cells])[0]?.throughput_max_per_s, 85);
});

test('processes of a role are added up, and their memory is an average', () => {
  const [plane, engine, worker] = byRole(sampleCell(3, 4, 50));
  assert.deepEqual([plane?.processes, engine?.processes, worker?.processes], [1, 2, 4]);
  assert.equal(engine?.pssMib, 160);
  assert.equal(worker?.processors, 1.25);
});

test('lost, duplicated and unfinished jobs are faults, and all are told', () => {
  const [cell] = cells;
  assert.ok(cell);
  const report = sampleReport([{ ...cell, lost: 1, duplicated: 2, unfinished: 3 }]);
  assert.equal(faultsOf(report), 6);
  assert.match(loadMarkdown(report), /lost, duplicated or unfinished jobs: 6/);
  assert.match(loadMarkdown(report), /\| 1 \(3 unfinished\) \| 2 \|/);
});

test('a report is read back as it was written, and nothing else is taken for one', () => {
  const report = sampleReport(cells);
  assert.deepEqual(loadReportSchema.parse(JSON.parse(JSON.stringify(report))), report);
  assert.equal(loadReportSchema.safeParse({ ...report, format: 'mvm-ci-load/2' }).success, false);
  assert.equal(loadReportSchema.safeParse({ ...report, cells: [] }).success, false);
});

test('plots have a curve for each option and a gap where it was not measured', () => {
  const [throughput] = plotsOf({ cells });
  assert.deepEqual(throughput?.workers, [1, 5, 20]);
  assert.deepEqual(throughput?.curves, [
    { label: 'option 1', values: [20, 80, 85] },
    { label: 'option 4', values: [25, null, null] },
  ]);
});

test('the HTML file needs no network, and what the report says is text in it', async () => {
  const html = await loadHtml(sampleReport(cells));
  assert.doesNotMatch(html, /(src|href)=/);
  assert.match(html, /uPlot/);
  assert.ok(!html.includes('</script><b>'), 'the name of the processor must not end a script');
  const json = /<script type="application\/json" id="report">(.*)<\/script>/.exec(html)?.[1] ?? '';
  assert.deepEqual(JSON.parse(json), sampleReport(cells));
});
