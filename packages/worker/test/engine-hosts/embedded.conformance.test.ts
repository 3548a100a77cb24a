import { openEngine, systemClock, systemRandom } from '@mvm-ci/engine';
import { describeEngineHost } from '@mvm-ci/testkit';
import { embeddedHost } from '../../src/engine-hosts/embedded.ts';

describeEngineHost('an engine in the worker', async ({ modules }) => {
  const host = embeddedHost(await openEngine({ modules, clock: systemClock, random: systemRandom, threads: 1 }));
  return { host, stop: () => host.stop() };
});
