/** Popular packages of pure JavaScript in a workflow: what `docs/reference/npm-packages.md` says of them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildWorkflow } from '../src/index.ts';
import { QuickJsGuest } from './quickjs-guest.ts';

/** What the workflow in `fixtures/npm-packages/NAME.mjs` returns. */
const results: Readonly<Record<string, unknown>> = {
  'date-fns': '2026-02-01T00:00:00Z',
  dayjs: '2026-02-28',
  'fast-xml-parser': { a: { c: 2, '@_b': '1' } },
  immer: [{ a: [1] }, { a: [1, 2] }],
  'js-yaml': [{ a: [1, 'two'] }, 'b: true\n'],
  'lodash-es': [[[1, 2], [3]], { 1: [1.2, 1.8] }],
  mustache: 'Ann, &lt;Bob&gt;, ',
  nanoid: [21, false],
  papaparse: [{ a: '1', b: 'x, y' }],
  ramda: 12,
  semver: [true, '1.3.0'],
  uuid: [true, true, false],
  zod: [{ n: 1 }, false],
};

describe('an npm package in a workflow', () => {
  for (const [name, result] of Object.entries(results)) {
    it(`works: ${name}`, async () => {
      const entry = fileURLToPath(new URL(`fixtures/npm-packages/${name}.mjs`, import.meta.url));
      const { file } = await buildWorkflow({ entry });
      using guest = await QuickJsGuest.load(new TextDecoder().decode(file.code));
      assert.deepEqual(guest.start('flow', null), [{ type: 'complete', result }]);
    });
  }

  it('is listed in the reference when it was tried, and no other is', async () => {
    const page = await readFile(new URL('../../../docs/reference/npm-packages.md', import.meta.url), 'utf8');
    const [first = ''] = page.split('## ');
    const listed = [...first.matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name);
    assert.deepEqual(listed, Object.keys(results));
  });
});
