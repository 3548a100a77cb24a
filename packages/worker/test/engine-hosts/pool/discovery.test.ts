import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { MemberSource } from '../../../src/engine-hosts/engine-setting.ts';
import { Discovery } from '../../../src/engine-hosts/pool/discovery.ts';
import type { Dns, Found } from '../../../src/engine-hosts/pool/dns.ts';
import type { MemberTarget, ServiceRecord } from '../../../src/engine-hosts/pool/member-target.ts';
import { poolLimits } from '../../../src/limits.ts';
import { FakeClock, settled } from '../../fixtures/fake-clock.ts';
import { fixedRandom } from '../../fixtures/fixed-random.ts';
import { KeptLogger } from '../../fixtures/kept-logger.ts';

const byName: MemberSource = { type: 'dns', scheme: 'http', name: 'engines', port: 1 };
const byService: MemberSource = { type: 'srv', scheme: 'http', name: '_flawless._tcp.example' };

describe('Discovery', () => {
  let clock: FakeClock;
  let logger: KeptLogger;
  let lookups: number;
  let answer: () => Promise<Found<string>>;
  let services: readonly ServiceRecord[];
  let told: (readonly string[])[];
  let discovery: Discovery;

  beforeEach(() => {
    clock = new FakeClock();
    logger = new KeptLogger();
    lookups = 0;
    told = [];
    services = [];
    found('10.0.0.1', '10.0.0.2');
  });

  afterEach(() => {
    discovery.stop();
    assert.equal(clock.pending, 0);
  });

  const found = (...records: readonly string[]): void => {
    answer = async () => ({ records, isPartial: false });
  };
  const failing = (reason: string): void => {
    answer = () => Promise.reject(new Error(reason));
  };
  const warnings = (): readonly string[] =>
    logger.lines.filter(({ level }) => level === 'warn').map(({ text }) => text);

  const open = (source: MemberSource): void => {
    const dns: Dns = {
      addresses: () => {
        lookups += 1;
        return answer();
      },
      services: async () => ({ records: services, isPartial: false }),
    };
    const onTargets = (targets: readonly MemberTarget[]): void =>
      void told.push(targets.map(({ id }) => id.replace('http://', '')));
    discovery = new Discovery({ source, dns, clock, random: fixedRandom, logger, onTargets });
    discovery.start();
  };

  it('tells the servers of a list at once, and never looks anything up', async () => {
    open({ type: 'urls', urls: ['http://a:1', 'http://b:2'] });
    assert.deepEqual(told, [['a:1', 'b:2']]);
    discovery.refresh();
    await clock.advance(1_000_000);
    assert.equal(told.length, 1);
  });

  it('tells the addresses behind a name, and again only when they changed', async () => {
    open(byName);
    await clock.advance(3 * poolLimits.resolveMs);
    found('10.0.0.2', '10.0.0.3');
    await clock.advance(2 * poolLimits.resolveMs);
    assert.deepEqual(told, [
      ['10.0.0.1:1', '10.0.0.2:1'],
      ['10.0.0.2:1', '10.0.0.3:1'],
    ]);
  });

  it('tells the servers of service records', async () => {
    services = [{ name: 'a.example', port: 7, priority: 1, weight: 1 }];
    open(byService);
    await settled();
    assert.deepEqual(told, [['a.example:7']]);
  });

  it('looks again when the answer is no longer valid', async () => {
    answer = async () => ({ records: ['10.0.0.1'], ttlMs: 4_000, isPartial: false });
    open(byName);
    await clock.advance(3_999);
    assert.equal(lookups, 1);
    await clock.advance(1_000);
    assert.equal(lookups, 2);
  });

  it('asks no name server without pause, whatever its answers say', async () => {
    answer = async () => ({ records: ['10.0.0.1'], ttlMs: 0, isPartial: false });
    open(byName);
    await clock.advance(10_000);
    assert.ok(lookups <= 11, `${lookups} lookups`);
  });

  it('keeps the known servers when a lookup fails or finds nothing, and says so once', async () => {
    open(byName);
    await settled();
    failing('ETIMEOUT');
    await clock.advance(10 * poolLimits.resolveMs);
    found();
    await clock.advance(10 * poolLimits.resolveMs);
    assert.equal(told.length, 1);
    assert.deepEqual(warnings(), [
      'the engine servers behind the name "engines" could not be looked up: ETIMEOUT; the 2 that are known stay',
    ]);
    assert.equal(discovery.error?.code, 'UNAVAILABLE');
  });

  it('is well again after a lookup that succeeds', async () => {
    failing('SERVFAIL');
    open(byName);
    await settled();
    assert.match(warnings().join(), /SERVFAIL; no job is claimed until it succeeds/);
    found('10.0.0.9');
    await clock.advance(2 * poolLimits.resolveMsMin);
    assert.equal(discovery.error, undefined);
    assert.deepEqual(told, [['10.0.0.9:1']]);
  });

  it('tries more and more seldom while lookups fail', async () => {
    failing('SERVFAIL');
    open(byName);
    await clock.advance(600_000);
    assert.ok(lookups > 10 && lookups < 20, `${lookups} lookups`);
  });

  it('adds servers and removes none when only half of the question was answered', async () => {
    open(byName);
    await settled();
    answer = async () => ({ records: ['10.0.0.3'], isPartial: true });
    await clock.advance(2 * poolLimits.resolveMs);
    assert.deepEqual(told.at(-1), ['10.0.0.3:1', '10.0.0.1:1', '10.0.0.2:1']);
  });

  it('looks at once when a server failed, though not more often than the limit', async () => {
    open(byName);
    await clock.advance(poolLimits.resolveMsMin);
    for (let n = 0; n < 100; n += 1) discovery.refresh();
    await clock.advance(1);
    assert.equal(lookups, 2);
    discovery.refresh();
    await clock.advance(poolLimits.resolveMsMin / 2);
    assert.equal(lookups, 2);
    await clock.advance(poolLimits.resolveMsMin);
    assert.equal(lookups, 3);
  });

  it('gives up a lookup that never ends', async () => {
    answer = () => new Promise(() => undefined);
    open(byName);
    await clock.advance(poolLimits.lookupMs);
    assert.match(discovery.error?.message ?? '', /no answer within 5000 ms/);
    found('10.0.0.1');
    await clock.advance(2 * poolLimits.resolveMsMin);
    assert.deepEqual(told, [['10.0.0.1:1']]);
  });

  it('tells nothing after it was stopped', async () => {
    const late = Promise.withResolvers<Found<string>>();
    answer = () => late.promise;
    open(byName);
    discovery.stop();
    late.resolve({ records: ['10.0.0.1'], isPartial: false });
    await settled();
    assert.deepEqual(told, []);
    assert.deepEqual(logger.lines, []);
  });
});
