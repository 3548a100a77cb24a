import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Coroutine } from '../../../src/guest/blocking/coroutine.ts';
import { FuelMeter } from '../../../src/guest/fuel/metering.ts';
import { openWasiGuest } from '../../../src/guest/wasi/wasi-guest.ts';
import { wasiImports } from '../../../src/guest/wasi/wasi-imports.ts';
import { prepareCore } from '../../../src/module/core-module.ts';
import { testMetering } from '../../fixtures/test-metering.ts';
import { wasiModule, wasmFromText } from '@mvm-ci/testkit';

it('every import that admission permits is there, with the type that it has', async () => {
  const imports = [...wasiImports].map(([name, type]) => {
    const [module = '', field = ''] = name.split('.');
    const [parameters = '', results = ''] = type.split(' → ').map((list) => list.slice(1, -1).replaceAll(',', ''));
    return `(import "${module}" "${field}" (func (param ${parameters}) (result ${results})))`;
  });
  const text = `(module ${imports.join('\n')} (memory (export "memory") 1) (func (export "_start")))`;
  const guest = openWasiGuest(
    { module: await prepareCore(wasiModule(await wasmFromText(text)), 1 << 24), isText: false },
    { wait: (ready) => ready, meter: new FuelMeter(testMetering()) },
  );
  assert.ok(guest instanceof Coroutine);
  const start = { type: 'start', job: 'j', attempt: 1, workflow: 'w', input: '{}', seed: new Uint8Array(32) } as const;
  assert.deepEqual(await guest.step({ now: 1, events: [start] }), [{ type: 'complete', result: 'null' }]);
});
