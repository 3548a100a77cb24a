/** Bytes that cross beside an activation's text, in both directions, and what a script has the host do with them. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { before, describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import { GuestFault } from '../../../src/guest/guest.ts';
import { ScriptRuntime } from '../../../src/guest/quickjs/script-runtime.ts';
import { defaultGuestLimits } from '../../../src/limits.ts';
import type { Activation } from '../../../src/run/activation.ts';
import { compileQuickjs } from '../../../src/system-quickjs.ts';
import { testMetering } from '../../fixtures/test-metering.ts';

const noText = Uint8Array.from({ length: 300 }, (_, index) => (index * 7) & 255);

/** A response for each of these bodies. */
const answers = (...bodies: readonly Uint8Array[]): Activation => ({
  now: 1,
  events: bodies.map((body, index) => ({
    type: 'answer',
    call: index + 1,
    answer: {
      type: 'fetched',
      response: { status: 200, statusText: '', url: 'http://a/', redirected: false, headers: [], body },
    },
  })),
});

const request = (body: string): string =>
  `{"type":"fetch","call":1,"method":"PUT","url":"http://a/","headers":[],"body":${body},"redirect":"follow","timeoutMs":1,"idempotent":null,"key":null}`;

/** A script whose step does `step(text, buffers)`, and whose intents are what it puts in `said`. */
const script = (step: string, more = ''): string => `
  const said = []; const kept = [];
  globalThis.mvm_workflows = () => '["main"]';
  globalThis.mvm_step = (text, ...buffers) => { ${step} };
  globalThis.mvm_flush = () => '[' + said.splice(0).join(',') + ']';
  ${more}`;

const giveKept = 'globalThis.mvm_bytes = (number) => kept[Number(number)];';

const step = (runtime: ScriptRuntime, source: string, activation: Activation): readonly Intent[] =>
  runtime.open(runtime.load(source)).step(activation);

const faultOf = (run: () => unknown): GuestFault => {
  try {
    run();
  } catch (error) {
    if (error instanceof GuestFault) return error;
  }
  return assert.fail('this ends the guest');
};

/** The text of the log that a step writes. */
const logged = (runtime: ScriptRuntime, expression: string): unknown => {
  const source = script(
    `said.push(JSON.stringify({ type: 'log', level: 'info', text: JSON.stringify(${expression}) }))`,
  );
  const [intent] = step(runtime, source, answers());
  assert.equal(intent?.type, 'log');
  return JSON.parse(intent.text);
};

describe('bytes of a script guest', () => {
  let module: WebAssembly.Module;
  let runtime: ScriptRuntime;

  before(async () => {
    module = await compileQuickjs();
    runtime = new ScriptRuntime({ module, limits: defaultGuestLimits, metering: testMetering() });
  });

  it('come as buffers that the text numbers, text as text, and go out as they came', () => {
    const echo = script(
      `const { v, events } = JSON.parse(text);
       for (const { fetched: { body } } of events) {
         if ('utf8' in body) said.push(JSON.stringify({ type: 'log', level: 'info', text: v + body.utf8 }));
         else said.push('${request('{"bytes":0}')}'.replace('"bytes":0', '"bytes":' + (kept.push(buffers[body.bytes]) - 1)));
       }`,
      giveKept,
    );
    const activation = answers(noText, new TextEncoder().encode('tëxt'), noText.subarray(200));
    const [first, second, third] = step(runtime, echo, activation);
    assert.deepEqual(first?.type === 'fetch' && first.body, noText);
    assert.deepEqual(second, { type: 'log', level: 'info', text: '2tëxt' });
    assert.deepEqual(third?.type === 'fetch' && third.body, noText.subarray(200));
  });

  it('come and go as base64 for a script that gives none, which is what modules of an earlier release do', () => {
    const echo = script(
      `const { v, events: [{ fetched: { body } }] } = JSON.parse(text);
       said.push('${request('0')}'.replace('"body":0', '"body":' + JSON.stringify(body)), '{"type":"progress","percent":' + v + ',"text":""}');`,
    );
    const [sent, version] = step(runtime, echo, answers(noText));
    assert.deepEqual(sent?.type === 'fetch' && sent.body, noText);
    assert.deepEqual(version, { type: 'progress', percent: 1, text: '' });
  });

  it('end the attempt where they are not there, no buffer, or of a script that gives none', () => {
    const asking = `said.push('${request('{"bytes":0}')}')`;
    const ends: Readonly<Record<string, string>> = {
      'not there': giveKept,
      'no buffer': 'globalThis.mvm_bytes = () => "text";',
      'a view': 'globalThis.mvm_bytes = () => new Uint8Array(3);',
      'given away': 'globalThis.mvm_bytes = () => { const one = new ArrayBuffer(3); one.transfer(); return one; };',
      thrown: 'globalThis.mvm_bytes = () => { throw new Error("no"); };',
      'none given': '',
    };
    for (const [name, more] of Object.entries(ends)) {
      const fault = faultOf(() => step(runtime, script(asking, more), answers()));
      assert.equal(fault.facts.code, 'GUEST_PROTOCOL', name);
    }
  });

  it('that do not fit into the guest end it as OUT_OF_MEMORY', () => {
    const hoard = script('globalThis.all = new Uint8Array(40 * 1048576).fill(1);', giveKept);
    const image = runtime.load(hoard);
    const guest = runtime.open(image);
    guest.step(answers());
    const large = new Uint8Array(30 * 1_048_576).fill(200);
    assert.equal(faultOf(() => guest.step(answers(large))).facts.code, 'OUT_OF_MEMORY');
  });

  it('become text, UTF-8, base64 and hashes by the host', () => {
    const bytes = (text: string): string => `new Uint8Array([${Buffer.from(text).join()}]).buffer`;
    assert.deepEqual(logged(runtime, "[...new Uint8Array(mvm_codec.encode('aü€😀'))]"), [...Buffer.from('aü€😀')]);
    assert.deepEqual(logged(runtime, "[...new Uint8Array(mvm_codec.encode('\\ud800'))]"), [0xef, 0xbf, 0xbd]);
    assert.equal(logged(runtime, `mvm_codec.decode(${bytes('aü€😀')})`), 'aü€😀');
    assert.equal(logged(runtime, 'String(mvm_codec.decode(new Uint8Array([97, 255]).buffer))'), 'undefined');
    assert.equal(logged(runtime, `mvm_codec.toBase64(${bytes('ab\0')})`), 'YWIA');
    assert.deepEqual(logged(runtime, "[...new Uint8Array(mvm_codec.fromBase64('YWIA'))]"), [97, 98, 0]);
    assert.equal(logged(runtime, "mvm_codec.btoa('\\xffa\\u0100')"), '/2EA');
    assert.equal(logged(runtime, "mvm_codec.atob('/2EA')"), '\xffa\u0100');
    const hex = (call: string): unknown =>
      logged(runtime, `[...new Uint8Array(${call})].map((one) => one.toString(16).padStart(2, '0')).join('')`);
    for (const [name, hash] of [
      ['SHA-1', 'sha1'],
      ['SHA-256', 'sha256'],
      ['SHA-384', 'sha384'],
      ['SHA-512', 'sha512'],
    ] as const) {
      assert.equal(hex(`mvm_codec.digest('${name}', ${bytes('abc')})`), createHash(hash).update('abc').digest('hex'));
      assert.equal(hex(`mvm_codec.digest('${name}', new ArrayBuffer(0))`), createHash(hash).digest('hex'));
      const keyed = createHmac(hash, 'key').update('abc').digest('hex');
      assert.equal(hex(`mvm_codec.hmac('${name}', ${bytes('key')}, ${bytes('abc')})`), keyed);
    }
    assert.equal(logged(runtime, `String(mvm_codec.digest('MD5', ${bytes('abc')}))`), 'undefined');
    assert.equal(logged(runtime, 'mvm_codec.decode(new ArrayBuffer(0)) + mvm_codec.toBase64(new ArrayBuffer(0))'), '');
  });

  it('that the host can’t take are an error in the script, whatever a script hands it', () => {
    const wrong = [
      'mvm_codec.decode("text")',
      'mvm_codec.decode(new Uint8Array(3))',
      'mvm_codec.toBase64()',
      'mvm_codec.toBase64(new Proxy(new ArrayBuffer(3), {}))',
      'mvm_codec.encode(null)',
      'mvm_codec.digest("SHA-256", "text")',
      'mvm_codec.hmac("SHA-256", new ArrayBuffer(1))',
      'mvm_codec.encode(Symbol())',
      'mvm_codec.fromBase64({ toString() { throw new TypeError("mine"); } })',
      '(() => { "use strict"; mvm_codec.encode = 1; })()',
    ];
    const caught = `[${wrong.map((call) => `(() => { try { return ${call}; } catch (error) { return error.name; } })()`).join()}]`;
    assert.deepEqual(
      logged(runtime, caught),
      wrong.map(() => 'TypeError'),
    );
    assert.equal(
      logged(runtime, 'mvm_codec.decode((() => { const b = new ArrayBuffer(3); b.transfer(); return b; })())'),
      '',
    );
  });

  it('cost fuel by the byte, so that a loop over them ends like any other', () => {
    const loop = script('const one = new ArrayBuffer(4194304); for (;;) mvm_codec.toBase64(one);');
    const limits = { ...defaultGuestLimits, fuelMax: 1e9 };
    const short = new ScriptRuntime({ module, limits, metering: testMetering(limits) });
    assert.equal(faultOf(() => step(short, loop, answers())).facts.code, 'FUEL_EXHAUSTED');
  });
});
