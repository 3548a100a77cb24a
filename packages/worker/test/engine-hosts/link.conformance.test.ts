import { LinkServer, ModuleDesk, openEngine, systemClock, systemRandom, type Engine } from '@mvm-ci/engine';
import { attemptKeeper, describeEngineHost, MemoryLink, MessageCutter, type OpenHarness } from '@mvm-ci/testkit';
import { LinkDialer } from '../../src/engine-hosts/link-dialer.ts';
import { LinkHost } from '../../src/engine-hosts/link.ts';
import { fixedRandom } from '../fixtures/fixed-random.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';

/** An engine that serves links in memory, and can be lost. */
class EngineBox {
  readonly #open: () => Promise<{
    readonly engine: Engine;
    readonly link: () => MemoryLink;
    readonly stop: () => Promise<void>;
  }>;
  #current: Awaited<ReturnType<EngineBox['open']>> | undefined;

  constructor(open: EngineBox['open']) {
    this.#open = open;
  }

  get open(): () => Promise<{
    readonly engine: Engine;
    readonly link: () => MemoryLink;
    readonly stop: () => Promise<void>;
  }> {
    return this.#open;
  }

  async link(): Promise<MemoryLink> {
    this.#current ??= await this.#open();
    return this.#current.link();
  }

  /** The engine is gone with all its runs; the next link finds another one. */
  async lose(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.stop();
  }
}

const openWith =
  (journal: 'carried' | 'kept'): OpenHarness =>
  async ({ modules, attempts, runsMax }) => {
    const cutter = new MessageCutter();
    const links = new Set<MemoryLink>();
    const box = new EngineBox(async () => {
      const desk = new ModuleDesk();
      const engine = await openEngine({
        modules: journal === 'kept' ? modules : desk.source,
        clock: systemClock,
        random: systemRandom,
        threads: 1,
      });
      const server = new LinkServer({
        engine,
        runsMax,
        clock: systemClock,
        ...(journal === 'carried' && { modules: desk }),
      });
      const accept = server.accept(journal === 'kept' ? attemptKeeper(attempts) : undefined);
      return {
        engine,
        link: () => {
          const link = new MemoryLink(accept);
          links.add(link);
          return link;
        },
        stop: async () => {
          for (const link of links) link.close();
          await server.stop();
          await engine.stop();
        },
      };
    });
    const dialer = new LinkDialer({
      connect: async () => {
        const link = await box.link();
        return { open: cutter.wrap(link.open), closed: link.closed, close: () => link.close() };
      },
      engine: 'an engine in memory',
      clock: systemClock,
      random: fixedRandom,
      logger: new KeptLogger(),
    });
    const host = new LinkHost({ dialer, journal, modules, clock: systemClock });
    await dialer.connection();
    return {
      host,
      cutter,
      loseEngine: () => box.lose(),
      stop: async () => {
        await host.stop();
        await box.lose();
      },
    };
  };

describeEngineHost('an engine at the other end of a link', openWith('carried'));
describeEngineHost('an engine at the other end of a link that keeps the journals itself', openWith('kept'));
