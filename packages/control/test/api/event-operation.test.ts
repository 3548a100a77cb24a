import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { TestPlane } from './test-plane.ts';

const publish = (plane: TestPlane, id: string): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/queue/publish', { body: { job_id: id, payload: id } });

/** Reads an event stream, event by event. */
class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = '';

  constructor(response: Response) {
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.ok(response.body);
    this.#reader = response.body.getReader();
  }

  static async open(plane: TestPlane, search: string, headers = {}): Promise<EventReader> {
    return new EventReader(await plane.open('GET', `/queue/events${search}`, { headers }));
  }

  /** The next event or comment; undefined at the end. */
  async next(): Promise<string | undefined> {
    while (!this.#text.includes('\n\n')) {
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += new TextDecoder().decode(value);
    }
    const end = this.#text.indexOf('\n\n');
    const event = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 2);
    return event;
  }

  /** Id, job and state of the next event. */
  async job(): Promise<string> {
    const event = await this.next();
    const [, id, data] = /^id: (\d+)\nevent: job\ndata: (.*)$/.exec(event ?? '') ?? [];
    const view = JSON.parse(data ?? 'null');
    return `${id} ${view.job_id} ${view.status}`;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

suite('the event stream', () => {
  test('tells of changes as they are committed', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, 'before');
    const events = await EventReader.open(plane, '');
    const first = events.job();
    await publish(plane, 'a');
    assert.equal(await first, '2 a pending');
    await plane.call('POST', '/queue/cancel/a', { body: {} });
    assert.equal(await events.job(), '3 a cancelled');
    await events.cancel();
  });

  test('resumes after a change, by `after` or by Last-Event-ID, with the latest state of each job', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, 'a');
    await publish(plane, 'b');
    await plane.call('POST', '/queue/cancel/a', { body: {} });
    const all = await EventReader.open(plane, '?after=0');
    assert.deepEqual([await all.job(), await all.job()], ['2 b pending', '3 a cancelled']);
    await all.cancel();
    await plane.restart();
    const rest = await EventReader.open(plane, '', { 'last-event-id': '2' });
    assert.equal(await rest.job(), '3 a cancelled');
    await rest.cancel();
  });

  test('reads no more than its reader takes', async () => {
    await using plane = await TestPlane.open();
    const jobs = Array.from({ length: 500 }, (_, index) => ({ job_id: `j${index}`, payload: 1 }));
    await plane.call('POST', '/queue/publish-many', { body: { jobs } });
    const events = await EventReader.open(plane, '?after=0');
    for (let index = 0; index < 500; index += 1) assert.equal(await events.job(), `${index + 1} j${index} pending`);
    await events.cancel();
  });

  test('says that it is still there when nothing happens', async () => {
    await using plane = await TestPlane.open();
    const events = await EventReader.open(plane, '');
    const comment = events.next();
    plane.clock.advance(controlLimits.eventKeepAliveMs);
    assert.equal(await comment, ': still here');
    await events.cancel();
  });

  test('ends with the control plane', async () => {
    await using plane = await TestPlane.open();
    const events = await EventReader.open(plane, '');
    const end = events.next();
    plane.core.endWaits();
    assert.equal(await end, undefined);
  });
});
