import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { peerProtocols } from '@mvm-ci/protocol';
import { ReadyProcess } from '@mvm-ci/testkit';
import { mvmCi } from './command.ts';
import { OtherRelease } from './other-release.ts';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;
const { oldest, newest } = peerProtocols;
const [older, newer, strange] = [
  { oldest, newest: oldest },
  { oldest: newest, newest: newest + 1 },
  { oldest: newest + 1, newest: newest + 2 },
];

suite('releases with neighbouring versions of the peer protocol', { timeout: 5 * deadlineMs }, () => {
  const releases: OtherRelease[] = [];
  const program = (index: number): string => String(releases[index]?.program);

  before(async () => {
    for (const range of [older, newer, strange]) releases.push(await OtherRelease.make(range));
  });
  after(() => Promise.all(releases.map((release) => release[Symbol.asyncDispose]())));

  const pairs = [
    { title: 'an older worker', worker: 0, plane: undefined },
    { title: 'a newer worker', worker: 1, plane: undefined },
    { title: 'an older control plane', worker: undefined, plane: 0 },
    { title: 'a newer control plane', worker: undefined, plane: 1 },
  ];
  for (const { title, worker, plane } of pairs) {
    test(`${title} works with this release: a job goes on from its journal at another worker, doing nothing twice`, async () => {
      const signal = AbortSignal.timeout(deadlineMs);
      // The job waits for the second worker, however long that one takes to start.
      const joined = Promise.withResolvers<void>();
      await using receiver: Receiver = await Receiver.start(({ path }, respond) => {
        const isFirst = receiver.requests.length <= 2;
        void (isFirst ? Promise.resolve() : joined.promise).then(() => respond(200, path));
      });
      await using scene = await Scene.start(plane === undefined ? {} : { program: program(plane) });
      const other = worker === undefined ? {} : { program: program(worker) };
      const first = await scene.cluster.addWorker({ ...other, args: ['--grace', '0'] });
      await scene.deploy('probe');
      const times = 10;
      const input = { url: receiver.url, times, pauseMs: 300 };
      const [job = ''] = await scene.publish([{ workflow: 'probe/keepAsking', input }]);
      await receiver.arrivals(2);
      await scene.cluster.addWorker(worker === undefined ? {} : { program: program(worker) });
      joined.resolve();
      assert.equal(await first.stop(), 0);
      const ended = await scene.ended(job, signal);
      assert.deepEqual([ended.status, ended.resumes, ended.error], ['completed', 1, null]);
      assert.equal(receiver.requests.length, times);
    });
  }

  test('an older worker is not asked for what it does not know, and the operator is told so', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await Scene.start();
    const worker = await scene.cluster.addWorker({ program: program(0) });
    const drain = await mvmCi(['drain', worker.field('node'), '--url', scene.cluster.url], signal);
    assert.notEqual(drain.code, 0);
    assert.match(drain.stderr, /VERSION_UNSUPPORTED/);
    assert.match(drain.stderr, /speaks version 1 of the peer protocol.*SIGTERM drains it too.*upgrade the worker/);
  });

  test('a worker that speaks none of the control plane’s versions ends, and says which side is to be upgraded', async () => {
    await using scene = await Scene.start();
    await using later = await Scene.start({ program: program(2) });
    const start = (ticket: string, bin?: string): Promise<ReadyProcess> =>
      ReadyProcess.start({ args: ['worker', '--ticket', ticket], program: bin });
    const says = `the control plane speaks versions ${oldest} to ${newest} of the peer protocol`;
    await assert.rejects(
      start(scene.cluster.ticket, program(2)),
      new RegExp(`${says}, this node versions ${newest + 1} to ${newest + 2}: upgrade the control plane`),
    );
    await assert.rejects(start(later.cluster.ticket), /this node versions 1 to 2: upgrade this node/);
  });
});
