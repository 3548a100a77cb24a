import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { Transcript } from './transcript.ts';

const folder = new URL('./transcripts/', import.meta.url);

// After a change of behaviour, REWRITE=1 writes what the machine answers now; the difference is for review.
const rewrites = process.env['REWRITE'] === '1';

suite('apply answers as the transcripts say', () => {
  for (const name of readdirSync(folder).sort()) {
    test(name.replace(/\.txt$/, '').replaceAll('-', ' '), () => {
      const file = new URL(name, folder);
      const expected = readFileSync(file, 'utf8');
      const actual = new Transcript().run(expected);
      if (rewrites) writeFileSync(file, actual);
      else assert.equal(actual, expected);
    });
  }
});
