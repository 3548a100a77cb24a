import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stackMapper } from '../../src/module/source-positions.ts';

const mapOf = (mappings: string): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ version: 3, sources: ['src/flow.ts'], names: [], mappings }));

describe('a stack mapper', () => {
  // Line 2, column 0 of the bundle is line 7, column 2 of the source.
  const map = stackMapper(mapOf(';AAME'));

  it("puts the author's file, line and column in the place of the bundle's", () => {
    assert.equal(
      map('    at main (workflow.js:2:9)\n    at workflow.js:2:1\n'),
      '    at main (src/flow.ts:7:3)\n    at src/flow.ts:7:3',
    );
  });

  it('leaves what the source map does not know as it is', () => {
    assert.equal(
      map('    at call (native)\n    at f (workflow.js:1:1)'),
      '    at call (native)\n    at f (workflow.js:1:1)',
    );
  });

  it('drops places inside of parsed texts and all but the first frames', () => {
    assert.equal(map('    at <input>:1:1\n    at workflow.js:2:1'), '    at src/flow.ts:7:3');
    assert.equal(map(Array.from({ length: 99 }, () => '    at workflow.js:2:1').join('\n')).split('\n').length, 20);
  });

  it('leaves stacks alone without a source map, and with a damaged one', () => {
    for (const bare of [stackMapper(new Uint8Array()), stackMapper(new TextEncoder().encode('{'))])
      assert.equal(bare('    at workflow.js:2:1\n'), '    at workflow.js:2:1');
  });
});
