import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { MvmError } from '@mvm-ci/protocol';

import {
  decodeTicket,
  encodeTicket,
  netLimits,
  ticketAddresses,
  writeEndpointTicket,
  type Ticket,
} from '../src/index.ts';
import { FakeClock } from './fixtures/fake-clock.ts';

const id = '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c';
const address = { id, addresses: ['127.0.0.1:4000', '[::1]:4001'] };
const full: Ticket = {
  address: { ...address, relayUrl: 'https://relay.example./' },
  token: 'mvmt_4f2a',
  cluster: 'prod',
  expiresAtMs: 2_000_000_000_000,
};

const fault =
  (expected: string, message: RegExp) =>
  (thrown: unknown): boolean => {
    assert.ok(thrown instanceof MvmError && thrown.code === 'TICKET_INVALID', String(thrown));
    assert.equal(thrown.details?.['fault'], expected);
    assert.match(thrown.message, message);
    return true;
  };

test('a ticket says what was put into it', () => {
  assert.deepEqual(decodeTicket(encodeTicket(full)), full);
  assert.deepEqual(decodeTicket(encodeTicket({ address })), { address });
});

test('a ticket is one word that a double click selects', () => {
  assert.match(encodeTicket(full), /^mvm1[a-z2-7]+$/);
});

test('space around a ticket and upper case do no harm', () => {
  assert.deepEqual(decodeTicket(`\n  ${encodeTicket(full).toUpperCase()} \n`), full);
});

test('any token and cluster survive', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), fc.string({ maxLength: 100 }), (token, cluster) => {
      assert.deepEqual(decodeTicket(encodeTicket({ address, token, cluster })), { address, token, cluster });
    }),
  );
});

test('one changed, missing or added character is noticed', () => {
  const text = encodeTicket(full);
  for (let index = 4; index < text.length; index += 1) {
    const other = text[index] === 'a' ? 'b' : 'a';
    const changed = text.slice(0, index) + other + text.slice(index + 1);
    assert.throws(() => decodeTicket(changed), fault('damaged', /damaged/), `at ${index}`);
  }
  for (let end = 4; end < text.length; end += 1) {
    assert.throws(() => decodeTicket(text.slice(0, end)), fault('damaged', /damaged/), `of ${end}`);
  }
  assert.throws(() => decodeTicket(`${text}a`), fault('damaged', /damaged/));
  assert.throws(() => decodeTicket(text.replace(/.$/, '-')), fault('damaged', /foreign characters/));
});

test('what is no ticket at all is called that', () => {
  for (const text of ['', 'hello', 'http://localhost:3020', 'mvm', 'mvmx', 'endpoint!', 'x'.repeat(5_000)]) {
    assert.throws(() => decodeTicket(text), fault('not-a-ticket', /not a ticket/), text.slice(0, 20));
  }
});

test('a ticket of a newer version is told from a damaged one', () => {
  assert.throws(() => decodeTicket(encodeTicket(full).replace('mvm1', 'mvm2')), fault('newer-version', /version 2/));
});

test('an expired ticket says when it expired', () => {
  const clock = new FakeClock();
  const text = encodeTicket({ address, expiresAtMs: clock.wallMs() + 5_000 });
  assert.equal(decodeTicket(text, { clock }).expiresAtMs, clock.wallMs() + 5_000);
  clock.advance(5_000);
  assert.throws(() => decodeTicket(text, { clock }), { code: 'TICKET_EXPIRED', message: /1970-01-01T00:16:45/ });
});

test('a plain iroh ticket gives the address, without a token', () => {
  const plain = writeEndpointTicket(address);
  assert.match(plain, /^endpoint/);
  assert.deepEqual(decodeTicket(plain), { address });
  assert.deepEqual(decodeTicket(`iroh+h3://${plain}/`), { address });
  assert.deepEqual(decodeTicket(`iroh+h3://${plain}`), { address });
  assert.throws(() => decodeTicket(plain.slice(0, -3)), fault('damaged', /iroh can't read it/));
});

test('random text gives a ticket or TICKET_INVALID, nothing else', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string().map((text) => `mvm1${text}`),
    fc.string().map((text) => `endpoint${text}`),
  );
  fc.assert(
    fc.property(texts, (text) => {
      assert.throws(
        () => decodeTicket(text),
        (thrown) => thrown instanceof MvmError && thrown.code === 'TICKET_INVALID',
      );
    }),
  );
});

test('a ticket that could not be read again is not written', () => {
  const many = Array.from({ length: netLimits.ticketAddressesMax + 1 }, () => '127.0.0.1:1');
  assert.throws(() => encodeTicket({ address: { id, addresses: many } }), /holds 32 addresses/);
  assert.throws(() => encodeTicket({ address, token: 'x'.repeat(4_000) }), /characters/);
  assert.throws(() => encodeTicket({ address: { id: 'zz', addresses: [] } }), /64 lower-case hex digits/);
  assert.throws(() => encodeTicket({ address: { id, addresses: ['localhost:1'] } }), /"localhost:1"/);
});

test('a ticket holds several nodes and names to look up, and the first node is where older readers go', () => {
  const other = { id: id.replaceAll('8', '9'), addresses: ['192.0.2.1:5000'], relayUrl: 'https://relay.example./' };
  const several: Ticket = { ...full, address: { ...full.address, hosts: ['ci.example.org:3021'] }, others: [other] };
  const read = decodeTicket(encodeTicket(several));
  assert.deepEqual(read, several);
  assert.deepEqual(ticketAddresses(read), [several.address, other]);
  assert.deepEqual(ticketAddresses({ address }), [address]);
  assert.throws(() => encodeTicket({ address: { ...address, hosts: ['no port'] } }), /"host:port", not "no port"/);
  const many = Array.from({ length: netLimits.ticketAddressesMax - 1 }, () => '127.0.0.1:1');
  assert.throws(() => encodeTicket({ address, others: [{ id, addresses: many }] }), /holds 32 addresses, not 33/);
});

test('a ticket that was written before there were several nodes is still read', () => {
  const text =
    'mvm1aeqivchd3v2at4mv7vjnwlj4xjoxfsthbg7r3fasdpzxjcabwqhw6xacbyytenzogaxdalrrhi2dambqaiffwor2gfotunbqgayqgf3ior2ha4z2f4xxezlmmf4s4zlymfwxa3dffyxqiclnozwxixzumyzgcbieobzg6zagbdaaaaaao42ziaemyeayybv2ieca';
  assert.deepEqual(decodeTicket(text), full);
});
