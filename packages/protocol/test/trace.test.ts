import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leaseTrace, traceContext, traceFields, traceOfText, traceText } from '../src/trace.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const span = 'b7ad6b7169203331';
const parent = `00-${trace}-${span}-01`;

describe('traceContext', () => {
  it('reads a traceparent of version 00', () => {
    assert.deepEqual(traceContext(parent, null), { traceparent: parent });
    assert.deepEqual(traceContext(` ${parent}\t`, null), { traceparent: parent });
  });

  it('keeps of the flags whether the trace is sampled', () => {
    assert.equal(traceContext(`00-${trace}-${span}-ff`, null)?.traceparent, parent);
    assert.equal(traceContext(`00-${trace}-${span}-02`, null)?.traceparent, `00-${trace}-${span}-00`);
  });

  it('reads the known fields of a later version', () => {
    assert.equal(traceContext(`cc-${trace}-${span}-01`, null)?.traceparent, parent);
    assert.equal(traceContext(`cc-${trace}-${span}-01-what-the-future-will-be-like`, null)?.traceparent, parent);
  });

  const malformed = {
    'no header': null,
    'an empty one': '',
    'upper case': parent.toUpperCase(),
    'version ff': `ff-${trace}-${span}-01`,
    'a trace of zeros': `00-${'0'.repeat(32)}-${span}-01`,
    'a span of zeros': `00-${trace}-${'0'.repeat(16)}-01`,
    'more fields than version 00 has': `${parent}-00`,
    'a later version with a field that is stuck on': `cc-${trace}-${span}-01.more`,
    'a short trace': `00-${trace.slice(1)}-${span}-01`,
    'no flags': `00-${trace}-${span}`,
    'two headers joined': `${parent},${parent}`,
  };
  for (const [what, text] of Object.entries(malformed))
    it(`takes ${what} for none`, () => assert.equal(traceContext(text, 'a=1'), undefined));

  it('keeps a tracestate in its order, without empty members', () => {
    const state = 'rojo=00f067aa0ba902b7, ,congo=t61rcWkgMzE,tenant@vendor=a b';
    assert.equal(traceContext(parent, state)?.tracestate, 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,tenant@vendor=a b');
  });

  const unreadable = {
    'a member without a value': 'rojo',
    'a key in upper case': 'Rojo=1',
    'a key twice': 'rojo=1,rojo=2',
    'a value with an equals sign': 'rojo=1=2',
    'a character that is not ASCII': 'rojo=ü',
    'more than 32 members': Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(','),
    'more than 512 characters': `rojo=${'x'.repeat(508)}`,
  };
  for (const [what, state] of Object.entries(unreadable))
    it(`drops a tracestate with ${what}, and keeps the trace`, () =>
      assert.deepEqual(traceContext(parent, state), { traceparent: parent }));
});

describe('a trace as text', () => {
  it('is read as it was written', () => {
    for (const context of [{ traceparent: parent }, { traceparent: parent, tracestate: 'a=1 2,b=3' }])
      assert.deepEqual(traceOfText(traceText(context)), context);
  });

  it('is in a log line as its two ids', () => {
    assert.deepEqual(traceFields({ traceparent: parent }), { trace_id: trace, span_id: span });
    assert.deepEqual(traceFields(undefined), {});
  });
});

describe('leaseTrace', () => {
  it('is the same wherever it is computed, and another one for each lease, job and trace', () => {
    const of = (traceparent: string, job: string, epoch: number): string =>
      leaseTrace({ traceparent }, { job, epoch }).traceparent;
    const here = of(parent, 'a', 1);
    assert.match(here, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    assert.equal(of(`00-${trace}-${'1'.repeat(16)}-01`, 'a', 1), here);
    const others = [of(parent, 'a', 2), of(parent, 'b', 1), of(`00-${'1'.repeat(32)}-${span}-01`, 'a', 1)];
    assert.equal(new Set([here, ...others]).size, 4);
  });

  it('stays unsampled, and keeps the tracestate', () => {
    const given = { traceparent: `00-${trace}-${span}-00`, tracestate: 'a=1' };
    const { traceparent, tracestate } = leaseTrace(given, { job: 'a', epoch: 1 });
    assert.match(traceparent, /-00$/);
    assert.equal(tracestate, 'a=1');
  });
});
