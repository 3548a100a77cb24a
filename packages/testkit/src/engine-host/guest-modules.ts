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

/** Sleeps for ten days. */
export const sleepingLong: ModuleFile = workflowModule('await sleep(864000000); return "rested";');

/** Waits for two messages of type `go`, and returns their data. */
export const receivingTwo: ModuleFile = workflowModule(`
    const receive = () => call({ type: 'receive', types: ['go'] });
    return [(await receive()).message.data, (await receive()).message.data];`);

/**
 * Starts a child, and one whose id is taken; sends a message, joins the child, receives an answer to the message; `salt`
 * makes it another module.
 */
export const insideWork = (salt = ''): ModuleFile =>
  workflowModule(`
    // ${salt}
    const start = (job) => call({ type: 'start', job, workflow: 'child', input: null, attemptsMax: 1, detached: false });
    emit({ type: 'respond', value: 'early' });
    const [child, taken] = await Promise.all([start(null), start('taken')]);
    await call({ type: 'send', job: 'other', messageType: 'question', data: 1 });
    const { message } = await call({ type: 'receive', types: ['answer'] });
    const { joined } = await call({ type: 'join', job: child.started.job });
    return [joined.result, message.data, taken.error.code];`);

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
