import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeEntries,
  encodeEntry,
  pack,
  unpack,
  type Answer,
  type Intent,
  type JournalEntry,
} from '@mvm-ci/protocol';

const at = fc.nat();
const text = fc.string({ unit: 'grapheme' });
const callNumber = fc.integer({ min: 1, max: 1_000_000 });
const bytes = fc.uint8Array({ maxLength: 64 });
const headers = fc.array(fc.tuple(text, text), { maxLength: 3 });

const intents: fc.Arbitrary<Intent> = fc.oneof(
  fc.record({
    type: fc.constant('fetch' as const),
    call: callNumber,
    method: text,
    url: text,
    headers,
    body: fc.option(bytes),
    redirect: fc.constantFrom('follow' as const, 'manual' as const, 'error' as const),
    timeoutMs: fc.integer({ min: 1, max: 1_000_000 }),
    idempotent: fc.option(fc.boolean()),
    key: fc.option(text),
  }),
  fc.record({
    type: fc.constant('fetch' as const),
    call: callNumber,
    method: text,
    url: text,
    headers,
    body: fc.constant(null),
    redirect: fc.constant('manual' as const),
    timeoutMs: fc.constant(1),
    idempotent: fc.constant(null),
    key: fc.constant(null),
    into: fc.constant('blob' as const),
    bodyBlob: text,
  }),
  fc.record({ type: fc.constant('receive' as const), call: callNumber, types: fc.option(fc.array(text)) }),
  fc.record({
    type: fc.constant('start' as const),
    call: callNumber,
    job: fc.option(text),
    workflow: text,
    input: text,
    attemptsMax: callNumber,
    detached: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('start' as const),
    call: callNumber,
    job: fc.constant(null),
    workflow: text,
    input: text,
    attemptsMax: fc.constant(1),
    detached: fc.constant(false),
    options: text,
  }),
  fc.record({ type: fc.constant('join' as const), call: callNumber, job: text }),
  fc.record({ type: fc.constant('send' as const), call: callNumber, job: text, messageType: text, data: text }),
  fc.record({ type: fc.constant('respond' as const), value: text }),
  fc.record({
    type: fc.constant('group' as const),
    action: fc.constantFrom('open' as const, 'close' as const),
    id: callNumber,
    name: text,
  }),
  fc.record({ type: fc.constant('version' as const), change: text }),
  fc.record({ type: fc.constant('sleep' as const), call: callNumber, ms: fc.nat() }),
  fc.record({ type: fc.constant('abandon' as const), call: callNumber }),
  fc.record({ type: fc.constant('log' as const), level: fc.constantFrom('info' as const, 'error' as const), text }),
  fc.record({ type: fc.constant('progress' as const), percent: fc.integer({ min: 0, max: 100 }), text }),
  fc.record({ type: fc.constant('complete' as const), result: text }),
  fc.record({ type: fc.constant('fail' as const), code: text, name: text, message: text, stack: text }),
);

const answers: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({
    type: fc.constant('fetched' as const),
    response: fc.record({
      status: fc.integer({ min: 100, max: 599 }),
      statusText: text,
      url: text,
      redirected: fc.boolean(),
      headers,
      body: bytes,
    }),
  }),
  fc.record({
    type: fc.constant('fetched' as const),
    response: fc.record({
      status: fc.constant(200),
      statusText: text,
      url: text,
      redirected: fc.boolean(),
      headers,
      body: fc.constant(new Uint8Array()),
      blob: fc.record({ hash: text, bytes: fc.nat() }),
    }),
  }),
  fc.record({ type: fc.constant('slept' as const) }),
  fc.record({
    type: fc.constant('message' as const),
    item: callNumber,
    from: fc.option(text),
    messageType: text,
    data: text,
  }),
  fc.record({ type: fc.constant('started' as const), job: text }),
  fc.record({ type: fc.constant('sent' as const) }),
  fc.record({
    type: fc.constant('joined' as const),
    item: callNumber,
    outcome: fc.oneof(
      fc.record({ type: fc.constant('completed' as const), result: text }),
      fc.record({ type: fc.constant('failed' as const), code: text, message: text }),
      fc.record({ type: fc.constant('cancelled' as const), reason: text }),
    ),
  }),
  fc.record({ type: fc.constant('error' as const), code: text, message: text }),
);

const entries: fc.Arbitrary<JournalEntry> = fc.oneof(
  fc.record({
    kind: fc.constant('started' as const),
    at,
    job: text,
    attempt: callNumber,
    module: text,
    runtime: text,
    workflow: text,
    input: text,
    seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
  fc.record({ kind: fc.constant('intents' as const), intents: fc.array(intents, { maxLength: 4 }) }),
  fc.record({ kind: fc.constant('answered' as const), at, call: callNumber, answer: answers }),
  fc.record({ kind: fc.constant('completed' as const), at, result: text }),
  fc.record({ kind: fc.constant('failed' as const), at, code: text, message: text }),
);

const concatenated = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(parts.flatMap((part) => [...part]));

/** Byte strings come back as Buffers in Node: compare content, not class. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? [...value]
    : Array.isArray(value)
      ? value.map(plain)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
        : value;

describe('journal entries', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.array(entries, { maxLength: 5 }), (written) => {
        const read = decodeEntries(concatenated(written.map(encodeEntry)));
        assert.deepEqual(plain(read), plain(written));
      }),
    );
  });

  it('have one encoding: what was read encodes to the same bytes again', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const bytesOnce = encodeEntry(entry);
        const [read] = decodeEntries(bytesOnce);
        assert.ok(read);
        assert.deepEqual([...encodeEntry(read)], [...bytesOnce]);
      }),
    );
  });

  it('keep the bytes that a fetch without extras always had, so that old journals replay', () => {
    const fetch = {
      type: 'fetch',
      call: 1,
      method: 'GET',
      url: 'http://a/',
      headers: [],
      body: null,
      redirect: 'follow',
      timeoutMs: 1_000,
      idempotent: null,
      key: null,
    } as const;
    const hex = encodeEntry({ kind: 'intents', intents: [fetch] }).toHex();
    assert.equal(hex, '9201919a0001a3474554a9687474703a2f2f612f90c0a6666f6c6c6f77cd03e8c0c0');
  });

  it('are refused as JOURNAL_CORRUPT when the bytes are cut or are something else', () => {
    const whole = encodeEntry({ kind: 'completed', at: 1, result: '"a result of some length"' });
    for (let cut = 1; cut < whole.length; cut++) {
      assert.throws(() => decodeEntries(whole.subarray(0, cut)), { code: 'JOURNAL_CORRUPT' }, `cut at ${cut}`);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (garbage) => {
        try {
          decodeEntries(garbage);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'JOURNAL_CORRUPT');
        }
      }),
    );
  });

  it('are refused as JOURNAL_CORRUPT when any one field is missing, of another type, or one too many', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        for (const wrong of wrongForms(unpack(encodeEntry(entry))))
          assert.throws(() => decodeEntries(pack(wrong)), { code: 'JOURNAL_CORRUPT' }, JSON.stringify(wrong));
      }),
    );
    for (const wrong of [[], [-1], [5, 1], ['0'], [1, [[]]], [1, [[15, 'x']]], [2, 1, 1, []], [2, 1, 1, [8]]])
      assert.throws(() => decodeEntries(pack(wrong)), { code: 'JOURNAL_CORRUPT' }, JSON.stringify(wrong));
  });
});

/** The canonical array with each of its fields, also of the arrays in it, exchanged for a map, left out, or doubled. */
const wrongForms = (packed: unknown): readonly unknown[] => {
  if (!Array.isArray(packed)) return [];
  const fields: readonly unknown[] = packed;
  // Lists may be of any length: their length is right, whatever it is.
  const isList = typeof fields[0] !== 'number';
  const lengths = isList ? [] : [fields.slice(0, -1), [...fields, 'more']];
  const inside = fields.flatMap((field, index) =>
    [{ a: 1 }, ...wrongForms(field)].map((wrong) => fields.with(index, wrong)),
  );
  return [...lengths, ...inside];
};
