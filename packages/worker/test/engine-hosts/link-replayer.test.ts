/** Questions and replays in an engine server over HTTP: the journal goes there, and the answer comes back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mvmError, type JournalEntry, type ModuleFile } from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import { poolReplayer } from '../../src/engine-hosts/pool/pool-replayer.ts';
import { HttpLink } from '../fixtures/link-server.ts';

const counting: ModuleFile = workflowModule(`
  let slept = 0;
  globalThis.mvm_query = (text) => JSON.stringify({ value: { slept, asked: JSON.parse(text) } });
  for (let call = 1; call <= 3; call += 1) { await sleep(1); slept += 1; }
  return slept;`);
const other: ModuleFile = workflowModule(`return 'another workflow';`);

/** An attempt that ran to its end over the link. */
const recorded = async (
  link: HttpLink,
): Promise<{ readonly journal: readonly JournalEntry[]; readonly module: string }> => {
  const { attempt, run } = link.begin('a', counting);
  await run.ended;
  assert.deepEqual(attempt.outcome, { type: 'completed', result: '3' });
  return { journal: attempt.entries, module: attempt.claimed.module };
};

describe('replays over a link', { timeout: 120_000 }, () => {
  it('ask a workflow at the end of its journal', async () => {
    await using link = await HttpLink.open();
    const { journal, module } = await recorded(link);
    const attempt = { job: 'a', attempt: 1, module, workflow: 'main', name: 'state', args: '{"some":1}' };
    const { replayer } = link.host;
    const half = journal.slice(0, journal.findIndex(({ kind }) => kind === 'intents') + 1);
    const asked = { name: 'state', args: { some: 1 } };
    assert.deepEqual(JSON.parse(String(await replayer?.query({ ...attempt, journal }))), { slept: 3, asked });
    assert.deepEqual(JSON.parse(String(await replayer?.query({ ...attempt, journal: half }))), { slept: 0, asked });
    await assert.rejects(replayer?.query({ ...attempt, journal: [] }) ?? assert.fail(), { code: 'QUERY_NOT_FOUND' });
  });

  it('tell whether a module fits a journal, and send it there', async () => {
    await using link = await HttpLink.open();
    const { journal, module } = await recorded(link);
    const { replayer } = link.host;
    const attempt = { job: 'a', attempt: 1, workflow: 'main', journal };
    const same = await replayer?.replay({ ...attempt, module });
    assert.partialDeepStrictEqual(same, { compatible: true, entries: journal.length, logs: [] });
    const changed = await replayer?.replay({ ...attempt, module: link.keep(other) });
    assert.equal(changed?.compatible, false);
    assert.ok(changed.divergence);
  });

  it('are given up when nobody waits for them, or the link breaks', async () => {
    await using link = await HttpLink.open();
    const { journal, module } = await recorded(link);
    const { replayer } = link.host;
    const attempt = { job: 'a', attempt: 1, module, workflow: 'main', journal };
    const given = replayer?.replay(attempt, { signal: AbortSignal.abort() });
    await assert.rejects(given ?? assert.fail(), { code: 'CANCELLED' });
    const lost = replayer?.replay(attempt);
    const rejected = assert.rejects(lost ?? assert.fail(), { code: 'CONNECTION_LOST' });
    await link.host.stop();
    await rejected;
    assert.equal(link.host.replayer, undefined);
  });

  it('are not asked of an engine server that does not list them', async () => {
    await using link = await HttpLink.open({ isPlain: true });
    assert.equal(link.host.replayer, undefined);
  });
});

describe('replays in a pool', () => {
  const request = { job: 'a', attempt: 1, module: 'm', workflow: 'main', journal: [], name: 'q', args: 'null' };
  const answering =
    (answer: () => Promise<string>): Parameters<typeof poolReplayer>[0] =>
    () => [{ query: answer, replay: () => assert.fail('nobody wants one') }];
  const busy = answering(() => Promise.reject(mvmError('ENGINE_BUSY', 'full')));
  const without = answering(() => Promise.reject(mvmError('QUERY_NOT_FOUND', 'no such handler')));
  const well = answering(() => Promise.resolve('1'));

  it('go to the next server when one is gone or busy, and to no other when it has answered', async () => {
    assert.equal(await poolReplayer(() => [...busy(), ...well()]).query(request), '1');
    await assert.rejects(poolReplayer(() => [...without(), ...well()]).query(request), { code: 'QUERY_NOT_FOUND' });
    await assert.rejects(poolReplayer(() => [...busy(), ...busy()]).query(request), { code: 'ENGINE_BUSY' });
    await assert.rejects(poolReplayer(() => []).query(request), { code: 'UNAVAILABLE' });
  });
});
