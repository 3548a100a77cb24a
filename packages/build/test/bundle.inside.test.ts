/** What stays inside the system, and requests that are repeated: the SDK in the real runtime. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@mvm-ci/protocol';
import { bundleText, QuickJsGuest, type LooseEvent, type LooseIntent } from './quickjs-guest.ts';

const load = async (source: string): Promise<QuickJsGuest> =>
  QuickJsGuest.load(
    await bundleText(
      `import { all, ChildError, EffectError, group, race, receive, respond, run, saga, send, sleep, sleepUntil, start, version } from '@mvm-ci/sdk';\n${source}`,
    ),
  );

const answer = (call: number, more: LooseEvent): LooseEvent => ({ type: 'answer', call, ...more });
const message = (call: number, messageType: string, data: unknown): LooseEvent =>
  answer(call, { message: { from: null, messageType, data } });
const slept = (call: number): LooseEvent => answer(call, { slept: true });
const status = (call: number, code: number, headers: readonly (readonly string[])[] = []): LooseEvent =>
  answer(call, {
    fetched: { status: code, statusText: '', url: 'http://site/', redirected: false, headers, body: { utf8: '' } },
  });
const failed = (call: number, code: string): LooseEvent => answer(call, { error: { code, message: 'no' } });
const completed = (intents: readonly LooseIntent[]): unknown => {
  const last = intents.at(-1);
  assert.equal(last?.type, 'complete', JSON.stringify(intents));
  return last['result'];
};

describe('messages in a workflow', () => {
  it('are received by type, and a wait that is over gives nothing and is abandoned', async () => {
    using guest = await load(`export const flow = async () => {
      const first = await receive<number>(['a', 'b'], { timeoutMs: 500 });
      const second = await receive('c', { timeoutMs: 500 });
      const third = await receive();
      await send('other', 'told', { third: third?.data });
      return [first, second ?? 'nothing'];
    };`);
    assert.deepEqual(guest.start('flow', null), [
      { type: 'sleep', ms: 500, call: 1 },
      { type: 'receive', types: ['a', 'b'], call: 2 },
    ]);
    assert.deepEqual(guest.step([message(2, 'b', 7)]), [
      { type: 'abandon', call: 1 },
      { type: 'sleep', ms: 500, call: 3 },
      { type: 'receive', types: ['c'], call: 4 },
    ]);
    assert.deepEqual(guest.step([slept(3)]), [
      { type: 'abandon', call: 4 },
      { type: 'receive', types: null, call: 5 },
    ]);
    assert.deepEqual(guest.step([message(5, 'x', [1])]), [
      { type: 'send', job: 'other', messageType: 'told', data: { third: [1] }, call: 6 },
    ]);
    assert.deepEqual(completed(guest.step([answer(6, { sent: true })])), [
      { type: 'b', data: 7, from: null },
      'nothing',
    ]);
  });
});

describe('children in a workflow', () => {
  it('are started, joined once however often it is asked, and their errors have their codes', async () => {
    using guest = await load(`export const flow = async () => {
      const child = await start<number>('report', { month: 1 }, { attempts: 3, detached: true });
      const sum = (await child.join()) + (await child.join());
      const code = await run('report').catch((error) => error instanceof ChildError ? [error.code, error.job] : error);
      const refused = await start('nothing').catch((error: EffectError) => error.code);
      return [sum, code, refused];
    };`);
    assert.deepEqual(guest.start('flow', null), [
      { type: 'start', job: null, workflow: 'report', input: { month: 1 }, attemptsMax: 3, detached: true, call: 1 },
    ]);
    assert.deepEqual(guest.step([answer(1, { started: { job: 'j1:1:1' } })]), [
      { type: 'join', job: 'j1:1:1', call: 2 },
    ]);
    assert.deepEqual(guest.step([answer(2, { joined: { type: 'completed', result: 4 } })]), [
      { type: 'start', job: null, workflow: 'report', input: null, attemptsMax: 1, detached: false, call: 3 },
    ]);
    guest.step([answer(3, { started: { job: 'c' } })]);
    guest.step([answer(4, { joined: { type: 'failed', code: 'WORKFLOW_FAILED', message: 'm' } })]);
    assert.deepEqual(completed(guest.step([failed(5, 'MODULE_NOT_FOUND')])), [
      8,
      ['WORKFLOW_FAILED', 'c'],
      'MODULE_NOT_FOUND',
    ]);
  });

  it('are waited for by several branches, of which one that gives up leaves the others waiting', async () => {
    using guest = await load(`export const flow = async () => {
      const child = await start<number>('report');
      const joined = child.join();
      const first = await race([(signal) => child.join({ signal }), (signal) => sleep(10, { signal }).then(() => 'slept')]);
      const second = await race([(signal) => child.join({ signal }), () => joined]);
      return [first, second, await joined];
    };`);
    guest.start('flow', null);
    assert.deepEqual(guest.step([answer(1, { started: { job: 'c' } })]), [
      { type: 'join', job: 'c', call: 2 },
      { type: 'join', job: 'c', call: 3 },
      { type: 'sleep', ms: 10, call: 4 },
    ]);
    assert.deepEqual(guest.step([slept(4)]), [
      { type: 'abandon', call: 3 },
      { type: 'join', job: 'c', call: 5 },
    ]);
    const last = guest.step([answer(2, { joined: { type: 'completed', result: 7 } })]);
    assert.deepEqual(completed(last), ['slept', 7, 7]);
  });

  it('are left behind by the branch that loses, and by the others when one throws', async () => {
    using guest = await load(`export const flow = async () => {
      const first = await race([(signal) => sleep(10, { signal }).then(() => 'slept'), (signal) => receive('stop', { signal })]);
      const error = await all([(signal) => sleep(20, { signal }), async () => { await sleep(5); throw new Error('one'); }])
        .catch((thrown: Error) => thrown.message);
      const [a, b] = await all([async () => 1, async () => 'two']);
      return [first, error, a, b];
    };`);
    guest.start('flow', null);
    assert.deepEqual(guest.step([slept(1)]), [
      { type: 'abandon', call: 2 },
      { type: 'sleep', ms: 20, call: 3 },
      { type: 'sleep', ms: 5, call: 4 },
    ]);
    const last = guest.step([slept(4)]);
    assert.deepEqual(last[0], { type: 'abandon', call: 3 });
    assert.deepEqual(completed(last), ['slept', 'one', 1, 'two']);
  });
});

describe('what a workflow gives to others', () => {
  const most = limits.messageBytesMax;
  // Bytes of UTF-8 are what counts: two for each ä, and those of the quotes.
  const values = `const plain = (bytes: number) => 'x'.repeat(bytes - 2); const wide = (bytes: number) => 'ä'.repeat((bytes - 2) / 2);`;

  it('is refused at the call when it is too large, and nothing is asked for', async () => {
    using guest = await load(`${values} export const flow = async () => {
      const codes: unknown[] = [];
      const note = (error: EffectError): void => { codes.push(error instanceof EffectError, error.code, error.message); };
      const { one } = { one: plain(${most + 1}) };
      await send('other', 'm', one).catch(note);
      await start('report', wide(${most + 2})).catch(note);
      await run('report', { deep: [one] }).catch(note);
      try { respond(one); } catch (error) { note(error as EffectError); }
      await sleep(1);
      return codes;
    };`);
    assert.deepEqual(guest.start('flow', null), [{ type: 'sleep', ms: 1, call: 1 }]);
    const refused = (what: string, received: number): readonly unknown[] => [
      true,
      'LIMIT_EXCEEDED',
      `at most ${most} bytes in ${what}, as JSON: received ${received}`,
    ];
    assert.deepEqual(completed(guest.step([slept(1)])), [
      ...refused('the data of a message', most + 1),
      ...refused('an input', most + 2),
      ...refused('an input', most + 12),
      ...refused('a response', most + 1),
    ]);
  });

  it('may be as large as the host allows', async () => {
    using guest = await load(`${values} export const flow = async () => {
      respond(wide(${limits.resultBytesMax}));
      send('other', 'm', plain(${most}));
      await start('report', wide(${limits.inputBytesMax}));
    };`);
    assert.deepEqual(
      guest.start('flow', null).map(({ type }) => type),
      ['respond', 'send', 'start'],
    );
  });

  it('is refused at the call when it is of another kind, with the rule and what was received', async () => {
    using guest = await load(`export const flow = async () => {
      const found: string[] = [];
      const loose: any[] = [
        () => send(12 as any, 'm'), () => send('other', ''), () => send('other', 'm', 1n),
        () => start('' as any), () => start({ a: 1 } as any), () => start('report', 1, { attempts: 0 }),
        () => start('report', 1, { attempts: '3' as any }), () => start('report', 1, { detached: 1 as any }),
        () => start('report', 1, { id: 7 as any }), () => start('report', 1, { priority: 101 }),
        () => start('report', 1, { queue: 'a b' }), () => start('report', 1, { requires: 'gpu' as any }),
        () => start('report', 1, { delayMs: 0.5 }), () => start('report', 1, { timeoutMs: 0 }),
        () => run('report', 1, { tags: [null as any] }), () => receive([3 as any]), async () => version(undefined as any),
        () => send('x'.repeat(129), 'm'), () => receive(Array(101).fill('m')), () => start('report', 1, { key: 'x'.repeat(129) }),
      ];
      for (const ask of loose) await ask().catch((error: Error) => found.push(error.name + ': ' + error.message));
      return found;
    };`);
    assert.deepEqual(completed(guest.start('flow', null)), [
      "TypeError: a job's id: a string of at least one character: received 12",
      'TypeError: the type of a message: a string of at least one character: received ""',
      'TypeError: what send is given must be a JSON value: BigInt are forbidden in JSON.stringify',
      'TypeError: a workflow: a string of at least one character: received ""',
      'TypeError: a workflow: a string of at least one character: received { a: 1 }',
      'TypeError: the attempts of a job: a whole number from 1 to 100: received 0',
      'TypeError: the attempts of a job: a whole number from 1 to 100: received "3"',
      'TypeError: detached: a boolean: received 1',
      "TypeError: a job's id: a string of at least one character: received 7",
      'TypeError: the option priority: a whole number from -100 to 100: received 101',
      'TypeError: the option queue: letters, digits and . _ : -, a letter or digit first: received "a b"',
      'TypeError: the option requires: at most 32 tags: received "gpu"',
      'TypeError: the option delayMs: a whole number from 0 to 315360000000: received 0.5',
      'TypeError: the option timeoutMs: a whole number from 1 to 315360000000: received 0',
      'TypeError: each of the option tags: a string of at least one character: received null',
      'TypeError: the type of a message: a string of at least one character: received 3',
      "TypeError: a change's name: a string of at least one character: received undefined",
      "EffectError: at most 128 characters in a job's id: received 129",
      'EffectError: at most 100 types of a receive: received 101',
      'EffectError: at most 128 characters in the option key: received 129',
    ]);
  });
});

describe('notes of a workflow', () => {
  it('respond early, name parts of the timeline, and ask for a version once', async () => {
    using guest = await load(`export const flow = async () => {
      respond({ accepted: true });
      const inner = await group('payment', async () => (await version('change')) ? 'new' : 'old');
      const again = await version('change');
      await sleepUntil(new Date(Date.now() + 40));
      await group('bad', () => { throw new Error('x'); }).catch(() => undefined);
      return [inner, again];
    };`);
    assert.deepEqual(guest.start('flow', null), [
      { type: 'respond', value: { accepted: true } },
      { type: 'group', action: 'open', id: 1, name: 'payment' },
      { type: 'version', change: 'change' },
    ]);
    assert.deepEqual(guest.step([{ type: 'version', change: 'change', chosen: false }], 0), [
      { type: 'group', action: 'close', id: 1, name: '' },
      { type: 'sleep', ms: 40, call: 1 },
    ]);
    const last = guest.step([slept(1)]);
    assert.deepEqual(
      last.slice(0, 2).map(({ action }) => action),
      ['open', 'close'],
    );
    assert.deepEqual(completed(last), ['old', false]);
  });
});

describe('a request that is repeated', () => {
  const post = `fetch('http://site/', { method: 'POST', timeoutMs: 700, `;

  it('keeps its key over all tries, waits longer each time, and as long as the receiver asks', async () => {
    using guest = await load(`export const flow = async () =>
      (await fetch('http://site/', { retry: { attempts: 4, initialMs: 100 } })).status;`);
    const keys: unknown[] = [];
    const note = (intents: readonly LooseIntent[]): void => void keys.push(intents[0]?.['key']);
    const waited = (intents: readonly LooseIntent[]): number => Number(intents[0]?.['ms']);
    note(guest.start('flow', null));
    const first = waited(guest.step([failed(1, 'CONNECTION_LOST')]));
    assert.ok(first >= 50 && first <= 100, String(first));
    note(guest.step([slept(2)]));
    const second = waited(guest.step([status(3, 503)]));
    assert.ok(second >= 100 && second <= 200, String(second));
    note(guest.step([slept(4)]));
    assert.equal(waited(guest.step([status(5, 429, [['retry-after', '7']])])), 7_000);
    note(guest.step([slept(6)]));
    assert.equal(completed(guest.step([status(7, 500)])), 500);
    assert.deepEqual(keys, ['j1:1:1', 'j1:1:1', 'j1:1:1', 'j1:1:1']);
  });

  it('is not sent again when it may have been done', async () => {
    using guest = await load(`export const flow = async () => {
      const codes = [];
      for (let n = 0; n < 2; n++)
        codes.push(await ${post} retry: {} }).then((response) => response.status, (error: EffectError) => error.code));
      return codes;
    };`);
    guest.start('flow', null);
    guest.step([failed(1, 'CONNECTION_LOST')]);
    assert.deepEqual(completed(guest.step([status(2, 500)])), ['CONNECTION_LOST', 500]);
  });

  it('is probed when its outcome is unknown, after the time that it may take', async () => {
    using guest = await load(`export const flow = async () => {
      let asked = 0;
      const probe = async () => {
        asked += 1;
        const found = await fetch('http://site/found');
        return found.ok && (await found.json());
      };
      const response = await ${post} probe });
      return [response.status, await response.json(), asked];
    };`);
    guest.start('flow', null);
    assert.deepEqual(guest.step([failed(1, 'OUTCOME_UNKNOWN')]), [{ type: 'sleep', ms: 700, call: 2 }]);
    assert.equal(guest.step([slept(2)])[0]?.['url'], 'http://site/found');
    const [again] = guest.step([status(3, 404)]);
    assert.deepEqual([again?.['method'], again?.['key']], ['POST', 'j1:1:1']);
    guest.step([failed(4, 'OUTCOME_UNKNOWN')]);
    guest.step([slept(5)]);
    const found = { status: 200, statusText: '', url: 'u', redirected: false, headers: [], body: { utf8: '{"id":9}' } };
    assert.deepEqual(completed(guest.step([answer(6, { fetched: found })])), [200, { id: 9 }, 2]);
  });
});

describe('a saga', () => {
  it('is undone from its end to its beginning, also when undoing fails', async () => {
    using guest = await load(`export const flow = async () => {
      const undone: string[] = [];
      const error = await saga(async ({ compensate }) => {
        for (const name of ['a', 'b', 'c']) compensate(async () => {
          await sleep(1);
          undone.push(name);
          if (name === 'b') throw new Error('stuck');
        });
        throw new Error('late');
      }).catch((thrown) => thrown);
      return [undone, error.name, error.errors.length, error.cause.message, await saga(async () => 'fine')];
    };`);
    guest.start('flow', null);
    for (const call of [1, 2]) guest.step([slept(call)]);
    assert.deepEqual(completed(guest.step([slept(3)])), [['c', 'b', 'a'], 'SagaError', 1, 'late', 'fine']);
  });
});
