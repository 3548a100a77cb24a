import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EffectAudit } from '@mvm-ci/testkit';
import { lacksCompiler, type Language } from './compilers.ts';
import { Receiver } from './receiver.ts';
import { Scene, type ModuleName } from './scene.ts';

const deadlineMs = 120_000;

const guests: readonly (readonly [title: string, module: ModuleName, language?: Language])[] = [
  ['a core guest in AssemblyScript', 'core-fetches'],
  ['a core guest in C', 'c-core-fetches', 'C'],
  ['a wasi guest in C', 'c-fetches', 'C'],
  ['a wasi guest in Rust', 'rust-fetches', 'Rust'],
  ['a wasi guest in Go', 'go-fetches', 'Go'],
  ['a guest with the surface of the flawless crate', 'flawless-fetches', 'C'],
  ['a guest of the flawless crate', 'flawless-rust', 'Rust with crates'],
];

for (const [title, module, language] of guests) {
  const skip = language !== undefined && (await lacksCompiler(language));
  describe(title, { skip }, () => {
    it('goes on from its journal when its worker is killed, under the same contract as a script', async () => {
      // The second request is answered only when it comes again: its first worker dies in the middle of it.
      await using receiver = await Receiver.start((request, respond) => {
        const before = receiver.requests.filter(({ key }) => key === request.key).length;
        if (!request.key.endsWith(':3') || before > 1) respond(200, 'ten bytes.');
      });
      await using scene = await Scene.start({ workers: 1 });
      await scene.deploy(module);
      // A compiler with a cold cache takes its time; the deadline is that of the job.
      const signal = AbortSignal.timeout(deadlineMs);
      const [id = ''] = await scene.publish([{ workflow: `${module}/three_fetches`, input: { url: receiver.url } }]);
      await receiver.arrivals(2);

      const audit = new EffectAudit();
      const [worker] = scene.cluster.workers;
      assert.ok(worker);
      const [journal] = await scene.killWorker(worker, audit);
      await scene.cluster.addWorker();
      const ended = await scene.ended(id, signal);

      assert.equal(ended.status, 'completed', JSON.stringify(ended.error));
      assert.deepEqual(ended.result, { statuses: [200, 200, 200], bytes: [10, 10, 10] });
      assert.equal(ended.resumes, 1);
      assert.ok(journal && journal.entries.length > 3, 'the kill came too early: too little happened');
      assert.deepEqual(audit.judge(receiver.requests).duplicated, []);
      assert.deepEqual(
        receiver.requests.map(({ key }) => key),
        [`${id}:1:1`, `${id}:1:3`, `${id}:1:3`, `${id}:1:5`],
      );
    });
  });
}
