import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  addressTargets,
  serviceTargets,
  urlTargets,
  type ServiceRecord,
} from '../../../src/engine-hosts/pool/member-target.ts';
import { poolLimits } from '../../../src/limits.ts';

const record = (name: string, facts: Partial<ServiceRecord> = {}): ServiceRecord => ({
  name,
  port: 27288,
  priority: 10,
  weight: 10,
  ...facts,
});

describe('urlTargets', () => {
  it('makes all servers of a list alike', () => {
    assert.deepEqual(urlTargets(['http://a:1', 'http://b:2']), [
      { id: 'http://a:1', url: 'http://a:1', priority: 0, weight: 1 },
      { id: 'http://b:2', url: 'http://b:2', priority: 0, weight: 1 },
    ]);
  });
});

describe('addressTargets', () => {
  const dns = { type: 'dns', scheme: 'http', name: 'engines', port: 27288 } as const;

  it('makes a server of each address, of both families, once', () => {
    const targets = addressTargets(dns, ['10.0.0.2', 'fd00::1', '10.0.0.1', '10.0.0.2']);
    assert.deepEqual(
      targets.map(({ url, address }) => [url, address]),
      [
        ['http://10.0.0.1:27288', undefined],
        ['http://10.0.0.2:27288', undefined],
        ['http://[fd00::1]:27288', undefined],
      ],
    );
  });

  it('keeps the name in the URL over TLS', () => {
    assert.deepEqual(addressTargets({ ...dns, scheme: 'https' }, ['10.0.0.1']), [
      { id: 'https://10.0.0.1:27288', url: 'https://engines:27288', address: '10.0.0.1', priority: 0, weight: 1 },
    ]);
  });

  it('stops at the limit', () => {
    const addresses = Array.from({ length: 1_000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
    assert.equal(addressTargets(dns, addresses).length, poolLimits.membersMax);
  });
});

describe('serviceTargets', () => {
  const srv = { type: 'srv', scheme: 'http', name: '_flawless._tcp.example' } as const;

  it('takes target, port and priority of each record', () => {
    assert.deepEqual(serviceTargets(srv, [record('B.example.', { port: 1, priority: 20 }), record('a.example')]), [
      { id: 'http://a.example:27288', url: 'http://a.example:27288', priority: 10, weight: 1 },
      { id: 'http://b.example:1', url: 'http://b.example:1', priority: 20, weight: 1 },
    ]);
  });

  it('takes weights relative to the largest of the same priority, and leaves weight 0 a small chance', () => {
    const records = [
      record('a', { weight: 60 }),
      record('b', { weight: 30 }),
      record('c', { weight: 0 }),
      record('d', { weight: 500, priority: 11 }),
    ];
    assert.deepEqual(
      serviceTargets(srv, records).map(({ weight }) => weight),
      [1, 0.5, 0.01, 1],
    );
  });

  it('takes servers whose weights are all 0 for equal', () => {
    const records = [record('a', { weight: 0 }), record('b', { weight: 0 })];
    assert.deepEqual(
      serviceTargets(srv, records).map(({ weight }) => weight),
      [1, 1],
    );
  });

  it('finds nothing where the target says that there is no such service', () => {
    assert.deepEqual(serviceTargets(srv, [record('.', { port: 0 })]), []);
  });

  it('takes a server once, with its best priority', () => {
    const targets = serviceTargets(srv, [record('a', { priority: 20 }), record('A.', { priority: 10 })]);
    assert.deepEqual(
      targets.map(({ priority }) => priority),
      [10],
    );
  });
});
