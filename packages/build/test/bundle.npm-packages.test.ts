/** Popular packages of pure JavaScript in a workflow: what `docs/reference/npm-packages.md` says of them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildWorkflow } from '../src/index.ts';
import { QuickJsGuest } from './quickjs-guest.ts';

/** What the workflow in `fixtures/npm-packages/NAME.mjs` returns. */
const results: Readonly<Record<string, unknown>> = {
  ajv: [true, false, 'must be integer'],
  async: [
    [2, 4, 6],
    ['a', 'b'],
  ],
  'bignumber.js': '0.90',
  cheerio: ['one', 'two & three'],
  'csv-parse': [
    { name: 'a "b"', n: '1' },
    { name: 'c', n: '2' },
  ],
  'date-fns': '2026-02-01T00:00:00Z',
  dayjs: '2026-02-28',
  'decimal.js': ['1.41421356237309504880', '0.3'],
  'fast-json-patch': [
    [
      { op: 'add', path: '/b/1', value: 2 },
      { op: 'replace', path: '/a', value: 2 },
    ],
    { a: 2, b: [1, 2] },
  ],
  'fast-xml-parser': { a: { c: 2, '@_b': '1' } },
  graphql: { hello: 'hello Ann' },
  handlebars: 'A&amp;B, <b>',
  immer: [{ a: [1] }, { a: [1, 2] }],
  joi: [{ n: 1, mail: 'a@example.com' }, '"n" must be a number'],
  'js-yaml': [{ a: [1, 'two'] }, 'b: true\n'],
  jsonata: 10,
  lodash: [[[1, 2], [3]], { 1: [1.2, 1.8] }, 'Ann'],
  'lodash-es': [[[1, 2], [3]], { 1: [1.2, 1.8] }],
  marked: '<h1>A <em>b</em></h1>\n<ul>\n<li>c</li>\n</ul>\n',
  moment: ['2026-02-28', '2 hours'],
  mustache: 'Ann, &lt;Bob&gt;, ',
  nanoid: [21, false],
  'p-limit': [2, 4, 6],
  'p-retry': 2,
  papaparse: [{ a: '1', b: 'x, y' }],
  qs: [{ a: { b: 'c' }, d: ['1', '2'] }, 'a%5Bb%5D=c%20d'],
  ramda: 12,
  rxjs: [10, 30],
  semver: [true, '1.3.0'],
  superjson: ['1970-01-01T00:00:00.000Z', [1], '5'],
  uuid: [true, true, false],
  validator: [true, false, '&lt;a&gt;'],
  xstate: 'on',
  yup: [{ n: 1, mail: 'a@example.com' }, false],
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
    const listed = [...first.matchAll(/^\| `([a-z.-]+)`/gm)].map(([, name]) => name);
    assert.deepEqual(listed, Object.keys(results));
  });
});
