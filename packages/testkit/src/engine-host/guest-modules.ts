import type { Intent, ModuleFile } from '@mvm-ci/protocol';
import { coreModule, scriptedCore } from '../guest/core-wasm.ts';
import { workflowModule } from '../guest/script-module.ts';
import { encodeWireIntents } from '../guest/wire-intents.ts';

/** Three effects one after another, a log line after each, and a sleep; `salt` makes it another module. */
export const threeEffects = (salt = ''): ModuleFile =>
  workflowModule(`
    // ${salt}
    const statuses = [];
    for (let n = 1; n <= 3; n++) {
      const { fetched } = await get(input.url + '/' + n, { method: 'POST', idempotent: true });
      statuses.push(fetched.status);
      emit({ type: 'log', level: 'info', text: 'did ' + n });
    }
    await sleep(1);
    return statuses;`);

/** Returns how long its input is. */
export const measuring: ModuleFile = workflowModule('return input.text.length;');

/** Sleeps for ever. */
export const sleeping: ModuleFile = workflowModule('await sleep(86400000); return null;');

/** A core module with one effect at `url`. */
export const coreEffect = (url: string): ModuleFile => {
  const effect: Intent = {
    type: 'fetch',
    call: 1,
    method: 'POST',
    url: `${url}/core`,
    headers: [],
    body: null,
    redirect: 'follow',
    timeoutMs: 10_000,
    idempotent: true,
    key: null,
  };
  return coreModule(scriptedCore([[effect], [{ type: 'complete', result: '"core"' } as const]].map(encodeWireIntents)));
};
