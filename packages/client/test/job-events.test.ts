import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mvmError } from '@mvm-ci/protocol';
import { createClient } from '../src/client.ts';
import { jobView, refused, ScriptedServer } from './fixtures/scripted-server.ts';

const stream = (...chunks: readonly string[]): Response =>
  new Response(ReadableStream.from(chunks.map((chunk) => new TextEncoder().encode(chunk))), {
    headers: { 'content-type': 'text/event-stream' },
  });

const event = (change: number, status = 'in_progress'): string =>
  `id: ${change}\nevent: job\ndata: ${JSON.stringify(jobView(change, status))}\n\n`;

const read = async (server: ScriptedServer, count: number, after?: number): Promise<number[]> => {
  const stop = new AbortController();
  const client = createClient({ url: 'http://control.test', fetch: server.fetch });
  const changes: number[] = [];
  for await (const job of client.events({ signal: stop.signal, ...(after !== undefined && { after }) })) {
    changes.push(job.change);
    if (changes.length === count) break;
  }
  stop.abort();
  return changes;
};

describe('jobEvents', () => {
  it('reads events however they are cut into pieces', async () => {
    const text = `: comment\n\n${event(1)}${event(2)}`;
    assert.deepEqual(await read(new ScriptedServer(stream(...text.split(/(?=.)/s))), 2), [1, 2]);
  });

  it('goes on after the last change when the stream ends or breaks', async () => {
    const server = new ScriptedServer(stream(event(5)), refused(), stream(event(6), event(9)));
    assert.deepEqual(await read(server, 3, 4), [5, 6, 9]);
    assert.deepEqual(
      server.seen.map(({ path }) => path),
      ['/queue/events?after=4', '/queue/events?after=5', '/queue/events?after=5'],
    );
  });

  it('asks for the jobs that fit', async () => {
    const server = new ScriptedServer(stream(event(5)));
    const client = createClient({ url: 'http://control.test', fetch: server.fetch });
    for await (const _ of client.events({ queue: 'mail', state: 'failed', after: 3 })) break;
    assert.deepEqual(
      server.seen.map(({ path }) => path),
      ['/queue/events?queue=mail&state=failed&after=3'],
    );
  });

  it('goes on where the stream began when it breaks before any job came', async () => {
    const server = new ScriptedServer(stream('id: 41\nevent: begin\ndata: {"change":41}\n\n'), stream(event(42)));
    assert.deepEqual(await read(server, 1), [42]);
    assert.deepEqual(
      server.seen.map(({ path }) => path),
      ['/queue/events', '/queue/events?after=41'],
    );
  });

  it('does not hide a control plane that breaks every stream off', async () => {
    const torn = (): Response =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('id: 1\nevent: begin\ndata: {}\n\n')),
          pull: (controller) => controller.error(new TypeError('terminated')),
        }),
      );
    const server = new ScriptedServer(...Array.from({ length: 9 }, torn));
    await assert.rejects(read(server, 1), { code: 'UNAVAILABLE', message: /keeps breaking its event stream off/ });
    assert.equal(server.seen.length, 5);
  });

  it('skips events that are no jobs', async () => {
    const server = new ScriptedServer(stream('event: news\ndata: {"hello":1}\n\n', event(3)));
    assert.deepEqual(await read(server, 1), [3]);
  });

  it('ends with the refusal of the control plane', async () => {
    const error = mvmError('UNAUTHENTICATED', 'a token is needed').toRecord();
    const server = new ScriptedServer(Response.json({ error }, { status: 401 }));
    await assert.rejects(read(server, 1), error);
  });
});
