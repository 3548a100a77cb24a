/** Whatever happens to its servers, and in whatever order, a pool keeps its promises. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { mvmError } from '@mvm-ci/protocol';
import type { ScriptMember } from '../fixtures/script-member.ts';
import { ScriptPool, type PooledRun } from '../fixtures/script-pool.ts';

const gone = mvmError('CONNECTION_LOST', 'gone');

type Event =
  | { readonly type: 'run' }
  | { readonly type: 'complete' | 'kill' | 'heal' | 'drain' | 'busy' | 'break'; readonly server: number }
  | { readonly type: 'find'; readonly servers: readonly number[] }
  | { readonly type: 'lookups fail'; readonly isFailing: boolean }
  | { readonly type: 'wait'; readonly ms: number };

const server = fc.integer({ min: 1, max: 5 });
const events: fc.Arbitrary<readonly Event[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant({ type: 'run' } as const) },
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constantFrom('complete', 'kill', 'heal', 'drain', 'busy', 'break'),
        server,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constant('find' as const), servers: fc.uniqueArray(server, { minLength: 1 }) }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('lookups fail' as const), isFailing: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 8_000 }) }) },
  ),
  { minLength: 20, maxLength: 80, size: 'max' },
);

/** Plays the events, and looks at every run that a server gets. */
class Play {
  readonly scene = new ScriptPool(addresses([1, 2, 3]), 7);
  readonly runs: PooledRun[] = [];

  async event(event: Event): Promise<void> {
    switch (event.type) {
      case 'run':
        return this.#run();
      case 'find':
        this.scene.addresses = addresses(event.servers);
        return;
      case 'lookups fail':
        this.scene.lookupError = event.isFailing ? new Error('ETIMEOUT') : undefined;
        return;
      case 'wait':
        return this.scene.clock.advance(event.ms);
      default:
        for (const member of this.scene.opened)
          if (member.url.includes(`.${event.server}:`) && !member.isStopped) happen[event.type](member);
        return this.scene.clock.advance(0);
    }
  }

  async #run(): Promise<void> {
    const { pool, opened } = this.scene;
    const usable = new Set(
      pool.engines
        .filter(({ state }) => state === 'healthy' || state === 'slow-start')
        .map(({ url }) => url.replace(/.*\./, '')),
    );
    const before = opened.map(({ runs }) => runs.length);
    this.runs.push(this.scene.run());
    for (const [index, { url, runs }] of opened.entries())
      assert.ok(runs.length === before[index] || usable.has(url.replace(/.*\./, '')), `${url} was not to be used`);
    await this.scene.clock.advance(0);
  }
}

const addresses = (servers: readonly number[]): readonly string[] => servers.map((number) => `10.0.0.${number}`);

const happen = {
  complete: (member: ScriptMember) => member.runs.forEach((run) => run.complete()),
  kill: (member: ScriptMember) => {
    member.fault = gone;
    for (const run of member.runs) run.interrupt();
  },
  break: (member: ScriptMember) => member.runs.forEach((run) => run.interrupt()),
  heal: (member: ScriptMember) => {
    member.fault = undefined;
    member.isBusy = false;
  },
  drain: (member: ScriptMember) => void (member.fault = mvmError('UNAVAILABLE', 'draining', { draining: true })),
  busy: (member: ScriptMember) => void (member.isBusy = true),
};

describe('EnginePool, whatever happens', () => {
  it('uses only servers that are healthy, loses no run, and recovers when its servers do', async () => {
    await fc.assert(
      fc.asyncProperty(events, async (sequence) => {
        const play = new Play();
        const { scene } = play;
        await scene.begin();
        for (const event of sequence) await play.event(event);
        // Every run is over or at exactly one server.
        const open = scene.opened.reduce((sum, member) => sum + member.open, 0);
        assert.equal(play.runs.filter(({ end }) => !end).length, open);
        assert.ok(play.runs.every(({ error }) => error === undefined));
        // A member that was closed had no runs left.
        assert.ok(scene.opened.every(({ isStopped, runs }) => !isStopped || !runs.some(({ heard }) => heard[0])));
        for (const member of scene.opened) happen.heal(member);
        scene.lookupError = undefined;
        await scene.clock.advance(120_000);
        assert.equal(scene.pool.obstacle, undefined);
        await scene.pool.stop();
        await scene.clock.advance(0);
        assert.equal(scene.clock.pending, 0);
        assert.ok(play.runs.every(({ end }) => end));
      }),
      { numRuns: 100 },
    );
  });
});
