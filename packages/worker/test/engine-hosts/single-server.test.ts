import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { mvmError, type ClaimedJob } from '@mvm-ci/protocol';
import type { EngineServerIdentity } from '../../src/engine-hosts/foreign.ts';
import { SingleServer } from '../../src/engine-hosts/single-server.ts';
import { FakeClock, settled } from '../fixtures/fake-clock.ts';
import { fixedRandom } from '../fixtures/fixed-random.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';
import { ScriptMember } from '../fixtures/script-member.ts';
import { silentPorts } from '../fixtures/script-pool.ts';

const job: ClaimedJob = {
  job: 'j1',
  epoch: 1,
  attempt: 1,
  module: 'm1',
  workflow: 'main',
  input: '1',
  journalEntries: 0,
};

describe('SingleServer', () => {
  let clock: FakeClock;
  let logger: KeptLogger;
  let identify: () => Promise<EngineServerIdentity>;
  let opened: string[];
  let member: ScriptMember;
  let server: SingleServer;

  beforeEach(() => {
    clock = new FakeClock();
    logger = new KeptLogger();
    opened = [];
    member = new ScriptMember('http://engine:1');
    identify = async () => ({ type: 'link', version: '1' });
  });

  afterEach(async () => {
    await server.stop();
    await settled();
    assert.equal(clock.pending, 0);
  });

  const open = (): void => {
    server = new SingleServer({
      url: 'http://engine:1',
      identify: () => identify(),
      open: ({ type }) => {
        opened.push(type);
        return member;
      },
      clock,
      random: fixedRandom,
      logger,
    });
  };
  const warnings = (): readonly string[] =>
    logger.lines.filter(({ level }) => level === 'warn').map(({ text }) => text);

  for (const type of ['link', 'foreign'] as const)
    it(`opens the host for a server of the kind "${type}", once`, async () => {
      identify = async () => ({ type, version: '1' });
      open();
      assert.match(server.obstacle?.message ?? '', /has not answered yet/);
      await clock.advance(60_000);
      assert.deepEqual(opened, [type]);
      assert.equal(server.obstacle, undefined);
      server.run(job, silentPorts);
      assert.equal(member.open, 1);
    });

  it('asks until the server is there, and says each trouble once', async () => {
    let trouble = mvmError('CONNECTION_LOST', 'nothing listens there');
    identify = () => Promise.reject(trouble);
    open();
    await clock.advance(60_000);
    trouble = mvmError('UNAUTHENTICATED', 'the token is wrong');
    await clock.advance(60_000);
    assert.deepEqual(warnings(), [
      'no job is claimed: CONNECTION_LOST: nothing listens there',
      'no job is claimed: UNAUTHENTICATED: the token is wrong',
    ]);
    assert.equal(server.obstacle, trouble);
    const end = await server.run(job, silentPorts).ended;
    assert.deepEqual(end, { type: 'interrupted', error: trouble });
    identify = async () => ({ type: 'link', version: '1' });
    await clock.advance(3_000);
    assert.equal(server.obstacle, undefined);
  });

  it('opens nothing after it was stopped', async () => {
    const answer = Promise.withResolvers<EngineServerIdentity>();
    identify = () => answer.promise;
    open();
    await server.stop();
    answer.resolve({ type: 'link', version: '1' });
    await settled();
    assert.deepEqual(opened, []);
  });

  it('stops the host that it opened', async () => {
    open();
    await settled();
    await server.stop();
    assert.equal(member.isStopped, true);
  });
});
