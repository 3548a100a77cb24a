import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Blob, File } from '../../src/http/blob.ts';
import { FormData, multipart } from '../../src/http/form-data.ts';

const readBack = async (form: FormData): Promise<[string, string | [string, string, string]][]> => {
  const { bytes, contentType } = multipart(form);
  // oxlint-disable-next-line typescript/no-deprecated -- for servers with bodies of strangers, which these are not
  const read = await new Response(bytes, { headers: { 'content-type': contentType } }).formData();
  return Promise.all(
    [...read].map(async ([name, value]): Promise<[string, string | [string, string, string]]> =>
      typeof value === 'string' ? [name, value] : [name, [value.name, value.type, await value.text()]],
    ),
  );
};

describe('a form', () => {
  it('is read by others as it was written, whatever its names and texts are', async () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\r\n"%]/.test(text));
    const entries = fc.array(fc.tuple(name, fc.string({ unit: 'grapheme' })), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(entries, async (pairs) => {
        const form = new FormData();
        for (const [key, value] of pairs) form.append(key, value);
        const expected = pairs.map(([key, value]) => [key, value.replace(/\r\n?|\n/g, '\r\n')]);
        assert.deepEqual(await readBack(form), expected);
      }),
    );
  });

  it('has files with their names and types, and a blob is one called "blob"', async () => {
    const form = new FormData();
    form.append('a', new File(['x', new Uint8Array([121])], 'n "1".txt', { type: 'Text/Plain' }));
    form.append('b', new Blob(['z']));
    assert.deepEqual(await readBack(form), [
      ['a', ['n "1".txt', 'text/plain', 'xy']],
      ['b', ['blob', 'application/octet-stream', 'z']],
    ]);
    assert.throws(() => form.append('c', 'text', 'name'), TypeError);
  });

  it('finds, replaces and removes as Node does', () => {
    const forms = [new FormData(), new globalThis.FormData()];
    const [ours, theirs] = forms.map((form) => {
      for (const [name, value] of [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
        ['c', '4'],
      ] as const)
        form.append(name, value);
      form.set('a', '5');
      form.set('d', '6');
      form.delete('b');
      return [
        [...form],
        [...form.keys()],
        [...form.values()],
        form.get('a'),
        form.get('x'),
        form.getAll('a'),
        form.has('b'),
      ];
    });
    assert.deepEqual(ours, theirs);
  });
});

describe('a blob', () => {
  it('is cut, read and typed as Node does', async () => {
    const blobs = [
      new Blob(['añ', new Uint8Array([1, 2]).buffer, new Blob(['z'])]),
      new globalThis.Blob(['añ', new Uint8Array([1, 2]), 'z']),
    ];
    const cuts = [[], [1], [1, 3], [-2], [0, -1], [5, 2], [9, 20]] as const;
    const [ours, theirs] = await Promise.all(
      blobs.map((blob) =>
        Promise.all(cuts.map(async ([start, end]) => [...new Uint8Array(await blob.slice(start, end).arrayBuffer())])),
      ),
    );
    assert.deepEqual(ours, theirs);
    assert.equal(blobs[0]?.size, blobs[1]?.size);
    for (const type of ['Text/HTML', 'a/b;c="é"', ''])
      assert.equal(new Blob([], { type }).type, new globalThis.Blob([], { type }).type);
  });

  it('hands out bytes that others may change', async () => {
    const blob = new Blob(['abc']);
    (await blob.bytes()).fill(0);
    assert.equal(await blob.text(), 'abc');
  });
});
