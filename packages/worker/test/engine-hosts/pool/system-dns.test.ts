import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Dns } from '../../../src/engine-hosts/pool/dns.ts';
import { systemDns } from '../../../src/engine-hosts/pool/system-dns.ts';
import { a, aaaa, DnsServer, srv } from '../../fixtures/dns-server.ts';

const never = new AbortController().signal;

describe('systemDns', () => {
  let server: DnsServer;
  let dns: Dns;

  beforeEach(async () => {
    server = await DnsServer.open();
    dns = systemDns({ servers: [server.address] });
  });

  afterEach(() => server[Symbol.asyncDispose]());

  it('finds the addresses of both families, and how long they hold', async () => {
    server.set('engines.test', 'A', [a('10.0.0.1', 30), a('10.0.0.2', 20)]);
    server.set('engines.test', 'AAAA', [aaaa([0xfd00, 0, 0, 0, 0, 0, 0, 1], 40)]);
    const found = await dns.addresses('engines.test', never);
    assert.deepEqual([...found.records].sort(), ['10.0.0.1', '10.0.0.2', 'fd00::1']);
    assert.equal(found.ttlMs, 20_000);
    assert.equal(found.isPartial, false);
  });

  it('finds the addresses of one family when the other has none', async () => {
    server.set('engines.test', 'A', [a('10.0.0.1')]);
    assert.deepEqual(await dns.addresses('engines.test', never), {
      records: ['10.0.0.1'],
      ttlMs: 60_000,
      isPartial: false,
    });
  });

  it('says that an answer is partial when one family could not be asked', async () => {
    server.set('engines.test', 'A', [a('10.0.0.1')]);
    server.set('engines.test', 'AAAA', 2);
    const { records, isPartial } = await dns.addresses('engines.test', never);
    assert.deepEqual([records, isPartial], [['10.0.0.1'], true]);
  });

  it('finds nothing for a name that does not exist', async () => {
    server.set('engines.test', 'A', 3);
    server.set('engines.test', 'AAAA', 3);
    assert.deepEqual((await dns.addresses('engines.test', never)).records, []);
  });

  it('fails when the name server fails', async () => {
    server.set('engines.test', 'A', 2);
    server.set('engines.test', 'AAAA', 2);
    await assert.rejects(dns.addresses('engines.test', never), /ESERVFAIL/);
  });

  it('finds services with priority, weight, target and port', async () => {
    const one = { target: 'one.test', port: 27288, priority: 10, weight: 60 };
    const two = { target: 'two.test', port: 27289, priority: 20, weight: 0 };
    server.set('_flawless._tcp.test', 'SRV', [srv(one), srv(two)]);
    const { records } = await dns.services('_flawless._tcp.test', never);
    const named = records.map(({ name, port, priority, weight }) => ({ target: name, port, priority, weight }));
    assert.deepEqual(
      named.sort((x, y) => x.priority - y.priority),
      [one, two],
    );
  });

  it('finds no services where there are none, and fails where the name server fails', async () => {
    server.set('none.test', 'SRV', 3);
    assert.deepEqual((await dns.services('none.test', never)).records, []);
    server.set('broken.test', 'SRV', 2);
    await assert.rejects(dns.services('broken.test', never), /ESERVFAIL/);
  });

  it('ends when its signal fires', async () => {
    server.set('silent.test', 'SRV', 'silence');
    const abort = new AbortController();
    const asked = dns.services('silent.test', abort.signal);
    abort.abort();
    await assert.rejects(asked, /ECANCELLED/);
  });

  it('looks up a name of this machine alone when the name servers do not know it', async () => {
    const { records } = await systemDns().addresses('localhost', never);
    assert.ok(records.includes('127.0.0.1') || records.includes('::1'));
  });
});
