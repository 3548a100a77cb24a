import { systemClock } from '@mvm-ci/engine';
import { describeEngineHost, MessageCutter, type OpenHarness } from '@mvm-ci/testkit';
import { EnginePool } from '../../src/engine-hosts/pool.ts';
import { systemDns } from '../../src/engine-hosts/pool/system-dns.ts';
import { LinkedMember, LinkedEngine } from '../fixtures/linked-engine.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';
import { seededUnit } from '../fixtures/seeded-random.ts';

/** A pool of `count` engines. */
const poolOf =
  (count: number): OpenHarness =>
  async ({ modules, runsMax }) => {
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    const engines = numbers.map((number) => new LinkedEngine(`http://engine-${number}:1`, runsMax));
    const cutter = new MessageCutter();
    await Promise.all(engines.map((engine) => engine.start()));
    const pool = new EnginePool({
      source: { type: 'urls', urls: engines.map(({ url }) => url) },
      dns: systemDns(),
      openMember: ({ url }) => {
        const engine = engines.find((one) => one.url === url);
        if (!engine) throw new Error(`no engine ${url}`);
        return new LinkedMember(engine, modules, (link) => cutter.wrap(link));
      },
      clock: systemClock,
      random: { unit: seededUnit(3) },
      logger: new KeptLogger(),
    });
    while (pool.obstacle) await new Promise((resolve) => setImmediate(resolve));
    return {
      host: pool,
      // Several engines have more places than the suite expects of a link, and nobody could count their messages together.
      ...(count === 1 && { cutter }),
      // The engine with the run is lost. Another one goes on, or the same again when there is no other.
      loseEngine: async () => {
        const busy = engines.filter(({ server }) => (server?.runs ?? 0) > 0);
        await Promise.all(busy.map((engine) => engine.kill()));
        if (count === 1) await Promise.all(busy.map((engine) => engine.start()));
      },
      stop: async () => {
        await pool.stop();
        await Promise.all(engines.map((engine) => engine.kill()));
      },
    };
  };

describeEngineHost('a pool of three engines', poolOf(3));
describeEngineHost('a pool of one engine', poolOf(1));
