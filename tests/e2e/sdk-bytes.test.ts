/** The SDK in the engine: bytes and text of a workflow are what they are in Node, and megabytes of them fit into a step. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash, createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { buildWorkflow, type BuiltModule } from '@mvm-ci/build';
import { MemoryJournal, openEngine, systemClock, systemRandom, type Engine } from '@mvm-ci/engine';
import type { Answer, FetchIntent, JournalEntry } from '@mvm-ci/protocol';
import fc from 'fast-check';

const source = `
  const texts = (input) => input.map((text) => {
    const bytes = new TextEncoder().encode(text);
    return { bytes: [...bytes], text: new TextDecoder().decode(bytes), length: new TextEncoder().encodeInto(text, new Uint8Array(40)) };
  });
  const decode = (bytes) => {
    try { return new TextDecoder('utf-8', { fatal: true }).decode(bytes); } catch (error) { return error.name; }
  };
  const bytes = (input) => input.map((list) => {
    const view = new Uint8Array([0, ...list, 0]).subarray(1, list.length + 1);
    const characters = String.fromCharCode(...list);
    return { text: new TextDecoder().decode(view), fatal: decode(view), base64: btoa(characters), back: atob(btoa(characters)) === characters };
  });
  export const same = async ({ strings, lists }) => ({ texts: texts(strings), bytes: bytes(lists) });

  export const relay = async ({ url }) => {
    const response = await fetch(url);
    const copy = response.clone();
    const first = await response.bytes();
    first[0] = 1;
    const second = new Uint8Array(await copy.arrayBuffer());
    const body = new Uint8Array(second);
    const sent = fetch(url, { method: 'PUT', body: body.subarray(1) });
    body.fill(0);
    const { status } = await sent;
    return { status, length: second.length, first: [first[0], second[0]], used: response.bodyUsed };
  };

  export const signed = async ({ text }) => {
    const data = new TextEncoder().encode(text);
    const hashes = ['SHA-1', 'SHA-256', 'SHA-384', 'sha-512'];
    const digests = await Promise.all(hashes.map(async (hash) => new Uint8Array(await crypto.subtle.digest(hash, data)).toHex()));
    const key = await crypto.subtle.importKey('raw', new TextEncoder().encode('key'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
    const signature = await crypto.subtle.sign('HMAC', key, data);
    const verified = [await crypto.subtle.verify('HMAC', key, signature, data), await crypto.subtle.verify('HMAC', key, signature, data.subarray(1))];
    const refused = await Promise.all([
      crypto.subtle.digest('MD5', data), crypto.subtle.exportKey('raw', key), crypto.subtle.importKey('jwk', data, 'AES-GCM', true, ['encrypt']),
    ].map((call) => call.then(() => 'done', (error) => error.name)));
    return { digests, signature: new Uint8Array(signature).toBase64({ alphabet: 'base64url', omitPadding: true }), verified, refused };
  };

  export const upload = async ({ url }) => {
    const form = new FormData();
    form.append('text', 'línea 1\\nlínea 2');
    form.append('file', new Blob([new Uint8Array([255, 0, 254]), 'abc'], { type: 'Image/PNG' }), 'a "b".png');
    const sent = await fetch(url, { method: 'POST', body: form });
    const blob = await sent.blob();
    const plain = await fetch(url, { method: 'PUT', body: blob.slice(1) });
    return { type: blob.type, size: blob.size, status: plain.status };
  };

  export const again = async ({ url }) => {
    const body = new Uint8Array([200, 201, 202]);
    const response = await fetch(url, { method: 'PUT', body, retry: { attempts: 2, initialMs: 1 } });
    return response.status;
  };`;

const build = async (): Promise<BuiltModule> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-bytes-'));
  try {
    await writeFile(join(folder, 'main.ts'), source);
    return await buildWorkflow({ entry: join(folder, 'main.ts') });
  } finally {
    await rm(folder, { recursive: true });
  }
};

const ok = (body: Uint8Array, status = 200): Answer & { readonly type: 'fetched' } => ({
  type: 'fetched',
  response: { status, statusText: '', url: 'http://a/', redirected: false, headers: [], body },
});

describe('bytes in a workflow', () => {
  let module: BuiltModule;
  let engine: Engine;
  let answer: (intent: FetchIntent) => Answer;

  before(async () => {
    module = await build();
    engine = await openEngine({
      modules: () => Promise.resolve(module.bytes),
      clock: systemClock,
      random: systemRandom,
      performer: { fetch: ({ intent }) => Promise.resolve(answer(intent)) },
      threads: 1,
    });
  });
  after(() => engine.stop());

  const runFrom = async (
    workflow: string,
    input: unknown,
    journal: MemoryJournal = new MemoryJournal(),
  ): Promise<{ readonly result: unknown; readonly entries: readonly JournalEntry[] }> => {
    const job = { job: 'j', attempt: 1, module: module.hash, workflow, input: JSON.stringify(input) };
    const { entries } = journal;
    const run = engine.run({ ...job, journal: entries }, { sink: journal.hold(), mayStartEffect: () => true });
    const end = await run.ended;
    assert.ok(end.type === 'finished' && end.outcome.type === 'completed', JSON.stringify(end));
    return { result: JSON.parse(end.outcome.result), entries: journal.entries };
  };

  it('are text, UTF-8 and base64 as in Node, whatever is in them', async () => {
    const odd = ['', 'a\0b'.repeat(30), '\ud800'.repeat(40), '\ufeffé'.repeat(30), `${'y'.repeat(40)}\udfff`];
    const strings = [...fc.sample(fc.string({ unit: 'binary', maxLength: 200 }), { numRuns: 60, seed: 7 }), ...odd];
    const lists = [
      ...fc.sample(fc.uint8Array({ maxLength: 120 }), { numRuns: 60, seed: 7 }),
      ...strings.map((text) => new TextEncoder().encode(text)),
      new Uint8Array(50).fill(0xff),
      new Uint8Array(50),
    ].map((list) => [...list]);
    const { result } = await runFrom('same', { strings, lists });
    assert.deepEqual(result, {
      texts: strings.map((text) => {
        const bytes = new TextEncoder().encode(text);
        const { read, written } = new TextEncoder().encodeInto(text, new Uint8Array(40));
        return { bytes: [...bytes], text: new TextDecoder().decode(bytes), length: { read, written } };
      }),
      bytes: lists.map((list) => {
        const bytes = Uint8Array.from(list);
        return { text: new TextDecoder().decode(bytes), fatal: fatalText(bytes), base64: bytes.toBase64(), back: true };
      }),
    });
  });

  it('of 8 MiB are read and sent within a step each, every reader with its own', async () => {
    const large = Uint8Array.from({ length: 8 * 1_048_576 }, (_, index) => (index * 31) & 255);
    const received: (Uint8Array | null)[] = [];
    answer = ({ method, body }) => {
      if (method === 'GET') return ok(large);
      received.push(body);
      return ok(new Uint8Array(), 201);
    };
    const { result, entries } = await runFrom('relay', { url: 'http://a/' });
    assert.deepEqual(result, { status: 201, length: large.length, first: [1, 0], used: true });
    assert.equal(received.length, 1);
    assert.ok(received[0] && Buffer.compare(received[0], large.subarray(1)) === 0);
    const replayed = await runFrom('relay', { url: 'http://a/' }, new MemoryJournal(entries.slice(0, -2)));
    assert.deepEqual(replayed.result, result);
    assert.equal(received.length, 1, 'a replay sends nothing');
  });

  it('are hashed and signed as in Node, and what isn’t there is refused by the standard’s names', async () => {
    const text = 'signed text'.repeat(100);
    const { result } = await runFrom('signed', { text });
    const digest = (hash: string): string => createHash(hash).update(text).digest('hex');
    assert.deepEqual(result, {
      digests: ['sha1', 'sha256', 'sha384', 'sha512'].map(digest),
      signature: createHmac('sha256', 'key').update(text).digest('base64url'),
      verified: [true, false],
      refused: ['NotSupportedError', 'InvalidAccessError', 'NotSupportedError'],
    });
  });

  it('go out as forms and blobs', async () => {
    const received: FetchIntent[] = [];
    answer = (intent) => {
      received.push(intent);
      const headers = [['content-type', 'application/x-thing']] as const;
      const { response } = ok(new Uint8Array([1, 200, 3]), 201);
      return { type: 'fetched', response: { ...response, headers } };
    };
    assert.deepEqual((await runFrom('upload', { url: 'http://a/' })).result, {
      type: 'application/x-thing',
      size: 3,
      status: 201,
    });
    const [form, plain] = received;
    assert.ok(form?.body && plain);
    const read = await new Response(Buffer.from(form.body), {
      headers: form.headers.map(([k, v]): [string, string] => [k, v]),
      // oxlint-disable-next-line typescript/no-deprecated -- for servers with bodies of strangers, which these are not
    }).formData();
    assert.equal(read.get('text'), 'línea 1\r\nlínea 2');
    const file = read.get('file');
    assert.ok(file instanceof File);
    assert.deepEqual(
      [file.name, file.type, ...(await file.bytes())],
      ['a "b".png', 'image/png', 255, 0, 254, 97, 98, 99],
    );
    assert.deepEqual([plain.body && [...plain.body], plain.headers], [[200, 3], []]);
  });

  it('are sent again as they were', async () => {
    const received: unknown[] = [];
    answer = ({ body }) => {
      received.push(body && [...body]);
      return ok(new Uint8Array(), received.length === 1 ? 503 : 200);
    };
    assert.equal((await runFrom('again', { url: 'http://a/' })).result, 200);
    assert.deepEqual(received, [
      [200, 201, 202],
      [200, 201, 202],
    ]);
  });
});

const fatalText = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'TypeError';
  }
};
