/** Questions to jobs, through all layers, by real processes: of long journals, and where workers have no engine of their own. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeModule } from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;
const answers = 12;
const answerBytes = 524_288;
const partBytes = 4_194_304;

/** Asks `/1`, `/2` and so on; a question is answered with how many answers there were. */
const body = (url: string): string => `
  let steps = 0;
  globalThis.mvm_query = () => JSON.stringify({ value: steps });
  for (let call = 1; call <= ${answers + 1}; call += 1) { await get('${url}/' + call); steps += 1; }
  return steps;`;

const lendsNone = { controlPlaneArgs: ['--engine', 'off'] };

describe('a question to a job with a long journal', () => {
  for (const engine of ['embedded', 'remote'] as const)
    it(
      `is answered by a worker that reads the journal in parts, with the engine ${engine}`,
      { timeout: deadlineMs },
      async () => {
        const signal = AbortSignal.timeout(deadlineMs);
        const last = Promise.withResolvers<void>();
        const held = Promise.withResolvers<void>();
        await using receiver = await Receiver.start(({ path }, respond) => {
          if (path !== `/${answers + 1}`) return respond(200, 'x'.repeat(answerBytes));
          last.resolve();
          void held.promise.then(() => respond(200, 'done'));
        });
        await using scene = await Scene.start({ workers: 1, engine, ...lendsNone });
        await scene.client.deploy({
          name: 'long',
          version: '1',
          file: encodeModule(workflowModule(body(receiver.url))),
        });
        const [id = ''] = await scene.publish([{ workflow: 'long' }]);
        await last.promise;

        const { batches } = await scene.client.journalBatches(id);
        assert.ok(batches.reduce((sum, { bytes }) => sum + bytes.length, 0) > partBytes);
        assert.equal(await scene.client.query(id, 'steps'), answers);

        held.resolve();
        assert.equal((await scene.ended(id, signal)).result, answers + 1);
      },
    );
});

const places = [
  { engine: 'peer', lends: true, where: 'in the control plane’s' },
  { engine: 'remote', lends: true, where: 'at all' },
  { engine: 'remote', lends: false, where: 'in its engine server' },
  { engine: 'pool', lends: false, where: 'in an engine server of its pool' },
] as const;

describe('a question to a job whose worker has no engine of its own', () => {
  for (const { engine, lends, where } of places) {
    it(
      `is answered ${where}, with the engine ${engine}${lends ? '' : ' and none at the control plane'}`,
      { timeout: deadlineMs },
      async () => {
        const signal = AbortSignal.timeout(deadlineMs);
        const last = Promise.withResolvers<void>();
        const held = Promise.withResolvers<void>();
        await using receiver = await Receiver.start((_, respond) => {
          last.resolve();
          void held.promise.then(() => respond(200, 'done'));
        });
        await using scene = await Scene.start({ workers: 1, engine, ...(lends ? {} : lendsNone) });
        const asking = `globalThis.mvm_query = (text) => JSON.stringify({ value: JSON.parse(text).args });
        return await get('${receiver.url}/');`;
        await scene.client.deploy({ name: 'asked', version: '1', file: encodeModule(workflowModule(asking)) });
        const [id = ''] = await scene.publish([{ workflow: 'asked' }]);
        await last.promise;
        assert.deepEqual(await scene.client.query(id, 'echo', { some: 1 }), { some: 1 });
        held.resolve();
        assert.equal((await scene.ended(id, signal)).status, 'completed');
      },
    );
  }
});
