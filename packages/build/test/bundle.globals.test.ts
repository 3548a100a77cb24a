import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resultOf } from './quickjs-guest.ts';

const start = 1_760_000_000_000;

describe('time in a workflow', () => {
  it('is the activation’s, however a script asks', async () => {
    const result = await resultOf(`const Found: any = new Date(5).constructor; return [
      Date.now(), new Date().getTime(), +new Date, Date.parse(Date()), new (class extends Date {})().getTime(),
      Reflect.construct(Date, []).getTime(), new Found().getTime(),
      new (Object.getPrototypeOf(new Date(5)).constructor)().getTime(), performance.timeOrigin,
      Number(new Function('return Date.now()')()), (0, eval)('Date.now()'), structuredClone(new Date()).getTime(),
    ];`);
    assert.deepEqual(result, Array(12).fill(start));
    assert.equal(await resultOf('return performance.now();'), 0);
  });

  it('stands still within a step', async () => {
    const result = await resultOf('const a = Date.now(); for (let i = 0; i < 1e5; i++) {} return Date.now() - a;');
    assert.equal(result, 0);
  });

  it('knows no time zone but UTC', async () => {
    const result = await resultOf(`
      const d = new Date(2026, 0, 31, 12, 30, 15, 250);
      d.setHours(13);
      return [d.toISOString(), d.getHours(), d.getDay(), d.getTimezoneOffset(), String(d), d.toDateString(), d.toTimeString(),
        d.toLocaleString(), Date.parse('2026-01-31T00:00'), Date.parse('2026-01-31'), Date.parse('Jan 31 2026 10:00'),
        Date.parse('Sat, 31 Jan 2026 10:00:00 GMT'), Date.parse('2026-01-31T10:00:00+02:00'), String(new Date(NaN)),
        new Date(99, 0).getFullYear(), new Date('x').getTime(), Date.UTC(2026), Date.length, d instanceof Date];`);
    const midnight = Date.UTC(2026, 0, 31);
    assert.deepEqual(result, [
      '2026-01-31T13:30:15.250Z',
      13,
      6,
      0,
      'Sat Jan 31 2026 13:30:15 GMT+0000 (UTC)',
      'Sat Jan 31 2026',
      '13:30:15 GMT+0000 (UTC)',
      '2026-01-31 13:30:15',
      midnight,
      midnight,
      midnight + 36e5 * 10,
      midnight + 36e5 * 10,
      midnight + 36e5 * 8,
      'Invalid Date',
      1999,
      null,
      Date.UTC(2026),
      7,
      true,
    ]);
  });
});

describe('randomness in a workflow', () => {
  it('comes from the seed alone', async () => {
    const body = `return [Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(5))],
      [...crypto.getRandomValues(new Uint32Array(2))], Array.from({ length: 3 }, Math.random)];`;
    const first = await resultOf(body);
    assert.deepEqual(await resultOf(body), first);
    assert.match(JSON.stringify(first), /"[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}"/);
  });

  it('is spread evenly over its range', async () => {
    const result = await resultOf(`const buckets = Array(10).fill(0);
      for (let i = 0; i < 20_000; i++) buckets[Math.floor(Math.random() * 10)]++;
      return [Math.min(...buckets) > 1_800, Math.max(...buckets) < 2_200];`);
    assert.deepEqual(result, [true, true]);
  });

  it('refuses what isn’t an integer array, and too much at once', async () => {
    const result =
      await resultOf(`const nameOf = (run: () => void) => { try { run(); } catch (error: any) { return error.name; } };
      return [nameOf(() => crypto.getRandomValues(new Float64Array(1))), nameOf(() => crypto.getRandomValues(new Uint8Array(65_537)))];`);
    assert.deepEqual(result, ['TypeError', 'RangeError']);
  });
});

describe('the globals of a workflow', () => {
  it('are those that a programmer expects', async () => {
    const names =
      'AbortController AbortSignal Event EventTarget Headers Request Response TextDecoder TextEncoder URL URLSearchParams ' +
      'atob btoa clearInterval clearTimeout console crypto fetch performance queueMicrotask self setInterval setTimeout structuredClone';
    const missing = await resultOf(`return input.split(' ').filter((name: string) => !(name in globalThis));`, names);
    assert.deepEqual(missing, []);
  });

  it('do what they do in Node, where packages look', async () => {
    const source = `
      const nameOf = (run) => { try { run(); return 'nothing'; } catch (error) { return error.name; } };
      const target = new EventTarget();
      const heard = [];
      target.addEventListener('a', (event) => heard.push(event.detail, event.bubbles));
      target.dispatchEvent(new CustomEvent('a', { detail: 5 }));
      const tags = [new AbortController().signal, new Request('http://a/'), new Response(), new Headers(), new URL('http://a/')];
      const away = Response.redirect('http://a/b');
      return [
        heard, new CustomEvent('a').detail, nameOf(() => target.dispatchEvent({ type: 'a' })), AbortSignal.abort().reason.message,
        tags.map((one) => Object.prototype.toString.call(one)), [away.status, away.headers.get('location')],
        nameOf(() => Response.redirect('http://a/', 200)), nameOf(() => new Response('x', { status: 204 })), new Response(null, { status: 204 }).status,
      ];`;
    assert.deepEqual(await resultOf(source), [
      [5, false],
      null,
      'TypeError',
      'This operation was aborted',
      ['AbortSignal', 'Request', 'Response', 'Headers', 'URL'].map((name) => `[object ${name}]`),
      [302, 'http://a/b'],
      'RangeError',
      'TypeError',
      204,
    ]);
  });

  it('let a workflow dispose of what it uses, in the reverse order, also when it throws', async () => {
    const result = await resultOf(`
      const order: string[] = [];
      class Lease implements Disposable { [Symbol.dispose](): void { order.push('lease'); } }
      const session = () => ({ async [Symbol.asyncDispose](): Promise<void> { await null; order.push('session'); } });
      const fails = async () => { using lease = new Lease(); await using one = session(); throw new Error('no'); };
      await fails().catch((error: Error) => order.push(error.message));
      { using a = new Lease(); using nothing = null; order.push('body'); }
      return [order, String(Symbol.dispose), typeof Symbol.asyncDispose];`);
    assert.deepEqual(result, [['session', 'lease', 'no', 'body', 'lease'], 'Symbol(Symbol.dispose)', 'symbol']);
  });

  it('have nothing that shows memory being collected, and no threads', async () => {
    const result = await resultOf(
      'return ["WeakRef", "FinalizationRegistry", "SharedArrayBuffer", "Atomics"].filter((name) => name in globalThis);',
    );
    assert.deepEqual(result, []);
  });

  it('encode and decode', async () => {
    const result = await resultOf(`return [
      [...new TextEncoder().encode('aß€😀')], new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 97, 0xff])),
      btoa('\\xff\\0a'), atob('/wBh'), await new Response('x').text(), structuredClone({ a: [new Map([[1, new Uint8Array([7])]])] }).a[0].get(1)[0],
      new URL('../b?x=1', 'https://münchen.example/a/').href,
    ];`);
    assert.deepEqual(result, [
      [97, 0xc3, 0x9f, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80],
      'a\ufffd',
      '/wBh',
      '\xff\0a',
      'x',
      7,
      'https://xn--mnchen-3ya.example/b?x=1',
    ]);
  });
});
