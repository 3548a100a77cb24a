import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { choose, hasRoom, loadWith, type Candidate } from '../../../src/engine-hosts/pool/choice.ts';
import { seededUnit } from '../../fixtures/seeded-random.ts';

const candidate = (facts: Partial<Candidate> = {}): Candidate => ({
  isServing: true,
  isSuspect: false,
  isBusy: false,
  priority: 0,
  weight: 1,
  share: 1,
  runs: 0,
  runsMax: 100,
  ...facts,
});

const candidates = fc.array(
  fc.record({
    isServing: fc.boolean(),
    isSuspect: fc.boolean(),
    isBusy: fc.boolean(),
    priority: fc.nat(3),
    weight: fc.double({ min: 0.01, max: 1, noNaN: true }),
    share: fc.double({ min: 0.1, max: 1, noNaN: true }),
    runs: fc.nat(20),
    runsMax: fc.integer({ min: 1, max: 20 }),
  }),
  { maxLength: 12 },
);

/** Gives `count` runs to servers, ending some at random, and tells how many each has in the end. */
const play = (servers: readonly Candidate[], count: number, seed: number): readonly number[] => {
  const unit = seededUnit(seed);
  const runs = servers.map(() => 0);
  for (let n = 0; n < count; n += 1) {
    const now = servers.map((server, index) => ({ ...server, index, runs: runs[index] ?? 0 }));
    const { index = -1 } = choose(now, unit) ?? {};
    runs[index] = (runs[index] ?? 0) + 1;
    // Half of the time a run ends somewhere.
    const ending = Math.floor(unit() * servers.length);
    if (unit() < 0.5 && (runs[ending] ?? 0) > 0) runs[ending] = (runs[ending] ?? 0) - 1;
  }
  return runs;
};

describe('choose', () => {
  it('takes nothing from nothing', () => {
    assert.equal(
      choose([], () => 0.5),
      undefined,
    );
  });

  it('takes the only one', () => {
    const only = candidate();
    assert.equal(
      choose([only], () => 0.999),
      only,
    );
  });

  it('takes the less loaded of two', () => {
    const idle = candidate({ runs: 3 });
    const loaded = candidate({ runs: 4 });
    for (const unit of [0, 0.49, 0.5, 0.99])
      assert.equal(
        choose([loaded, idle], () => unit),
        idle,
      );
  });

  it('measures load by size: runs, weight and share', () => {
    const small = candidate({ runsMax: 10 });
    const halfWeight = candidate({ weight: 0.5 });
    const starting = candidate({ share: 0.1 });
    const full = candidate({ runs: 4 });
    assert.deepEqual([small, halfWeight, starting, full].map(loadWith), [0.1, 0.02, 0.1, 0.05]);
  });

  it('uses a higher priority number only when no lower one has room', () => {
    const backup = candidate({ priority: 2 });
    const first = candidate({ priority: 1, runs: 99 });
    const full = candidate({ priority: 1, runs: 100 });
    assert.equal(
      choose([backup, first], () => 0),
      first,
    );
    assert.equal(
      choose([backup, full], () => 0),
      backup,
    );
  });

  it('uses a suspect only when there is no other', () => {
    const suspect = candidate({ isSuspect: true });
    const backup = candidate({ priority: 5, runs: 90 });
    assert.equal(
      choose([suspect, backup], () => 0),
      backup,
    );
    assert.equal(
      choose([suspect], () => 0),
      suspect,
    );
  });

  it('never takes one that does not serve, is busy or full, and always one if any has room', () => {
    fc.assert(
      fc.property(candidates, fc.integer(), (servers, seed) => {
        const chosen = choose(servers, seededUnit(seed));
        if (!chosen) return !servers.some(hasRoom);
        const isBetter = (other: Candidate): boolean => hasRoom(other) && !other.isSuspect;
        return hasRoom(chosen) && (!chosen.isSuspect || !servers.some(isBetter));
      }),
    );
  });

  it('keeps equal servers balanced under random load', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.integer(), (count, seed) => {
        const runs = play(
          Array.from({ length: count }, () => candidate({ runsMax: 10_000 })),
          2_000,
          seed,
        );
        return Math.max(...runs) - Math.min(...runs) <= 15;
      }),
      { numRuns: 50 },
    );
  });

  it('gives a server of half the size about half as much', () => {
    const servers = [candidate({ runsMax: 1_000 }), candidate({ runsMax: 1_000, weight: 0.5 })];
    const [large = 0, small = 0] = play(servers, 600, 1);
    assert.ok(Math.abs(large - 2 * small) <= 12, `${large} and ${small}`);
  });

  it('gives a starting server little', () => {
    const servers = [candidate({ runsMax: 1_000 }), candidate({ runsMax: 1_000, share: 0.1 })];
    const [warm = 0, starting = 0] = play(servers, 200, 2);
    assert.ok(starting * 5 < warm, `${warm} and ${starting}`);
  });
});
