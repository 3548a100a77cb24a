import { openEngine, systemClock, systemRandom } from '@mvm-ci/engine';
import { conformanceSuspendAfterMs, describeEngineHost } from '@mvm-ci/testkit';
import { embeddedHost } from '../../src/engine-hosts/embedded.ts';

describeEngineHost('an engine in the worker', async ({ modules }) => {
  const engine = await openEngine({
    modules,
    clock: systemClock,
    random: systemRandom,
    threads: 1,
    suspendAfterMs: conformanceSuspendAfterMs,
  });
  const host = embeddedHost(engine);
  return { host, stop: () => host.stop() };
});
