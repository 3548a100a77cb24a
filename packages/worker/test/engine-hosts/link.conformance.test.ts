import { systemClock, type JournalKeeper } from '@mvm-ci/engine';
import {
  attemptKeeper,
  describeEngineHost,
  MemoryLink,
  MessageCutter,
  type HarnessParts,
  type OpenHarness,
} from '@mvm-ci/testkit';
import { LinkDialer } from '../../src/engine-hosts/link-dialer.ts';
import { LinkHost } from '../../src/engine-hosts/link.ts';
import { EngineBox } from '../fixtures/engine-box.ts';
import { fixedRandom } from '../fixtures/fixed-random.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';

const keeperOf = ({ attempts, modules }: HarnessParts): JournalKeeper =>
  attemptKeeper(attempts, (hash) => modules(hash, { signal: new AbortController().signal }));

const openWith =
  (journal: 'carried' | 'kept'): OpenHarness =>
  async (parts) => {
    const cutter = new MessageCutter();
    const links = new Set<MemoryLink>();
    const box = new EngineBox(parts, journal === 'kept' ? keeperOf(parts) : undefined);
    const loseEngine = async (): Promise<void> => {
      for (const link of links) link.close();
      await box.lose();
    };
    const dialer = new LinkDialer({
      connect: async () => {
        const link = new MemoryLink(await box.accept());
        links.add(link);
        return { open: cutter.wrap(link.open), closed: link.closed, close: () => link.close() };
      },
      engine: 'an engine in memory',
      clock: systemClock,
      random: fixedRandom,
      logger: new KeptLogger(),
    });
    const host = new LinkHost({ dialer, journal, modules: parts.modules, clock: systemClock });
    await dialer.connection();
    return {
      host,
      cutter,
      loseEngine,
      stop: async () => {
        await host.stop();
        await loseEngine();
      },
    };
  };

describeEngineHost('an engine at the other end of a link', openWith('carried'));
describeEngineHost('an engine at the other end of a link that keeps the journals itself', openWith('kept'));
