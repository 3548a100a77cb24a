import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleText, QuickJsGuest, type LooseIntent } from './quickjs-guest.ts';

const load = async (source: string): Promise<QuickJsGuest> =>
  QuickJsGuest.load(
    await bundleText(`import { sleep, progress, log, job, now, EffectError } from '@mvm-ci/sdk';\n${source}`),
  );

const kinds = (intents: readonly LooseIntent[]): readonly string[] => intents.map(({ type }) => type);

const page = (call: number, text: string, more: object = {}): Record<string, unknown> => ({
  type: 'answer',
  call,
  fetched: {
    status: 200,
    statusText: 'OK',
    url: 'http://site/',
    redirected: false,
    headers: [['content-type', 'text/plain']],
    body: { utf8: text },
    ...more,
  },
});

describe('a bundled workflow in QuickJS', () => {
  it('asks for its effects, several at once, and goes on with each answer', async () => {
    using guest = await load(`export const flow = async (input: { url: string }) => {
      const [text] = await Promise.all([fetch(input.url).then((r) => r.text()), sleep(250)]);
      progress(50, 'half');
      await sleep(5);
      return { text, job: job() };
    };`);
    assert.deepEqual(guest.start('flow', { url: 'http://site/a#b' }, { attempt: 2 }), [
      {
        type: 'fetch',
        method: 'GET',
        url: 'http://site/a',
        headers: [],
        body: null,
        redirect: 'follow',
        timeoutMs: 120_000,
        idempotent: null,
        key: null,
        call: 1,
      },
      { type: 'sleep', ms: 250, call: 2 },
    ]);
    assert.deepEqual(guest.step([{ type: 'answer', call: 2, slept: true }]), []);
    assert.deepEqual(guest.step([page(1, 'hello')]), [
      { type: 'progress', percent: 50, text: 'half' },
      { type: 'sleep', ms: 5, call: 3 },
    ]);
    assert.deepEqual(guest.step([{ type: 'answer', call: 3, slept: true }]), [
      { type: 'complete', result: { text: 'hello', job: { id: 'j1', attempt: 2 } } },
    ]);
  });

  it('asks for the same with a URL alone as with a request made of it, and takes options over those of a request', async () => {
    using guest = await load(`export const flow = async () => {
      const url = 'http://site/a?b=c';
      const post = new Request(url, { method: 'POST', body: 'x', headers: { a: 'b' }, timeoutMs: 9, idempotencyKey: 'k' });
      const calls = [fetch(url), fetch(new Request(url)), fetch(url, {}), fetch(post), fetch(post, { timeoutMs: 10, body: 'y' })];
      return (await Promise.all(calls)).length;
    };`);
    const asked = guest.start('flow', null).map((intent) => ({ ...intent, call: 0 }));
    const plain = {
      type: 'fetch',
      call: 0,
      method: 'GET',
      url: 'http://site/a?b=c',
      headers: [],
      body: null,
      redirect: 'follow',
      timeoutMs: 120_000,
      idempotent: null,
      key: null,
    };
    const headers = [
      ['a', 'b'],
      ['content-type', 'text/plain;charset=UTF-8'],
    ];
    const post = { ...plain, method: 'POST', headers, key: 'k' };
    assert.deepEqual(asked, [
      plain,
      plain,
      plain,
      { ...post, timeoutMs: 9, body: { utf8: 'x' } },
      { ...post, timeoutMs: 10, body: { utf8: 'y' } },
    ]);
  });

  it('asks for the same again when it is told the same again', async () => {
    const code = await bundleText(`import { sleep } from '@mvm-ci/sdk';
      export const flow = async () => {
        const ids = [crypto.randomUUID(), Math.random(), Date.now()];
        await Promise.race([sleep(Math.random() * 100), fetch('http://site/' + crypto.randomUUID())]);
        console.log(ids, new Date());
        setTimeout(() => console.log('late'), 10);
        await sleep(20);
        return [...ids, Date.now(), Math.random()];
      };`);
    const run = async (): Promise<string> => {
      using guest = await QuickJsGuest.load(code);
      const steps = [
        guest.start('flow', null),
        guest.step([page(2, '')]),
        guest.step([{ type: 'answer', call: 3, slept: true }]),
      ];
      return JSON.stringify([...steps, guest.step([{ type: 'answer', call: 4, slept: true }])]);
    };
    const first = await run();
    assert.match(first, /"complete"/);
    assert.equal(await run(), first);
  });

  it('has other random values under another seed', async () => {
    const code = await bundleText('export const flow = async () => [crypto.randomUUID(), Math.random()];');
    const values = async (seed: string): Promise<unknown> => {
      using guest = await QuickJsGuest.load(code);
      return guest.start('flow', null, { seed })[0]?.['result'];
    };
    const [first, second] = [await values('01'.repeat(32)), await values('02'.repeat(32))];
    assert.notDeepEqual(first, second);
    assert.deepEqual(await values('01'.repeat(32)), first);
  });

  it('gives an effect’s error to the workflow, with its code', async () => {
    using guest = await load(`export const flow = async () => {
      try { await fetch('http://site/', { method: 'POST', body: 'x' }); }
      catch (error) { return [error instanceof TypeError, error instanceof EffectError, error.code, error.message]; }
    };`);
    guest.start('flow', null);
    const error = { code: 'OUTCOME_UNKNOWN', message: 'may have arrived' };
    assert.deepEqual(guest.step([{ type: 'answer', call: 1, error }]), [
      { type: 'complete', result: [true, true, 'OUTCOME_UNKNOWN', 'may have arrived'] },
    ]);
  });

  it('ends with the code of an effect’s error that nobody caught', async () => {
    using guest = await load("export const flow = async () => { await fetch('http://site/', { method: 'POST' }); };");
    guest.start('flow', null);
    const [fail] = guest.step([{ type: 'answer', call: 1, error: { code: 'OUTCOME_UNKNOWN', message: 'who knows' } }]);
    assert.partialDeepStrictEqual(fail, {
      type: 'fail',
      code: 'OUTCOME_UNKNOWN',
      name: 'EffectError',
      message: 'who knows',
    });
  });

  it('ends with WORKFLOW_FAILED for what the workflow threw, whatever that is', async () => {
    const failOf = async (body: string): Promise<LooseIntent | undefined> => {
      using guest = await load(`export const flow = async () => { ${body} };`);
      return guest.start('flow', null).at(-1);
    };
    assert.partialDeepStrictEqual(await failOf("throw new RangeError('too far')"), {
      type: 'fail',
      code: 'WORKFLOW_FAILED',
      name: 'RangeError',
      message: 'too far',
    });
    assert.partialDeepStrictEqual(await failOf("throw { code: 'OUTCOME_UNKNOWN' }"), { code: 'WORKFLOW_FAILED' });
    assert.partialDeepStrictEqual(await failOf('throw undefined'), { type: 'fail', message: 'thrown: undefined' });
    assert.partialDeepStrictEqual(await failOf('return 10n'), { type: 'fail', name: 'TypeError' });
    const cycle = await failOf('const a: any = {}; a.a = a; return a;');
    assert.match(String(cycle?.['message']), /^the workflow's return value must be a JSON value: circular reference/);
    assert.match(String((await failOf("throw new Error('deep')"))?.['stack']), /module\.js:\d+/);
  });

  it('tells with an error what it came of: causes, gathered errors, and no more than a few', async () => {
    const stackOf = async (body: string): Promise<string> => {
      using guest = await load(`export const flow = async () => { ${body} };`);
      return String(guest.start('flow', null).at(-1)?.['stack']);
    };
    const causes = (stack: string): readonly string[] =>
      stack.split('\n').filter((line) => line.startsWith('caused by'));
    const nested = await stackOf("throw new Error('a', { cause: new RangeError('b', { cause: { code: 5 } }) })");
    assert.deepEqual(causes(nested), ['caused by RangeError: b', 'caused by {"code":5}']);
    assert.match(nested, /caused by RangeError: b\n +at .*module\.js:\d+/);
    const gathered = await stackOf("return Promise.any([Promise.reject(new Error('a')), Promise.reject('b')])");
    assert.deepEqual(causes(gathered), ['caused by Error: a', 'caused by b']);
    assert.equal(causes(await stackOf("const e = new Error('own'); e.cause = e; throw e")).length, 1);
    const chain =
      "let e = new Error('0'); for (let n = 1; n < 50; n += 1) e = new Error(String(n), { cause: e }); throw e";
    assert.equal(causes(await stackOf(chain)).length, 5);
    const hostile = "throw new Error('a', { cause: new Proxy(new Error('b'), { get() { throw new Error('no'); } }) })";
    assert.equal(causes(await stackOf(hostile)).length, 0);
  });

  it('completes with null when the workflow returns nothing', async () => {
    using guest = await load('export const flow = () => {};');
    assert.deepEqual(guest.start('flow', null), [{ type: 'complete', result: null }]);
  });

  it('drops what its leftovers ask for after its end', async () => {
    using guest = await load(`export const flow = async () => {
      void sleep(1).then(() => { log.info('late'); return sleep(2); });
      return 'early';
    };`);
    assert.deepEqual(kinds(guest.start('flow', null)), ['sleep', 'complete']);
    assert.deepEqual(guest.step([{ type: 'answer', call: 1, slept: true }]), []);
  });

  it('abandons a call whose signal aborts, and rejects with the signal’s reason', async () => {
    using guest = await load(`export const flow = async () => {
      const controller = new AbortController();
      const slow = fetch('http://site/', { signal: controller.signal }).catch((error) => error.message);
      const nap = sleep(60_000, { signal: AbortSignal.timeout(10) }).catch((error) => error.name);
      await sleep(5);
      controller.abort(new Error('changed my mind'));
      return [await slow, await nap];
    };`);
    assert.deepEqual(kinds(guest.start('flow', null)), ['fetch', 'sleep', 'sleep', 'sleep']);
    assert.deepEqual(guest.step([{ type: 'answer', call: 4, slept: true }]), [{ type: 'abandon', call: 1 }]);
    assert.deepEqual(guest.step([{ type: 'answer', call: 2, slept: true }]), [
      { type: 'abandon', call: 3 },
      { type: 'complete', result: ['changed my mind', 'TimeoutError'] },
    ]);
  });

  it('runs timers as sleeps, and clearing one abandons it', async () => {
    using guest = await load(`export const flow = () => new Promise((resolve) => {
      let ticks = 0;
      const never = setTimeout(() => resolve('never'), 1_000);
      const timer = setInterval(() => { ticks += 1; if (ticks === 2) { clearInterval(timer); clearTimeout(never); setTimeout(resolve, 0, ticks); } }, 10);
    });`);
    assert.deepEqual(guest.start('flow', null), [
      { type: 'sleep', ms: 1_000, call: 1 },
      { type: 'sleep', ms: 10, call: 2 },
    ]);
    assert.deepEqual(guest.step([{ type: 'answer', call: 2, slept: true }]), [{ type: 'sleep', ms: 10, call: 3 }]);
    assert.deepEqual(guest.step([{ type: 'answer', call: 3, slept: true }]), [
      { type: 'sleep', ms: 10, call: 4 },
      { type: 'abandon', call: 4 },
      { type: 'abandon', call: 1 },
      { type: 'sleep', ms: 0, call: 5 },
    ]);
    assert.deepEqual(guest.step([{ type: 'answer', call: 5, slept: true }]), [{ type: 'complete', result: 2 }]);
  });

  it('logs what a timer’s callback throws, and goes on', async () => {
    using guest = await load(`export const flow = async () => {
      setTimeout(() => { throw new Error('in a timer'); }, 1);
      await sleep(2);
      return 'fine';
    };`);
    guest.start('flow', null);
    const [entry] = guest.step([{ type: 'answer', call: 1, slept: true }]);
    assert.partialDeepStrictEqual(entry, { type: 'log', level: 'error' });
    assert.match(String(entry?.['text']), /^Uncaught in a timer: Error: in a timer/);
    assert.deepEqual(guest.step([{ type: 'answer', call: 2, slept: true }]), [{ type: 'complete', result: 'fine' }]);
  });

  it('sends a body and its type, and takes an Idempotency-Key by either way', async () => {
    using guest = await load(`export const flow = async () => {
      void fetch('http://site/', { method: 'post', body: JSON.stringify({ a: 1 }), headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k1' } });
      void fetch('http://site/', { method: 'PUT', body: new URLSearchParams({ q: 'a b' }), idempotencyKey: 'k2', idempotent: false, timeoutMs: 5 });
      void fetch(new Request('http://site/', { method: 'PATCH', body: new Uint8Array([0xff, 0]), redirect: 'manual' }));
      await sleep(1);
    };`);
    const [first, second, third] = guest.start('flow', null);
    assert.partialDeepStrictEqual(first, {
      method: 'POST',
      headers: [['content-type', 'application/json']],
      body: { utf8: '{"a":1}' },
      key: 'k1',
    });
    assert.partialDeepStrictEqual(second, {
      headers: [['content-type', 'application/x-www-form-urlencoded;charset=UTF-8']],
      body: { utf8: 'q=a+b' },
      key: 'k2',
      idempotent: false,
      timeoutMs: 5,
    });
    assert.partialDeepStrictEqual(third, { method: 'PATCH', redirect: 'manual', body: { base64: '/wA=' } });
  });

  it('reads a response in every form', async () => {
    using guest = await load(`export const flow = async () => {
      const response = await fetch('http://site/');
      const copy = response.clone();
      const bytes = await fetch('http://site/');
      return [response.ok, response.status, response.url, response.redirected, response.headers.get('Content-Type'),
        await response.json(), await copy.text(), response.bodyUsed, await response.text().catch((e) => e.name),
        [...await bytes.bytes()]];
    };`);
    guest.start('flow', null);
    guest.step([page(1, '{"ä":1}', { url: 'http://site/x', redirected: true, status: 201 })]);
    assert.deepEqual(guest.step([page(2, '', { body: { base64: '/wD+' } })]), [
      {
        type: 'complete',
        result: [true, 201, 'http://site/x', true, 'text/plain', { ä: 1 }, '{"ä":1}', true, 'TypeError', [255, 0, 254]],
      },
    ]);
  });

  it('refuses requests that could not be sent', async () => {
    using guest = await load(`export const flow = async () => {
      const errors: string[] = [];
      const tries: any[] = [['/relative'], ['ftp://site/'], ['http://u:p@site/'], ['http://site/', { body: 'x' }], ['http://site/', { method: 'TRACE' }],
        ['http://site/', { method: 'POST', body: { a: 1 } }], ['http://site/', { headers: { 'a b': 'c' } }], ['http://site/', { headers: { a: 'x\\ny' } }],
        ['http://site/', { redirect: 'maybe' }], ['http://site/', { timeoutMs: -1 }]];
      for (const args of tries) await (fetch as any)(...args).catch((error: any) => errors.push(error.name));
      return errors;
    };`);
    assert.deepEqual(guest.start('flow', null), [{ type: 'complete', result: Array(10).fill('TypeError') }]);
  });

  it('writes console and log lines to the job’s log', async () => {
    using guest = await load(`console.log('at load');
      export const flow = async () => {
        console.log('a %s and %d', 'text', 42, { deep: [1, null] });
        console.warn(new Map([['k', new Set([1])]]));
        log.error('bad', undefined);
        console.debug('x'.repeat(20_000));
      };`);
    const lines = guest.start('flow', null).filter(({ type }) => type === 'log');
    assert.deepEqual(
      lines.slice(0, 4).map(({ level, text }) => [level, text]),
      [
        ['info', 'at load'],
        ['info', 'a text and 42 { deep: [1, null] }'],
        ['warn', 'Map { "k" => Set { 1 } }'],
        ['error', 'bad undefined'],
      ],
    );
    assert.equal(String(lines[4]?.['text']).length, 8_000);
  });

  it('refuses effects and job facts while it is loaded', async () => {
    await assert.rejects(
      load('await0(); function await0() { void sleep(1).catch(() => {}); job(); } export const flow = () => 1;'),
      {
        code: 'MODULE_LOAD_FAILED',
      },
    );
  });
});
