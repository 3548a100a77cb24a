import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { z } from 'zod';
import { archiveFolder } from '../../src/adapters/archive-folder.ts';
import { controlLimits } from '../../src/limits.ts';
import { column, firstBatch, startedEntry, TestPlane } from '../api/test-plane.ts';
import { StillClock } from '../fixtures/still-clock.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

/** Publishes a payload job, and completes it. */
const complete = async (plane: TestPlane, id: string): Promise<void> => {
  await plane.call('POST', '/queue/publish', { body: { job_id: id, payload: id, tags: ['t'] } });
  await plane.call('POST', '/queue/claim');
  await plane.call('POST', `/queue/status/${id}`, { body: { status: 'completed', result: id } });
};

const ids = async (plane: TestPlane): Promise<readonly unknown[]> =>
  column((await plane.call('GET', '/queue/list')).body, 'job_id').toReversed();

/** Lets the pruner have its turn, and waits until these jobs are left. */
const untilLeft = async (plane: TestPlane, expected: readonly string[]): Promise<void> => {
  plane.clock.advance(controlLimits.pruneIdleMs + 1);
  while (JSON.stringify(await ids(plane)) !== JSON.stringify(expected)) await turn();
};

const archivedSchema = z.object({
  job: z.object({ job_id: z.string() }),
  journals: z.array(z.object({ batches: z.array(z.unknown()), error: z.object({ code: z.string() }).optional() })),
});

const linesIn = (folder: TemporaryFolder): readonly z.infer<typeof archivedSchema>[] =>
  readdirSync(folder.path).flatMap((name) =>
    readFileSync(join(folder.path, name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => archivedSchema.parse(JSON.parse(line))),
  );

suite('old jobs', () => {
  test('go when they have been over for long enough, and those that are not over stay', async () => {
    await using plane = await TestPlane.open({ retention: { completed: { ms: 3_600_000, count: null } } });
    await complete(plane, 'old');
    await plane.call('POST', '/queue/publish', { body: { job_id: 'open', payload: 1, delay_ms: 1e9 } });
    plane.clock.advance(3_595_000);
    await complete(plane, 'fresh');
    await untilLeft(plane, ['open', 'fresh']);
    assert.equal((await plane.call('GET', '/queue/status/old')).status, 404);
    const { body } = await plane.call('GET', '/queue/stats');
    assert.deepEqual([body.completed, body.pending, body.total], [1, 1, 2]);
  });

  test('go when there are too many of them, the oldest first', async () => {
    await using plane = await TestPlane.open({ retention: { completed: { ms: null, count: 2 } } });
    for (const id of ['a', 'b', 'c', 'd']) {
      await complete(plane, id);
      plane.clock.advance(1);
    }
    await untilLeft(plane, ['c', 'd']);
  });

  test('are in the archive before they go, with their journals', async () => {
    using folder = new TemporaryFolder();
    const archive = archiveFolder(folder.path, new StillClock());
    await using plane = await TestPlane.open({ retention: { completed: { ms: 0, count: null } }, archive });
    const { job: id, epoch, attempt } = await plane.claimOne('a');
    const append = firstBatch(id, [startedEntry(id)]);
    const outcome = { type: 'completed', result: '1' };
    const finished = await plane.packed('/peer/finish', {
      worker: 'w1',
      finishes: [{ job: id, epoch, attempt, append, outcome }],
    });
    assert.equal(finished.body.results[0].ok, true);
    await untilLeft(plane, []);
    const [file = ''] = readdirSync(folder.path);
    assert.match(file, /^jobs-\d{4}-\d\d-\d\d\.jsonl$/);
    const [line = '', ...others] = readFileSync(join(folder.path, file), 'utf8').trimEnd().split('\n');
    const archived = JSON.parse(line);
    assert.deepEqual([archived.job.job_id, archived.job.status, others.length], ['a', 'completed', 0]);
    assert.equal(archived.journals[0].batches[0].first_seq, 0);
  });

  test('go, and those behind them, also when a journal of theirs is damaged, which the archive says then', async () => {
    using folder = new TemporaryFolder();
    const archive = archiveFolder(folder.path, new StillClock());
    await using plane = await TestPlane.open({ retention: { completed: { ms: 0, count: null } }, archive });
    const { job, epoch, attempt } = await plane.claimOne('a');
    const append = firstBatch(job, [startedEntry(job)]);
    const outcome = { type: 'completed', result: '1' };
    await plane.packed('/peer/finish', { worker: 'w1', finishes: [{ job, epoch, attempt, append, outcome }] });
    using db = new DatabaseSync(join(plane.folder.path, 'control.db'));
    // Its bytes are no block.
    db.exec('UPDATE journal SET packed = 1');
    await complete(plane, 'b');
    await untilLeft(plane, []);
    const jobs = linesIn(folder);
    assert.deepEqual(
      jobs.map(({ job: { job_id: id } }) => id),
      ['a', 'b'],
    );
    assert.deepEqual(jobs[0]?.journals, [{ batches: [], error: { code: 'JOURNAL_CORRUPT' } }]);
  });

  test('are whole lines in the archive, also behind one that a crash cut off', async () => {
    using folder = new TemporaryFolder();
    const clock = new StillClock();
    const archive = archiveFolder(folder.path, clock);
    await using plane = await TestPlane.open({ retention: { completed: { ms: 0, count: null } }, archive });
    await complete(plane, 'a');
    await untilLeft(plane, []);
    const [name = ''] = readdirSync(folder.path);
    appendFileSync(join(folder.path, name), `{"job":{"job_id":"torn","payload":"${'x'.repeat(100_000)}`);
    await complete(plane, 'b');
    await untilLeft(plane, []);
    assert.deepEqual(
      linesIn(folder).map((line) => line.job.job_id),
      ['a', 'b'],
    );
  });

  test('leave an event stream waiting, when the last change was theirs', async () => {
    await using plane = await TestPlane.open({ retention: { completed: { ms: 0, count: null } } });
    await complete(plane, 'a');
    await untilLeft(plane, []);
    const end = new AbortController();
    const stream = await plane.open('GET', '/queue/events?after=0', { signal: end.signal });
    assert.ok(stream.body);
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
    assert.match(String((await reader.read()).value), /event: begin/);
    // A look finds nothing; the next event is that of the next job.
    const next = reader.read();
    await plane.call('POST', '/queue/publish', { body: { job_id: 'b', payload: 1 } });
    assert.match(String((await next).value), /"job_id":"b"/);
    end.abort();
  });
});
