import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { z } from 'zod';
import { loadHtml } from '../../src/load/report/html.ts';
import { saturationOf } from '../../src/load/report/saturation.ts';
import { sampleCell, sampleReport } from './sample-report.ts';

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const skip = chromium === undefined && 'no Chromium is installed (Debian: chromium)';
const deadlineMs = 120_000;

/** Before the page's own scripts: keeps what goes wrong in them. */
const watching = `<script>
const faults = [];
addEventListener('error', ({ message }) => faults.push(message));
for (const level of ['error', 'warn']) console[level] = (...words) => faults.push(words.join(' '));
</script>`;

/** When all is drawn: writes into the page what was seen. */
const telling = `<script>addEventListener('load', () => {
  const { colors } = JSON.parse(document.getElementById('data').textContent);
  const drawn = [...document.querySelectorAll('canvas')].map((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const pixels = {};
    for (let at = 0; at < data.length; at += 4) {
      const color = '#' + [...data.subarray(at, at + 3)].map((part) => part.toString(16).padStart(2, '0')).join('');
      if (data[at + 3] === 255 && colors.includes(color)) pixels[color] = (pixels[color] ?? 0) + 1;
    }
    return pixels;
  });
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  const seen = document.createElement('script');
  seen.type = 'application/json';
  seen.id = 'seen';
  seen.textContent = JSON.stringify({ faults, drawn, wide, titles: [...document.querySelectorAll('.u-title')].map((title) => title.textContent) });
  document.body.append(seen);
});</script>`;

const seenSchema = z.object({
  faults: z.array(z.string()),
  /** For each plot how many pixels have the colour of a curve. */
  drawn: z.array(z.record(z.string(), z.number())),
  /** Whether the page must be scrolled sideways. */
  wide: z.boolean(),
  titles: z.array(z.string()),
});

/** Opens a page in Chromium, `width` pixels wide. */
const look = async (html: string, width: number): Promise<z.infer<typeof seenSchema>> => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'mvm-ci-page-'));
  const page = join(folder.path, 'load.html');
  await writeFile(page, html.replace('<body>', `<body>${watching}`).replace('</body>', `${telling}</body>`));
  const usual = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  const { stdout } = await promisify(execFile)(
    chromium ?? '',
    [...usual, `--user-data-dir=${folder.path}`, `--window-size=${width},900`, '--dump-dom', `file://${page}`],
    { timeout: deadlineMs, maxBuffer: 16 * 1_048_576 },
  );
  const json = /<script type="application\/json" id="seen">(.*)<\/script>/.exec(stdout)?.[1];
  assert.ok(json, `the page did not load: ${stdout.slice(0, 500)}`);
  return seenSchema.parse(JSON.parse(json));
};

test('the report shows in a browser, with a curve for each option and no fault', { skip }, async () => {
  const counts = [1, 5, 20] as const;
  const cells = counts.flatMap((workers) =>
    ([1, 2, 3, 4] as const).map((option) => sampleCell(option, workers, workers * option)),
  );
  const html = await loadHtml({ ...sampleReport(cells), saturation: [...saturationOf(cells)] });
  const { faults, drawn, titles, wide } = await look(html, 1_280);
  assert.deepEqual(faults, []);
  assert.equal(titles.length, 4);
  assert.equal(wide, false);
  const [throughput = {}, ...others] = drawn;
  assert.equal(Object.keys(throughput).length, 4, 'the four curves of the throughput differ, so each is seen');
  for (const pixels of [throughput, ...others])
    for (const count of Object.values(pixels)) assert.ok(count > 100, `a curve is hardly there: ${count} pixels`);
  assert.ok(others.every((pixels) => Object.keys(pixels).length > 0));
});

test('the report shows on a narrow screen, also when one size was measured', { skip }, async () => {
  const { faults, drawn, wide } = await look(await loadHtml(sampleReport([sampleCell(1, 2, 20)])), 500);
  assert.deepEqual(faults, []);
  assert.equal(wide, false);
  assert.equal(drawn.length, 4);
  for (const pixels of drawn) assert.equal(Object.keys(pixels).length, 1, 'the one point is drawn');
});
