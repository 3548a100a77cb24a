import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isLoopback, operatorGate } from '../../src/http/operator-gate.ts';

const request = (headers: Readonly<Record<string, string>>, path = '/queue/list'): Request =>
  new Request(`http://127.0.0.1:3020${path}`, { headers });

suite('the operator gate', () => {
  test('knows loopback names and addresses', () => {
    for (const host of ['localhost', 'LOCALHOST', 'mvm.localhost', '127.0.0.1', '127.8.9.10', '::1', '[::1]'])
      assert.ok(isLoopback(host), host);
    for (const host of ['0.0.0.0', '::', 'example.test', '127.0.0.1.example.test', '10.0.0.1', ''])
      assert.ok(!isLoopback(host), host);
  });

  test('lets anybody on loopback in, when no token is set', () => {
    const gate = operatorGate({ host: '127.0.0.1', token: null });
    for (const host of ['127.0.0.1:3020', 'localhost:3020', '[::1]:3020', 'localhost']) gate(request({ host }));
  });

  test('refuses a foreign name on loopback, and a page of another site', () => {
    const gate = operatorGate({ host: '127.0.0.1', token: null });
    assert.throws(() => gate(request({ host: 'evil.test:3020' })), { code: 'FORBIDDEN' });
    assert.throws(() => gate(request({})), { code: 'FORBIDDEN' });
    const host = 'localhost:3020';
    for (const origin of ['http://evil.test', 'http://localhost:8080', 'null']) {
      assert.throws(() => gate(request({ host, origin })), { code: 'FORBIDDEN' }, origin);
    }
    gate(request({ host, origin: 'http://localhost:3020' }));
  });

  test('demands the token where one is set, except for health', () => {
    const gate = operatorGate({ host: '0.0.0.0', token: 'secret' });
    const host = 'control.example.test';
    gate(request({ host, authorization: 'Bearer secret' }));
    gate(request({ host }, '/healthz'));
    gate(request({ host }, '/readyz'));
    for (const authorization of ['Bearer wrong', 'Bearer', 'secret', 'Basic secret', 'Bearer secret2']) {
      assert.throws(() => gate(request({ host, authorization })), { code: 'UNAUTHENTICATED' }, authorization);
    }
    assert.throws(() => gate(request({ host })), { code: 'UNAUTHENTICATED' });
    assert.throws(() => gate(request({ host }, '/healthz/x')), { code: 'UNAUTHENTICATED' });
  });
});
